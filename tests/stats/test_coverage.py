"""By simulation: intervals cover what they promise, and A/A comparisons reject as often as they should.

The quick tests use a few hundred repetitions and the Monte Carlo error that goes with them; `slow` ones use thousands.
"""

import math
from dataclasses import dataclass

import numpy as np
import pytest

from steelyard.core.words import Direction, Kind
from steelyard.stats.claims import Samples, Table, judge
from steelyard.stats.compare import compare, compare_times
from steelyard.stats.estimates import estimate, mean
from steelyard.stats.rank import rank


@dataclass(frozen=True)
class Said:
    expect: str
    over: str = "mean"
    statistic: str = "difference"
    contender: str = "a"
    baseline: str = "b"
    margin: float | None = None


def judged(expect, table, over="mean"):
    j = judge(Said(expect, over, baseline="b" if table.baseline else ""), Samples({"": table}, draws=1000))
    return j.low, j.high


def coin_pairs(rng, n):
    """Two equally good contenders that share the difficulty of the items."""
    item = rng.normal(size=n)
    return [(item + 0.7 * rng.normal(size=n) > 0).astype(float) for _ in range(2)]


def binary(rng):
    c = compare(*coin_pairs(rng, 100), Kind.BINARY)
    return c.low, c.high, 0.0, c.p


def binary_groups(rng):
    group = np.repeat(np.arange(40), 5)
    item = rng.normal(size=40)[group]
    a, b = ((item + 0.7 * rng.normal(size=200) > 0).astype(float) for _ in range(2))
    c = compare(a, b, Kind.BINARY, groups=group.tolist(), draws=1000)
    return c.low, c.high, 0.0, c.p


def real_groups(rng):
    group = np.repeat(np.arange(30), 4)
    d = rng.normal(size=30)[group] + rng.normal(size=120)
    c = compare(d, np.zeros(120), Kind.REAL, groups=group.tolist(), draws=1000)
    return c.low, c.high, 0.0, c.p


def times(rng):
    a, b = rng.lognormal(0, 0.1, (2, 4, 20))
    c = compare_times(a, b, draws=1000)
    return c.low, c.high, 1.0, c.p


def one_time(rng):
    c = compare_times(*rng.lognormal(0, 0.1, (2, 1, 12)), draws=1000)
    return c.low, c.high, 1.0, c.p


def five_rounds(rng):
    c = compare_times(*rng.lognormal(0, 0.1, (2, 1, 5)), draws=1000)
    return c.low, c.high, 1.0, c.p


def proportion(rng):
    e = estimate((rng.random(60) < 0.85).astype(float), Kind.BINARY)
    return e.low, e.high, 0.85, math.nan


def grouped_mean(rng):
    group = np.repeat(np.arange(25), 4)
    e = mean(rng.normal(size=25)[group] + rng.normal(size=100), group.tolist())
    return e.low, e.high, 0.0, math.nan


def median_time(rng):
    e = estimate(rng.lognormal(0, 0.3, 25), Kind.DURATION)
    return e.low, e.high, 1.0, math.nan


def judge_binary(rng):
    a, b = coin_pairs(rng, 100)
    return *judged("contender - baseline > 0", Table({"a": a}, {"b": b}, Kind.BINARY)), 0.0, math.nan


def judge_share(rng):
    table = Table({"a": (rng.random(60) < 0.85).astype(float)}, kind=Kind.BINARY)
    return *judged("value > 0.85", table), 0.85, math.nan


def judge_ratio(rng):
    a, b = rng.exponential(size=(2, 60))
    return *judged("contender / baseline > 1", Table({"a": a}, {"b": b})), 1.0, math.nan


def judge_few(rng):
    a, b = rng.normal(size=(2, 6))
    return *judged("contender - baseline > 0", Table({"a": a}, {"b": b})), 0.0, math.nan


def judge_seeds(rng):
    a, b = rng.normal(size=(2, 3, 4))
    return *judged("contender - baseline > 0", Table({"a": a}, {"b": b}, unit="trials")), 0.0, math.nan


def judge_median(rng):
    a, b = rng.normal(size=(2, 61))
    return *judged("contender - baseline > 0", Table({"a": a}, {"b": b}), "median"), 0.0, math.nan


def strengths(rng):
    location = np.array([0.6, 0.2, 0.0, 0.0, -0.3, -0.5])
    x = location[:, None] + rng.gumbel(size=(6, 80))
    x[rng.random(x.shape) < 0.4] = math.nan
    members = {m.name: m for m in rank(x, list("abcdef"), draws=10).components[0].members}
    return members["b"].low, members["b"].high, 0.2 - location.mean(), math.nan


NOMINAL = [
    binary, binary_groups, real_groups, one_time, proportion, grouped_mean, judge_binary, judge_share, judge_ratio,
    judge_few, judge_median, strengths,
]  # fmt: skip
# above 95%: order statistics jump in steps, seeds shared by all cases are few, and the bootstrap overstates the
# variance of a median over few rounds, which shows when several cases are averaged (measured: 97.2% with 20 rounds)
ABOVE = [median_time, judge_seeds, times, five_rounds]


def shares(scenario, repetitions, seed):
    rng = np.random.default_rng(seed)
    rows = np.array([scenario(rng) for _ in range(repetitions)])
    covered = (rows[:, 0] <= rows[:, 2] + 1e-12) & (rows[:, 2] <= rows[:, 1] + 1e-12)
    p = rows[:, 3]
    return covered.mean(), float((p <= 0.05).mean()) if not np.isnan(p).any() else None


@pytest.mark.parametrize("scenario", [*NOMINAL, *ABOVE], ids=lambda s: s.__name__)
def test_intervals_cover(scenario):
    covered, rejected = shares(scenario, 300, 11)
    noise = 3 * math.sqrt(0.95 * 0.05 / 300)
    assert 0.95 - noise <= covered
    if rejected is not None:
        assert rejected <= 0.05 + noise


@pytest.mark.slow
@pytest.mark.parametrize("scenario", NOMINAL, ids=lambda s: s.__name__)
def test_intervals_cover_95_percent(scenario):
    covered, rejected = shares(scenario, 4000, 12)
    assert 0.93 <= covered <= 0.97
    if rejected is not None and scenario not in (binary, binary_groups):
        assert 0.035 <= rejected <= 0.065
    elif rejected is not None:
        assert rejected <= 0.065  # discrete p-values stay below


@pytest.mark.slow
def test_ratios_over_several_cases_cover_a_little_more_than_promised():
    covered, rejected = shares(times, 4000, 12)
    assert 0.95 <= covered <= 0.98
    assert rejected is not None
    assert 0.035 <= rejected <= 0.065


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.0, 0.05, 0.5])
def test_the_best_case_is_covered_whether_cases_are_alike_or_not(spread):
    true = np.exp(np.linspace(0, spread, 8))
    rng = np.random.default_rng(13)
    inside, above = 0, 0
    for _ in range(800):
        a, b = rng.lognormal(0, 0.1, (2, 8, 20))
        table = Table({"a": a}, {"b": b * true[:, None]}, Kind.DURATION, Direction.LOWER, "trials")
        low, high = judged("baseline / contender > 1", table, "max")
        inside += low <= true.max() <= high
        above += low > true.max()  # an "up to" that would be granted wrongly
    assert inside / 800 >= 0.93
    assert above / 800 <= 0.035
