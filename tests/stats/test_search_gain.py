"""Searched against random runs: hand values, SciPy, the jackknife's identities, analysis of variance."""

import math

import numpy as np
import pytest
from scipy import stats

from steelyard.core.errors import InputError
from steelyard.stats.search_gain import check_units, gain, pseudo_values, smooth, variance_shares


def test_improvement_by_hand_and_tests_by_scipy():
    random, searched = [90.0, 92, 94, 92], [93.0, 95, 94, 98]
    g = gain(searched, random)
    # (95 - 92) / 92
    assert g.improvement == pytest.approx(100 * 3 / 92)
    assert g.low < g.improvement < g.high
    assert g.welch_p == pytest.approx(stats.ttest_ind(searched, random, equal_var=False).pvalue)
    assert g.mann_whitney_p == pytest.approx(stats.mannwhitneyu(searched, random).pvalue)
    assert (g.sd, g.lowest, g.highest) == pytest.approx((math.sqrt(3.5), 93, 98))  # ddof 0, as published
    assert gain(searched, random).low == g.low  # the same seed gives the same digits


def test_the_interval_covers():
    rng = np.random.default_rng(0)
    hits = 0
    for k in range(200):
        g = gain(rng.normal(51, 2, 8), rng.normal(50, 1, 8), draws=500, seed=k)
        hits += g.low <= 2.0 <= g.high
    assert hits >= 0.92 * 200


def test_few_runs_have_no_interval_and_no_test():
    g = gain([2.0, 3], [1.0, 2])
    assert g.improvement == pytest.approx(100 * 2 / 3)
    assert all(map(math.isnan, (g.low, g.high, g.welch_p, g.mann_whitney_p)))
    assert "fewer than 3 runs" in g.notes[0]


def test_bad_sides_are_refused():
    with pytest.raises(InputError, match="0 searched"):
        gain([math.nan], [1.0])
    with pytest.raises(InputError, match="fractions among percents"):
        gain([0.97, 0.98, 0.96], [96.0, 97, 95])
    with pytest.raises(InputError, match="0 or less"):
        gain([4.0, 2, 3], [-5.0, 0, 3])
    check_units({"a": np.array([0.2, 0.9]), "b": np.array([0.1])})


def test_pseudo_values_of_a_mean_are_the_values_themselves():
    x = np.array([3.0, 1, 4, 1, 5])
    assert pseudo_values(lambda v: v.mean(), [x], 5) == pytest.approx(x)


def test_pseudo_values_carry_the_error_of_tau():
    # the jackknife's standard error of tau against its spread over repeated samples
    rng = np.random.default_rng(1)
    made, errors = [], []
    for _ in range(200):
        x = rng.normal(size=30)
        pairs = np.column_stack([x, x + rng.normal(size=30)])
        v = pseudo_values(lambda p: stats.kendalltau(p[:, 0], p[:, 1]).statistic, [pairs], 30)
        made.append(v.mean())
        errors.append(v.std(ddof=1) / math.sqrt(30))
        assert v.mean() == pytest.approx(stats.kendalltau(*pairs.T).statistic)
    assert np.mean(errors) == pytest.approx(np.std(made), rel=0.12)


def test_folds_may_be_more_than_the_runs_of_a_side():
    a, b = np.random.default_rng(2).normal(size=(2, 16))
    v = pseudo_values(lambda p, q: p.mean() - q.mean(), [a, b], 24)
    assert v.mean() == pytest.approx(a.mean() - b.mean())
    error = math.sqrt(a.var(ddof=1) / 16 + b.var(ddof=1) / 16)
    together = (a - b).std(ddof=1) / 4  # rows of one fold are left out together
    assert v.std(ddof=1) / math.sqrt(24) == pytest.approx(together, rel=0.15)
    assert together == pytest.approx(error, rel=0.5)


def test_smoothing_keeps_whole_windows_only():
    assert smooth(np.arange(5.0), 2).tolist() == pytest.approx([0.5, 1.5, 2.5, 3.5])
    assert smooth(np.ones((3, 600)), 20).shape == (3, 581)


def test_variance_components_are_found_again():
    rng = np.random.default_rng(3)
    found = [
        variance_shares(
            80 + rng.normal(0, 3, (20, 1, 1)) + rng.normal(0, 1, (1, 15, 1)) + rng.normal(0, 0.5, (20, 15, 2))
        )
        for _ in range(60)
    ]
    architecture, recipe = np.mean(found, axis=0)
    assert architecture == pytest.approx(9, rel=0.2)
    assert recipe == pytest.approx(1, rel=0.2)
