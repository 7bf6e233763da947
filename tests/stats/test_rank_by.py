"""Ranking by any method: intervals against the classical ones, islands, oddities."""

import math

import numpy as np
import pytest
from scipy import stats

from steelyard.stats.aggregate import METHODS, matrix
from steelyard.stats.oddity import oddities
from steelyard.stats.rank import pairwise_p
from steelyard.stats.rank_by import rank_by


def test_intervals_of_means_are_the_classical_ones():
    rng = np.random.default_rng(0)
    x = np.array([1.0, 0.0])[:, None] + rng.normal(size=(2, 400))
    members = rank_by(METHODS["mean"], matrix(x), ["a", "b"], draws=800).components[0].members
    for m, row in zip(members, x, strict=True):
        half = stats.norm.ppf(0.975) * row.std(ddof=1) / math.sqrt(400)
        assert m.strength == pytest.approx(row.mean())
        assert (m.low, m.high) == pytest.approx((row.mean() - half, row.mean() + half), abs=0.15 * half)
    assert [m.tier for m in members] == [1, 2]
    assert (members[0].rank_text, members[1].rank_text) == ("1", "2")


def test_groups_widen_intervals():
    rng = np.random.default_rng(1)
    x = np.repeat(rng.normal(size=(2, 50)), 8, axis=1)
    alone, grouped = (
        rank_by(METHODS["mean"], matrix(x), ["a", "b"], groups, draws=300).components[0].members[0]
        for groups in (None, [f"g{i // 8}" for i in range(400)])
    )
    # eight copies of a case: the standard error is larger by the root of 8
    assert (grouped.high - grouped.low) / (alone.high - alone.low) == pytest.approx(math.sqrt(8), rel=0.25)


def test_islands_are_ranked_apart_and_the_unmeasured_are_named():
    x = np.full((5, 20), math.nan)
    x[:2, :10] = np.random.default_rng(2).normal(size=(2, 10))
    x[2:4, 10:] = np.random.default_rng(3).normal(size=(2, 10))
    result = rank_by(METHODS["mean"], matrix(x), list("abcde"), draws=50)
    assert [sorted(m.name for m in c.members) for c in result.components] == [["a", "b"], ["c", "d"]]
    assert result.unmeasured == ["e"]
    assert "2 components" in result.notes[0]


def test_a_method_without_a_value_says_so():
    x = np.array([[1.0] * 12, [0.0] * 12])
    result = rank_by(METHODS["plackett-luce-orders"], matrix(x), ["a", "b"], draws=10)
    assert result.components == []
    assert result.unmeasured == ["a", "b"]
    assert "do not connect" in result.notes[0]


def test_infinite_degrees_of_freedom_are_normal():
    p = pairwise_p(np.array([1.0, 0.0]), np.full((2, 2), 0.5), math.inf)
    assert p[0, 1] == pytest.approx(2 * stats.norm.sf(2))


def test_oddities():
    rng = np.random.default_rng(4)
    hardness = rng.normal(size=100)
    x = -hardness + rng.normal(0, 1, (15, 100))
    x[3] = 0.5
    x[7] = rng.normal(3, 1, 100)  # the best of all, whatever is asked
    odd = oddities(x, np.zeros(100, int))
    assert sorted(odd) == [3, 7]
    assert "the same score, 0.5, on all 100 cases" in odd[3]
    assert "hardly follow" in odd[7]
    # everybody right everywhere is no oddity
    assert oddities(np.ones((12, 30)), np.zeros(30, int)) == {}
