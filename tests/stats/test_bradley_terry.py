"""Bradley-Terry on any graph of wins: expected wins that are the strengths' own, score equations, the pseudo-inverse."""

import warnings
from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components
from scipy.special import expit

from steelyard.core.errors import InputError
from steelyard.stats.bradley_terry import count_pairs, fit_pairs
from steelyard.stats.pair_errors import pair_errors


@st.composite
def wins_of_all_kinds(draw):
    """(M, M) half counts: few contenders or many, a thin ring or a crowd, even or lopsided; each beat the next once."""
    m = draw(st.integers(1, 9) | st.integers(299, 320))
    games = draw(st.sampled_from([1, 4, 1000])) * (1 + draw(st.booleans()))
    meet = draw(st.sampled_from([0.0, 2 / m, 0.3, 1.0]))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    strength = rng.normal(scale=draw(st.sampled_from([0.0, 1.0, 4.0])), size=m)
    wins = (rng.random((m, m)) < meet) * rng.binomial(games, expit(strength[:, None] - strength)) / 2
    wins[np.arange(m), (np.arange(m) + 1) % m] += 1
    np.fill_diagonal(wins, 0)
    return wins


def bends(wins, theta):
    """Minus the Hessian, and the gradient, of the log likelihood."""
    p = expit(theta[:, None] - theta)
    games = wins + wins.T
    curvature = games * p * p.T
    return np.diag(curvature.sum(axis=1)) - curvature, (wins - games * p).sum(axis=1)


@given(wins_of_all_kinds())
@settings(max_examples=40)
def test_strengths_solve_the_score_equations(wins):
    theta = fit_pairs(wins)
    hessian, gradient = bends(wins, theta)
    assert theta.mean() == pytest.approx(0, abs=1e-12)
    assert np.abs(gradient).max() <= 1e-9 * wins.sum(axis=1).max()
    if np.linalg.cond(hessian + 1 / len(wins)) < 1e7:  # else no double tells the strengths so well
        left = np.linalg.solve(hessian + 1 / len(wins), gradient - gradient.mean())
        assert np.abs(left).max() < 1e-8
        assert fit_pairs(wins.astype(np.float32)) == pytest.approx(theta, abs=1e-8)  # halves are exact in it


@given(wins_of_all_kinds().filter(lambda wins: len(wins) > 1))
@settings(max_examples=40)
def test_errors_are_those_of_the_sandwich(wins):
    theta = fit_pairs(wins)
    hessian, _ = bends(wins, theta)
    assume(np.linalg.cond(hessian + 1 / len(wins)) < 1e7)
    lost = wins * expit(theta - theta[:, None]) ** 2
    meat = np.diag((lost + lost.T).sum(axis=1)) - lost - lost.T
    bread = np.linalg.inv(hessian + 1 / len(wins))
    assert pair_errors(wins, theta) == pytest.approx(np.sqrt(np.diag(bread @ meat @ bread)), rel=1e-3)


@pytest.mark.parametrize("contenders", [8, 301, 450])
@pytest.mark.parametrize(("slope", "reach"), [(0.01, 500), (0.15, 15), (1.0, 2)])
def test_wins_as_expected_give_back_the_strengths_they_were_expected_from(contenders, slope, reach):
    # neighbours up to `reach` places apart meet ten times; odds from one end to the other up to e^449
    strength = slope * np.arange(contenders)
    apart = np.subtract.outer(np.arange(contenders), np.arange(contenders))
    wins = 10 * expit(slope * apart) * (np.abs(apart) <= reach) * (apart != 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fit_pairs(wins) == pytest.approx(strength - strength.mean(), abs=1e-8)


def test_strengths_beyond_double_precision_are_refused():
    chain = np.diag(np.full(649, 3.0), 1) + np.diag(np.ones(649), -1)  # ends 649 ln 3 apart
    with pytest.raises(InputError, match="further apart"):
        fit_pairs(chain)


@given(st.integers(1, 8), st.floats(0, 1), st.integers(0, 1000))
def test_no_common_scale_is_said_so(m, density, seed):
    wins = (np.random.default_rng(seed).random((m, m)) < density).astype(float)
    if connected_components(wins, connection="strong")[0] == 1:
        assert np.isfinite(fit_pairs(wins)).all()
    else:
        with pytest.raises(InputError, match="not strongly connected"):
            fit_pairs(wins)


def test_nobody_meets_himself():
    wins = np.array([[5.0, 3], [1, 0]])
    assert np.diff(fit_pairs(wins)) == pytest.approx(-np.log(3))


@pytest.mark.parametrize(("comparisons", "kind"), [(0, np.int64), (1, np.uint64), (200_000, np.int8)])
def test_pairs_are_counted(comparisons, kind):
    winner, loser = np.random.default_rng(1).integers(0, 7, (2, comparisons)).astype(kind)
    seen = Counter(zip(winner.tolist(), loser.tolist(), strict=True))
    assert count_pairs(winner, loser, 7).tolist() == [[seen[i, j] for j in range(7)] for i in range(7)]


@pytest.mark.parametrize(("winner", "loser"), [([0, 3], [1, 1]), ([0], [-1]), ([0, 1], [1])])
def test_numbers_that_are_no_contenders(winner, loser):
    with pytest.raises(InputError, match="Number the contenders"):
        count_pairs(np.array(winner), np.array(loser), 3)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_wins_that_are_no_counts_are_refused(bad):
    with pytest.raises(InputError, match="are counts"):
        fit_pairs(np.array([[0, bad, 1], [1, 0, 1], [1, 1, 0]]))
