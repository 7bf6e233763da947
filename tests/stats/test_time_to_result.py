"""Time to result worked by hand: hits, studies, medians with infinities, coupling in its order, and the integrals."""

import math
from dataclasses import replace

import numpy as np
import pytest

from steelyard.core.errors import InputError
from steelyard.stats.profiles import performance_profile
from steelyard.stats.time_to_result import (
    Runs,
    couple,
    first_hits,
    median_times,
    profile_parts,
    resample,
    score,
    speedups,
    study_times,
)

INF, NAN = math.inf, math.nan


def runs(times, evals=None, base=None, variants=(), of=()):
    """times: (S, W, K, T) lists."""
    t = np.array(times, float)
    s, w = t.shape[:2]
    base = list(range(w)) if base is None else base
    return Runs(
        tuple(f"s{i}" for i in range(s)), tuple(f"w{i}" for i in range(w)), t,
        np.array(evals, float) if evals is not None else np.where(np.isfinite(t), 1.0, t),
        np.array(base), np.array(variants, int), np.array(of, int), np.full(w, 100.0),
    )  # fmt: skip


def simple(table, **more):
    """One study of one trial for each (S, W) time."""
    return runs(np.array(table, float)[:, :, None, None], **more)


def test_first_hit_is_the_first_by_order_of_evaluation():
    # run 0 hits at evaluations 2 and 3, given out of order; run 1 never; run 2 at once
    times, evals = first_hits([0, 0, 0, 1, 2], [3, 1, 2, 1, 1], [30, 10, 25, 7, 5], [True, False, True, False, True], 3)
    assert times.tolist() == [25, INF, 5]
    assert evals.tolist() == [2, INF, 1]


def test_fewest_evaluations_may_be_a_slower_trial_and_ties_take_the_first():
    r = runs([[[[9, 4, INF], [NAN, NAN, NAN]]]], evals=[[[[1, 2, INF], [NAN, NAN, NAN]]]])
    assert study_times(r, "min_time")[0, 0].tolist()[0] == 4
    assert study_times(r, "eval_index")[0, 0].tolist()[0] == 9
    assert math.isnan(study_times(r)[0, 0, 1])
    tie = runs([[[[9, 4]]]], evals=[[[[1, 1]]]])
    assert study_times(tie, "eval_index")[0, 0, 0] == 9


def test_a_miss_takes_part_in_the_median_and_an_absent_study_does_not():
    studies = [[[1, 2, INF], [1, INF, INF], [1, 3, NAN], [1, INF, NAN], [NAN, NAN, NAN], [INF, INF, INF]]]
    assert median_times(studies).tolist() == [[2, INF, 2, INF, INF, INF]]


def test_coupling_by_hand():
    # base a, b; variant a' of a
    table = [
        [10, 10, 20],  # the fastest everywhere
        [11, 10, INF],  # misses the variant: loses a
        [12, 10, 81],  # more than 4 times the variant's best: loses a
        [12, 10, 80],  # exactly 4 times: keeps a
        [INF, 41, 1],  # its variant does not count, for it missed a; b is beyond 4 times
    ]
    r = simple(table, base=[0, 1], variants=[2], of=[0])
    assert couple(table, r).tolist() == [[10, 10], [INF, 10], [INF, 10], [12, 10], [INF, INF]]
    scored = score(r)
    assert scored.lost.tolist() == [[False, False], [True, False], [True, False], [False, False], [False, False]]
    assert score(r, coupling=False).coupled.tolist() == [row[:2] for row in table]


def test_parts_by_hand():
    assert profile_parts([1, 2, 4, 5, INF]).tolist() == [1, 2 / 3, 0, 0, 0]
    # 100 points from 1 to 4: a step at 1 fills all; one beyond the first point by less than a step loses half a step
    width = 1 / 99
    assert profile_parts([1.0, 1.0001, 4.0, 4.1], "trapezoid") == pytest.approx(
        [1, 1 - width / 2 - width / 2 * 0, width / 2, 0]
    )


def test_score_is_the_area_under_the_profile():
    rng = np.random.default_rng(1)
    times = rng.lognormal(0, 0.7, (5, 8))
    times[rng.random(times.shape) < 0.2] = INF
    times[:, 3] = INF
    assert score(simple(times)).scores == pytest.approx(performance_profile(times).area(4.0))


def test_only_misses_score_zero_and_unsolved_workloads_stay_in_the_denominator():
    assert score(simple([[5, INF], [INF, INF]])).scores.tolist() == [0.5, 0]
    assert score(simple([[5, INF], [INF, INF]]).solvable()).scores.tolist() == [1, 0]
    assert score(simple([[INF, INF]])).scores.tolist() == [0]


def test_scores_depend_on_the_set():
    r = simple([[10.0, 10.0], [20.0, 20.0], [5.0, 40.0]])
    assert score(r).scores == pytest.approx([(2 / 3 + 1) / 2, (0 + 2 / 3) / 2, 0.5])
    assert score(r.without(2)).scores == pytest.approx([1, 2 / 3])


def test_best_of_all_trials_forgets_the_studies():
    r = runs([[[[9], [4], [INF]]], [[[5], [5], [5]]]])
    assert score(r).times.tolist() == [[9], [5]]
    assert score(r, tuning="best-of-all-trials").times.tolist() == [[4], [5]]


def test_speedups_charge_a_miss_the_budget_and_a_second():
    got = speedups([[50, 20], [25, INF]], 0, [100, 99])
    assert got.tolist() == [[1, 1], [2, 0.2]]


def test_resampling_what_does_not_vary_changes_nothing():
    r = runs(np.broadcast_to(np.array([1.0, 2.0])[:, None, None, None], (2, 3, 4, 1)))
    for drawn in resample(r, 20, seed=0):
        assert score(drawn).scores == pytest.approx([1, 2 / 3])


def test_resampled_studies_are_as_many_as_there_are():
    r = runs([[[[1], [2], [NAN]]]])
    seen = {tuple(np.sort(d.times[0, 0, :, 0])[:2]) for d in resample(r, 200, seed=0)}
    assert seen == {(1, 1), (1, 2), (2, 2)}
    assert all(np.isnan(d.times[0, 0, :, 0]).sum() == 1 for d in resample(r, 20, seed=0))


def test_variants_come_along_with_their_workload():
    r = simple([[10, 10, 20], [10, 10, INF]], base=[0, 1], variants=[2], of=[0])
    assert score(r.drawn(np.array([0, 0]), None)).scores.tolist() == [1, 0]
    assert score(r.drawn(np.array([1, 1]), None)).scores.tolist() == [1, 1]


def test_nothing_to_score_is_an_error():
    with pytest.raises(InputError, match="no submission"):
        score(replace(simple([[1.0]]), base=np.array([], int)))
