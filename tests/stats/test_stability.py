"""Sparsity, top-k and separability: hand values, and data without noise on which nothing may be lost."""

import math

import numpy as np
import pytest
from scipy import stats

from steelyard.core.errors import InputError
from steelyard.stats.aggregate import METHODS, matrix, mean_score
from steelyard.stats.stability import blank, cost_reduction, separability, sparsity, tau_b, top_k

CLEAR = np.linspace(1, 0, 12)[:, None] + np.linspace(0, 0.5, 200)[None, :]  # the same order on every case


def test_blank_takes_as_many_from_each_and_not_the_same():
    m = blank(matrix(np.ones((4, 805))), 0.9, seed=1)
    gone = np.isnan(m.scores)
    assert gone.sum(axis=1).tolist() == [725] * 4  # ceil(0.9 * 805)
    assert not (gone == gone[0]).all()
    assert not np.isnan(blank(matrix(np.ones((2, 9))), 0.0, seed=1).scores).any()
    with pytest.raises(InputError, match="not possible"):
        blank(matrix(np.ones((2, 9))), 1.0, seed=1)


def test_tau_b_is_scipys_over_those_present():
    a, b = np.array([1.0, 2, 2, math.nan, 5]), np.array([3.0, 1, 4, 7, 9])
    assert tau_b(a, b) == stats.kendalltau([1, 2, 2, 5], [3, 1, 4, 9]).statistic
    assert math.isnan(tau_b(np.array([1.0]), np.array([1.0])))


def test_without_noise_orders_survive_and_means_do_not():
    m = matrix(CLEAR)
    methods = {name: METHODS[name] for name in ("additive", "mean")}
    found = {(p.method, p.missing): p for p in sparsity(m, methods, mean_score(m), (0.0, 0.9), repetitions=5)}
    assert found["mean", 0.0].mean == pytest.approx(1)
    assert found["additive", 0.9].mean > found["mean", 0.9].mean
    assert found["mean", 0.0].low == found["mean", 0.0].high == pytest.approx(1)


def test_what_has_no_ranking_is_counted_as_failed():
    m = matrix(np.random.default_rng(0).normal(size=(10, 100)))
    p = next(sparsity(m, {"plackett-luce": METHODS["plackett-luce"]}, mean_score(m), (0.99,), repetitions=4))
    assert (p.failed, p.repetitions) == (4, 4)
    assert math.isnan(p.mean)


def test_without_noise_top_k_and_separability_are_one():
    m = matrix(CLEAR)
    for p in top_k(m, {"mean": METHODS["mean"]}, 3, (0.0, 0.5), repetitions=2):
        assert p.mean == 1
    assert next(separability(m, {"mean": METHODS["mean"]})).mean == 1
    with pytest.raises(InputError, match="12 best of 12"):
        next(top_k(m, {"mean": METHODS["mean"]}, 12))


def test_separability_is_zero_where_halves_agree_on_nothing():
    # each half holds one case, and they order the two contenders against each other
    m = matrix(np.array([[1.0, 0.0], [0.0, 1.0]]))
    assert next(separability(m, {"mean": METHODS["mean"]})).mean == 0


def test_cost_reduction_by_hand():
    fractions = (0.0, 0.5, 0.9, 0.95)
    assert cost_reduction(fractions, np.array([0.9, 0.88, 0.86, 0.84])) == pytest.approx(10)  # 0.84 < 0.9 - 0.05
    assert cost_reduction(fractions, np.array([0.9, 0.8, 0.9, 0.9])) == 1  # it does not stay
    assert cost_reduction(fractions, np.array([0.9, 0.9, math.nan, 0.9])) == pytest.approx(2)
    assert cost_reduction(fractions, np.array([0.9, 0.95, 0.92, 0.9])) == pytest.approx(20)
