"""Aggregation methods against choix, least squares, sufficiency identities and hand values."""

import math

import choix
import numpy as np
import pytest

from steelyard.core.errors import InputError
from steelyard.stats import aggregate
from steelyard.stats.aggregate import matrix, order_strengths, pair_strengths
from steelyard.stats.bradley_terry import fit_pairs, ilsr_pairs, mm_pairs
from steelyard.stats.elo import elo
from steelyard.stats.irt import fit_2pl
from steelyard.stats.pair_errors import _series_variance, pair_errors

NAN = math.nan


def ring(m, seed):
    wins = np.random.default_rng(seed).integers(0, 5, (m, m)).astype(float)
    np.fill_diagonal(wins, 0)
    wins[np.arange(m), (np.arange(m) + 1) % m] += 1
    return wins


@pytest.mark.parametrize("seed", range(4))
def test_all_solvers_find_the_maximum_that_choix_finds(seed):
    wins = ring(9, seed)
    pairs = [(i, j) for i in range(9) for j in range(9) for _ in range(int(wins[i, j]))]
    expected = choix.ilsr_pairwise(9, pairs, tol=1e-12, max_iter=10_000)
    for solve in (fit_pairs, ilsr_pairs, mm_pairs):
        assert solve(wins) == pytest.approx(expected, abs=1e-6)


def test_regularised_ilsr_equals_choix_where_no_maximum_exists():
    wins = np.array([[0.0, 4, 2], [0, 0, 3], [0, 1, 0]])  # the first never lost
    pairs = [(i, j) for i in range(3) for j in range(3) for _ in range(int(wins[i, j]))]
    assert ilsr_pairs(wins, alpha=0.1) == pytest.approx(
        choix.ilsr_pairwise(3, pairs, alpha=0.1, tol=1e-10, max_iter=1000), abs=1e-6
    )
    with pytest.raises(InputError, match="strongly connected"):
        ilsr_pairs(wins)


def test_a_thin_graph_is_solved_too():
    # a path 0-1-2-...-199 with 3 wins against 1 on every edge: neighbours differ by ln 3
    m = 200
    wins = np.zeros((m, m))
    wins[np.arange(m - 1), np.arange(1, m)] = 3
    wins[np.arange(1, m), np.arange(m - 1)] = 1
    assert np.diff(fit_pairs(wins)) == pytest.approx(np.full(m - 1, -math.log(3)), abs=1e-8)


def test_errors_of_two_contenders_by_hand():
    # theta_1 = log(3)/2 from 30 wins and 10 losses: the log odds have variance 1/30 + 1/10, each strength half of them
    wins = np.array([[0.0, 30], [10, 0]])
    errors = pair_errors(wins, fit_pairs(wins))
    assert errors == pytest.approx(np.full(2, math.sqrt(1 / 30 + 1 / 10) / 2), rel=1e-9)


def test_whole_orders_equal_choix_rankings():
    rng = np.random.default_rng(3)
    x = rng.gumbel(size=(6, 40)) + np.arange(6)[:, None] * 0.4
    x[rng.random(x.shape) < 0.3] = NAN
    orders = [
        [int(i) for i in np.argsort(-np.nan_to_num(c, nan=-99)) if not math.isnan(c[i])] for c in x.T
    ]  # fmt: skip
    expected = choix.ilsr_rankings(6, [o for o in orders if len(o) > 1], tol=1e-12, max_iter=10_000)
    assert order_strengths(matrix(x)) == pytest.approx(expected, abs=1e-6)


def test_whole_orders_of_binary_cases_are_choices_among_the_failures():
    rng = np.random.default_rng(4)
    x = (rng.random((5, 60)) < np.linspace(0.3, 0.7, 5)[:, None]).astype(float)
    choices = [(i, np.flatnonzero(c == 0).tolist()) for c in x.T for i in np.flatnonzero(c == 1) if (c == 0).any()]
    expected = choix.ilsr_top1(5, [(int(i), losers) for i, losers in choices], tol=1e-12, max_iter=10_000)
    assert order_strengths(matrix(x)) == pytest.approx(expected, abs=1e-6)


def test_a_tie_is_a_win_each_or_half_a_win_each():
    # A beats B once, they tie twice, B wins once: both rules say "even"; against two wins of A the pull to even differs
    x = np.array([[1.0, 1, 2, 2], [0.0, 0, 2, 2]])
    half = pair_strengths(matrix(x), "half")
    each = pair_strengths(matrix(x), "each")
    assert half[0] - half[1] == pytest.approx(math.log(3 / 1))
    assert each[0] - each[1] == pytest.approx(math.log(4 / 2))


def test_unmeasured_contenders_have_no_score_under_any_method():
    rng = np.random.default_rng(5)
    x = rng.random((4, 50))
    x[2] = NAN
    for name, method in aggregate.METHODS.items():
        scores = method(matrix(x, ["a"] * 25 + ["b"] * 25))
        assert np.isnan(scores).tolist() == [False, False, True, False], name


def test_every_method_sees_a_clear_order():
    rng = np.random.default_rng(6)
    x = np.clip(np.linspace(0.8, 0.2, 5)[:, None] + rng.normal(0, 0.1, (5, 300)), 0, 1)
    for name, method in aggregate.METHODS.items():
        assert np.argsort(-method(matrix(x))).tolist() == [0, 1, 2, 3, 4], name


def test_elo_by_hand():
    # one case, three contenders, pairs (0,1), (0,2), (1,2) in this order, K = 4
    x = np.array([[3.0], [2.0], [2.0]])
    r0, r1, r2 = 1000 + 2.0, 1000 - 2.0, 1000.0
    gained = 4 * (1 - 1 / (1 + 10 ** ((r2 - r0) / 400)))
    r0, r2 = r0 + gained, r2 - gained
    moved = 4 * (0.5 - 1 / (1 + 10 ** ((r2 - r1) / 400)))
    assert elo(x) == pytest.approx([r0, r1 + moved, r2 - moved])


def test_elo_depends_on_the_order_alone_and_keeps_the_sum():
    x = np.random.default_rng(7).integers(0, 3, (4, 30)).astype(float)
    assert elo(x, seed=1).sum() == pytest.approx(4000)
    assert elo(x, seed=1).tolist() == elo(x, seed=1).tolist()
    assert elo(x, seed=1).tolist() != elo(x, seed=2).tolist()


def test_two_way_equals_ridge_least_squares():
    rng = np.random.default_rng(8)
    x = rng.normal(size=(5, 30)) + np.arange(5)[:, None]
    x[rng.random(x.shape) < 0.4] = NAN
    seen = np.argwhere(~np.isnan(x))
    y = x[~np.isnan(x)]
    y = (y - y.mean()) / y.std()
    design = np.zeros((len(seen), 35))
    design[np.arange(len(seen)), seen[:, 0]] = 1
    design[np.arange(len(seen)), 5 + seen[:, 1]] = 1
    augmented = np.vstack([design, math.sqrt(0.7) * np.eye(35)])
    expected = np.linalg.lstsq(augmented, np.append(y, np.zeros(35)), rcond=None)[0][:5]
    assert aggregate.two_way(matrix(x), ridge=0.7) == pytest.approx(expected, abs=1e-9)


def test_means_over_data_sets_by_hand():
    x = np.array([[1.0, 1, 10, NAN], [0.0, 1, 30, 30], [0.0, 0, 20, 20]])
    sets = ["a", "a", "b", "b"]
    # a: 1, .5, 0 -> 1, .5, 0; b: 10, 30, 20 -> 0, 1, .5
    assert aggregate.normalised_mean(matrix(x, sets)) == pytest.approx([0.5, 0.75, 0.25])
    assert aggregate.mean_win_rate(matrix(x, sets)) == pytest.approx([0.5, 0.75, 0.25])
    # a set on which all are equal divides by nothing and says nothing
    flat = np.array([[1.0, 5], [0.0, 5]])
    assert aggregate.normalised_mean(matrix(flat, ["a", "b"])) == pytest.approx([1, 0])


def test_borda_and_dowdall_by_hand():
    x = np.array([[3.0, 1], [2.0, 1], [1.0, NAN]])
    assert aggregate.borda(matrix(x)) == pytest.approx([(1 + 0.5) / 2, (0.5 + 0.5) / 2, 0])
    assert aggregate.dowdall(matrix(x)) == pytest.approx([(1 + 1 / 1.5) / 2, (1 / 2 + 1 / 1.5) / 2, 1 / 3])


def test_with_equal_discrimination_the_count_of_passes_says_all():
    # Rasch: the raw score is sufficient for the ability, so equal counts have equal abilities, whatever was passed
    rng = np.random.default_rng(9)
    x = (rng.random((12, 80)) < rng.uniform(0.2, 0.8, (12, 1))).astype(float)
    x[1] = np.roll(x[0], 7)
    fit = fit_2pl(x, spread=1e-4, tolerance=1e-9)
    assert fit.ability[0] == pytest.approx(fit.ability[1], abs=1e-3)
    assert np.argsort(fit.ability, kind="stable").tolist() != list(range(12))
    counts = x.sum(axis=1)
    for i in range(12):
        for j in range(12):
            if counts[i] > counts[j]:
                assert fit.ability[i] > fit.ability[j]


def test_2pl_finds_what_made_the_data():
    rng = np.random.default_rng(10)
    ability, difficulty = rng.normal(size=40), rng.normal(size=400)
    discrimination = rng.lognormal(0, 0.4, 400)
    chance = 1 / (1 + np.exp(-discrimination * (ability[:, None] - difficulty)))
    fit = fit_2pl((rng.random((40, 400)) < chance).astype(float))
    assert np.corrcoef(fit.ability, ability)[0, 1] > 0.97
    assert np.corrcoef(fit.difficulty, difficulty)[0, 1] > 0.9
    assert np.corrcoef(np.log(fit.discrimination), np.log(discrimination))[0, 1] > 0.5


def test_bad_input():
    with pytest.raises(InputError, match="0 to 1"):
        fit_2pl(np.array([[2.0, 3.0]]))
    with pytest.raises(InputError, match="alpha"):
        pair_strengths(matrix(np.ones((2, 2))), alpha=0.1)
    with pytest.raises(InputError, match="strongly connected"):
        order_strengths(matrix(np.array([[1.0], [0.0]])))


def test_a_thousand_to_one_along_a_chain():
    m = 30
    wins = np.zeros((m, m))
    wins[np.arange(m - 1), np.arange(1, m)] = 1000
    wins[np.arange(1, m), np.arange(m - 1)] = 1
    assert np.diff(fit_pairs(wins)) == pytest.approx(np.full(m - 1, -math.log(1000)), abs=1e-6)


@pytest.mark.parametrize(
    ("contenders", "comparisons", "spread"), [(400, 200_000, 1.0), (400, 60_000, 0.3), (600, 900_000, 1.2)]
)
def test_errors_by_series_are_those_of_the_pseudo_inverse(contenders, comparisons, spread):
    rng = np.random.default_rng(5)
    strength = rng.normal(scale=spread, size=contenders)
    first = rng.integers(0, contenders, comparisons)
    second = (first + rng.integers(1, contenders, comparisons)) % contenders
    won = rng.random(comparisons) < 1 / (1 + np.exp(strength[second] - strength[first]))
    winner, loser = np.where(won, first, second), np.where(won, second, first)
    wins = np.bincount(winner * contenders + loser, minlength=contenders**2).reshape(contenders, -1).astype(float)
    theta = fit_pairs(wins)
    p = 1 / (1 + np.exp(theta[None, :] - theta[:, None]))
    curvature, squares = (wins + wins.T) * p * p.T, wins * p.T**2 + (wins * p.T**2).T
    hessian, meat = (np.diag(x.sum(axis=1)) - x for x in (curvature, squares))
    bread = np.linalg.pinv(hessian)
    exact = np.sqrt(np.diag(bread @ meat @ bread))
    assert _series_variance(curvature, squares) is not None
    assert pair_errors(wins, theta) == pytest.approx(exact, rel=1e-3)


def test_errors_in_a_thin_graph_take_the_exact_way():
    ring = np.zeros((400, 400))
    for step in (1, 2, 3):
        ring += np.roll(np.eye(400), step, axis=1) * 4 + np.roll(np.eye(400), -step, axis=1) * 3
    assert _series_variance(ring + ring.T, ring + ring.T) is None
    assert np.isfinite(pair_errors(ring, fit_pairs(ring))).all()
