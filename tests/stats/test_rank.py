"""Rankings against choix, statsmodels and hand values."""

import math

import choix
import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from steelyard.core.errors import InputError
from steelyard.stats.bradley_terry import elo_scale, fit_orders, fit_pairs, strong_components
from steelyard.stats.rank import mean_ranks, pairwise_wins, rank, sandwich


def pairs_of(wins):
    return [(i, j) for i, row in enumerate(wins) for j, n in enumerate(row) for _ in range(int(n))]


def test_two_contenders_by_hand():
    # 3 wins against 1: theta_1 - theta_2 = ln 3
    theta = fit_pairs(np.array([[0.0, 3], [1, 0]]))
    assert theta[0] - theta[1] == pytest.approx(math.log(3))
    assert elo_scale(theta)[0] - elo_scale(theta)[1] == pytest.approx(400 * math.log10(3))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 12))
def test_bradley_terry_equals_choix(seed, m):
    rng = np.random.default_rng(seed)
    wins = rng.integers(0, 6, (m, m)).astype(float)
    np.fill_diagonal(wins, 0)
    wins[np.arange(m), (np.arange(m) + 1) % m] += 1  # a ring makes the graph strongly connected
    expected = choix.ilsr_pairwise(m, pairs_of(wins), tol=1e-12, max_iter=10_000)
    assert fit_pairs(wins) == pytest.approx(expected, abs=1e-6)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_plackett_luce_equals_choix(seed):
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(7)[: rng.integers(2, 8)].tolist() for _ in range(60)]
    expected = choix.ilsr_rankings(7, orders, tol=1e-12, max_iter=10_000)
    assert fit_orders(orders, 7) == pytest.approx(expected, abs=1e-6)


def test_wins_and_ties():
    x = [[1.0, 2, 3, math.nan], [1.0, 1, math.nan, 5], [0.0, 2, 3, 5]]
    half, tied = pairwise_wins(x, "half")
    each, _ = pairwise_wins(x, "each")
    # A-B: a tie and a win; A-C: a win and two ties; B-C: a win, a loss, a tie
    assert half.tolist() == [[0, 1.5, 2], [0.5, 0, 1.5], [1, 1.5, 0]]
    assert each.tolist() == [[0, 2, 3], [1, 0, 2], [2, 2, 0]]
    assert tied[0, 1] == 1


def test_islands_are_ranked_apart():
    x = np.full((5, 40), math.nan)
    rng = np.random.default_rng(0)
    x[:3, :20] = rng.normal(size=(3, 20))
    x[3:, 20:] = rng.normal(size=(2, 20))
    result = rank(x, list("abcde"))
    assert [sorted(m.name for m in c.members) for c in result.components] == [["a", "b", "c"], ["d", "e"]]
    assert result.components[0].above == []
    assert any("2 components" in note for note in result.notes)


def test_one_who_always_wins_stands_above_not_at_infinity():
    x = np.vstack([np.full(20, 9.0), np.random.default_rng(0).normal(size=(3, 20))])
    result = rank(x, ["champion", "a", "b", "c"])
    champion = next(c for c in result.components if c.members[0].name == "champion")
    assert champion.members[0].strength == 0
    assert result.components[champion.above[0]].members[0].name in "abc"
    assert champion.members[0].constant


def test_strong_components_of_a_cycle():
    assert len(strong_components(np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]]))) == 1
    with pytest.raises(InputError, match="strongly connected"):
        fit_pairs(np.array([[0.0, 1], [0, 0]]))


def test_unmeasured_is_not_zero():
    x = np.array([[1.0, 2, 0], [0.0, 3, 1], [math.nan] * 3])
    result = rank(x, ["a", "b", "ghost"])
    assert result.unmeasured == ["ghost"]
    assert all(m.name != "ghost" for c in result.components for m in c.members)


def test_sandwich_equals_a_clustered_logistic_regression():
    rng = np.random.default_rng(1)
    x = np.array([0.8, 0.2, -0.3, -0.7])[:, None] + rng.gumbel(size=(4, 120))
    theta = fit_pairs(pairwise_wins(x)[0])
    covariance, groups = sandwich(x, theta, np.arange(120), "half")
    rows, won, case = [], [], []
    for n in range(120):
        for i in range(4):
            for j in range(i):
                row = np.zeros(4)
                row[i], row[j] = 1, -1
                rows.append(row[1:])  # the first is fixed at 0
                won.append(float(x[i, n] > x[j, n]))
                case.append(n)
    fit = sm.Logit(won, np.array(rows)).fit(
        disp=0, tol=1e-12, cov_type="cluster", cov_kwds={"groups": np.array(case), "use_correction": False}
    )
    contrast = np.hstack([-np.ones((3, 1)), np.eye(3)])
    assert contrast @ theta == pytest.approx(fit.params, abs=1e-6)
    assert contrast @ covariance @ contrast.T == pytest.approx(fit.cov_params() * 120 / 119, rel=1e-5)
    assert groups == 120


def test_tiers_and_rank_intervals_follow_what_data_can_tell():
    rng = np.random.default_rng(2)
    location = np.array([3.0, 3.0, 0.0, -3.0])
    x = location[:, None] + rng.normal(0, 1.5, (4, 150))
    members = {m.name: m for m in rank(x, list("abcd")).components[0].members}
    assert members["a"].tier == members["b"].tier == 1
    assert (members["c"].tier, members["d"].tier) == (2, 3)
    assert members["c"].rank_text == "3"
    assert {members["a"].rank_text, members["b"].rank_text} <= {"1-2", "1", "2"}
    assert (members["d"].rank_low, members["d"].rank_high) == (4, 4)


def test_only_the_order_within_a_case_counts():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(4, 60))
    flipped = np.where(np.arange(60) % 2 == 0, x, -1000 * np.exp(x))
    first = rank(x, list("abcd"), draws=500)
    second = rank(flipped, list("abcd"), lower_is_better=np.arange(60) % 2 == 1, draws=500)
    assert first.components[0].members == second.components[0].members


def test_same_seed_same_digits():
    x = np.random.default_rng(4).normal(size=(5, 40))
    first, second = (rank(x, list("abcde"), seed=9) for _ in range(2))
    assert first.components[0].members == second.components[0].members


def test_bad_input():
    with pytest.raises(InputError, match="twice"):
        rank(np.ones((2, 3)), ["a", "a"])
    with pytest.raises(InputError, match="do not fit"):
        rank(np.ones((2, 3)), ["a"])


def test_mean_ranks_equal_hand_values():
    assert mean_ranks([[3.0, 1, 2], [2.0, 1, 5]]).tolist() == pytest.approx([(1 + 1.5 + 2) / 3, (2 + 1.5 + 1) / 3])
