"""Agreement between leaderboards against SciPy, hand values and simulation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from steelyard.core.errors import InputError
from steelyard.stats.agreement import (
    aggregate,
    agree,
    pearsons,
    score_interval,
    subsets,
    tau_p,
    taus,
    win_rate,
    z_scores,
)
from steelyard.stats.boards import Board, range_excess, reference_scores, references

NAN = math.nan


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=5, max_size=40), st.integers(0, 99))
def test_tau_and_p_equal_scipys_with_ties(pairs, seed):
    x, y = np.array(pairs, float).T
    chosen = (np.random.default_rng(seed).random((3, x.size)) < 0.7).astype(float)
    chosen[:, :5] = 1.0
    for tau, p, row in zip(taus(x, y, chosen), tau_p(x, y, chosen), chosen.astype(bool), strict=True):
        expected = stats.kendalltau(x[row], y[row])
        assert tau == pytest.approx(expected.statistic, nan_ok=True)
        assert p == pytest.approx(expected.pvalue, nan_ok=True)


@pytest.mark.parametrize("n", [5, 12, 33, 34, 60])
def test_p_without_ties_equals_scipys(n):
    rng = np.random.default_rng(n)
    for y in (rng.random(n), np.arange(n), np.r_[1, 0, np.arange(2, n)]):
        x = np.arange(n, dtype=float)
        assert tau_p(x, y.astype(float), np.ones((1, n)))[0] == pytest.approx(stats.kendalltau(x, y).pvalue, rel=1e-9)


def test_copies_of_a_model_count_for_nothing_in_tau():
    rng = np.random.default_rng(0)
    x, y = rng.random((2, 9))
    counts = np.array([2, 0, 1, 3, 1, 0, 0, 1, 1])
    repeated = stats.kendalltau(np.repeat(x, counts), np.repeat(y, counts)).statistic
    assert taus(x, y, counts[None].astype(float))[0] == pytest.approx(repeated)
    assert pearsons(x, y, counts[None].astype(float))[0] == pytest.approx(
        stats.pearsonr(np.repeat(x, counts), np.repeat(y, counts)).statistic
    )


def test_win_rates_by_hand():
    scores = np.array([[3.0, 1], [2, NAN], [2, NAN], [1, NAN]])
    assert win_rate(scores, "half")[:, 0].tolist() == pytest.approx([1, 0.5, 0.5, 0])
    # two models tied in the middle of four: each beats one of three, and the tie counts for neither
    assert win_rate(scores, "zero")[:, 0].tolist() == pytest.approx([1, 1 / 3, 1 / 3, 0])
    assert np.isnan(win_rate(scores)[:, 1]).all()  # one model has no others
    assert aggregate(np.array([[1.0, 0.5], [0.2, NAN]]), 2).tolist() == pytest.approx([0.75, NAN], nan_ok=True)


def test_z_scores_by_hand():
    # mean 2, sd 1 (ddof 1) of the first three; the fourth is measured by them
    z = z_scores(np.array([1.0, 2, 3, 5, NAN]), np.array([True, True, True, False, True]))
    assert z.tolist() == pytest.approx([-1, 0, 1, 3, NAN], nan_ok=True)
    assert np.isnan(z_scores(np.array([1.0, 1]))).all()


def test_subsets():
    order = np.array([3, 1, 0, 2, 4])
    assert subsets(order, 2, "top", 5, 0).tolist() == [[0, 1, 0, 1, 0]]
    assert subsets(order, 2, "bottom", 5, 0).tolist() == [[0, 0, 1, 0, 1]]
    assert subsets(order, 3, "middle", 5, 0).tolist() == [[1, 1, 1, 0, 0]]
    for row in subsets(order, 2, "somewhere", 20, 0):
        places = sorted(order.tolist().index(m) for m in np.flatnonzero(row))
        assert places[1] == places[0] + 1
    drawn = subsets(order, 3, "random", 50, 0)
    assert (drawn.sum(axis=1) == 3).all()
    assert len({tuple(r) for r in drawn}) > 5
    assert (subsets(order, 3, "random", 2, 1)[0] == subsets(order, 3, "random", 2, 0)[1]).all()  # seed + repeat


def test_too_few_shared_models_give_no_number():
    x = np.array([1.0, 2, 3, NAN, 5, NAN])
    a = agree(x, np.array([1.0, 2, NAN, 3, 4, 5]))
    assert a.common == 3
    assert math.isnan(a.value)
    assert math.isnan(agree(np.ones(8), np.arange(8.0)).value)  # a constant side


def test_perfect_agreement_of_few_models_keeps_a_wide_interval():
    six, sixty = (agree(np.arange(n, dtype=float), np.arange(n, dtype=float)) for n in (6, 60))
    assert six.value == sixty.value == 1
    assert six.low < 0.5 < 0.9 < sixty.low
    # against 19 models at 0.87 the six do not come first by the lower end
    rng = np.random.default_rng(0)
    x = np.arange(19.0)
    assert agree(x, x + rng.normal(0, 1.5, 19)).low > six.low


@pytest.mark.parametrize("correlation", ["kendall", "pearson"])
def test_score_interval_covers_under_normal_scores(correlation):
    rng = np.random.default_rng(1)
    rho, n, hits = 0.8, 8, 0
    true = 2 / math.pi * math.asin(rho) if correlation == "kendall" else rho
    for _ in range(600):
        x, noise = rng.normal(size=(2, n))
        y = rho * x + math.sqrt(1 - rho**2) * noise
        value = stats.kendalltau(x, y).statistic if correlation == "kendall" else stats.pearsonr(x, y).statistic
        low, high = score_interval(float(value), n, correlation)
        hits += low <= true <= high
    assert hits >= 0.93 * 600


@pytest.mark.parametrize("n", [7, 25])
def test_intervals_cover_the_true_tau(n):
    rng = np.random.default_rng(2)
    rho, hits = 0.7, 0
    for k in range(150):
        x, noise = rng.normal(size=(2, n))
        a = agree(x, rho * x + math.sqrt(1 - rho**2) * noise, draws=200, seed=k)
        hits += a.low <= 2 / math.pi * math.asin(rho) <= a.high
    assert hits >= 0.93 * 150


def test_random_subsets_have_the_whole_as_their_mean():
    # tau without ties is an average over pairs, so that random subsets estimate it without bias
    x, y = np.random.default_rng(3).random((2, 30))
    whole = agree(x, y, draws=0).value
    part = agree(x, y, n=8, repeats=3000, draws=0)
    assert part.value == pytest.approx(whole, abs=4 * part.sd / math.sqrt(3000))
    assert agree(x, y, n=20, repeats=500, draws=0).sd < part.sd


def board(scores, sources=None, reference=()):
    scores = np.array(scores, float)
    names = [f"b{j}" for j in range(scores.shape[1])]
    return Board([f"m{i}" for i in range(len(scores))], names, sources or names, scores,
                 np.zeros(len(names), bool), list(reference), [])  # fmt: skip


def test_leave_one_out_leaves_the_source_out():
    b = board([[1, 1, 9], [2, 2, 8], [3, 3, 7]], ["s", "s", "t"], ["b0", "b1", "b2", "b9"])
    assert b.resolved == ["b0", "b1", "b2"]
    # least is 4 // 3 = 1 name; with all three the win rates cancel to 1/3, 1/2, 2/3
    assert reference_scores(b, "half").tolist() == pytest.approx([1 / 3, 1 / 2, 2 / 3])
    assert reference_scores(b, "half", "b0").tolist() == pytest.approx([1, 0.5, 0])
    assert references(b, "b0", 3) == ["b2"]
    with pytest.raises(InputError, match="no reference name resolves"):
        reference_scores(board([[1], [2]], reference=["other"]), "half")


def test_equal_references_have_no_range_beyond_sampling():
    rng = np.random.default_rng(4)
    truth = rng.normal(size=40)
    noisy = board(np.column_stack([truth, *(truth + rng.normal(size=40) for _ in range(6))]))
    apart = board(np.column_stack([truth, *(truth + s * rng.normal(size=40) for s in (0.1, 0.1, 5, 5))]))
    assert abs(range_excess(noisy, "b0", noisy.scenarios[1:], 300, 0)) < 0.15
    assert range_excess(apart, "b0", apart.scenarios[1:], 300, 0) > 0.4
