"""One number with its interval, by the kind of metric (Miller, arXiv:2411.00640; Wilson 1927; Chen et al. 2021)."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from steelyard.core.errors import InputError
from steelyard.core.words import Kind

from .resample import DRAWS, LEVEL, Array, bootstrap_means, codes, percentile, quantile_t, quantile_z, widen


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval.

    value, low, high: in the metric's unit. n: values used. clusters: independent groups among them.
    method: how the interval was made. notes: what a reader should distrust, in words.
    """

    value: float
    low: float
    high: float
    n: int
    clusters: int
    method: str
    notes: list[str] = field(default_factory=list)


def present(values: ArrayLike, groups: Sequence[Hashable] | None) -> tuple[Array, Sequence[Hashable] | None, list[str]]:
    """Drop NaN values (with their groups) and say how many were dropped. Raises InputError on infinities."""
    x = np.asarray(values, float).ravel()
    if np.isinf(x).any():
        raise InputError("an infinite value cannot be averaged.", "Record it as a failure, or use a profile or a rank.")
    gone = np.isnan(x)
    notes = [f"{int(gone.sum())} of {x.size} values missing"] if gone.any() else []
    if groups is not None and len(groups) == x.size:
        groups = [g for g, out in zip(groups, gone, strict=True) if not out]
    return x[~gone], groups, notes


def size_notes(n: int, clusters: int) -> list[str]:
    """The standing warnings about few values and few groups."""
    notes = ["n < 30"] if n < 30 else []
    return notes + (["fewer than 10 clusters"] if clusters < 10 else [])


def clustered_error(x: Array, group: np.ndarray) -> float:
    """Standard error of the mean of (n,) values in groups: sqrt(sum_c (sum_i (x_i - mean))^2 C/(C-1)) / n.

    With singleton groups this is sd/sqrt(n) with ddof 1. NaN for one group.
    """
    sums = np.bincount(group, x - x.mean())
    count = sums.size
    return math.sqrt(float(sums @ sums) * count / (count - 1)) / x.size if count > 1 else math.nan


def wilson(successes: float, n: float, level: float = LEVEL, z: float | None = None) -> tuple[float, float]:
    """Wilson score interval of a proportion; n may be an effective number. (0, 1) for n = 0."""
    if n <= 0:
        return 0.0, 1.0
    z = quantile_z(level) if z is None else z
    if math.isinf(z):
        return 0.0, 1.0
    p = successes / n
    centre = p + z * z / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low = 0.0 if p == 0 else max(0.0, (centre - half) / (1 + z * z / n))  # exactly 0, which rounding would miss
    return low, 1.0 if p == 1 else min(1.0, (centre + half) / (1 + z * z / n))


def estimate(values: ArrayLike, kind: Kind, groups: Sequence[Hashable] | None = None, level: float = LEVEL) -> Estimate:
    """Estimate of the typical value: a proportion, a mean, or (durations, rates) a median, by `kind`.

    values: (n,) one number a case, NaN where missing. groups: (n,) labels of dependent cases. Raises InputError for
    infinite values and for binary values that are not 0 or 1.
    """
    if kind == Kind.BINARY:
        return proportion(values, groups, level)
    if kind in (Kind.DURATION, Kind.RATE):
        return median(values, level)
    return mean(values, groups, level, bounded=kind == Kind.FRACTION)


def proportion(values: ArrayLike, groups: Sequence[Hashable] | None = None, level: float = LEVEL) -> Estimate:
    """Share of ones with Wilson's interval; in groups, on the effective n that the clustered error implies.

    Effective n = p(1-p)/SE_c^2, at most n; where all scores are equal it is the number of groups. With groups the
    critical value is Student's with (groups - 1) degrees of freedom.
    """
    x, groups, notes = present(values, groups)
    if not np.isin(x, (0.0, 1.0)).all():
        raise InputError("a binary metric holds values other than 0 and 1.", "Declare the metric's kind as fraction.")
    group = codes(groups, x.size)
    clusters = int(group.max()) + 1 if x.size else 0
    notes += size_notes(x.size, clusters)
    if x.size == 0:
        return Estimate(math.nan, math.nan, math.nan, 0, 0, "Wilson", notes)
    p = float(x.mean())
    effective, z, method = float(x.size), quantile_z(level), "Wilson"
    if p in (0.0, 1.0):
        notes.append("all scores equal")
    if clusters < x.size:
        method = "Wilson on effective n (clustered)"
        z = quantile_t(clusters - 1, level)
        error = clustered_error(x, group)
        effective = float(clusters) if p in (0.0, 1.0) or clusters == 1 else min(x.size, p * (1 - p) / error**2)
    low, high = wilson(p * effective, effective, level, z)
    return Estimate(p, low, high, x.size, clusters, method, notes)


def mean(
    values: ArrayLike, groups: Sequence[Hashable] | None = None, level: float = LEVEL, bounded: bool = False
) -> Estimate:
    """Mean with the t interval of the (clustered) standard error, (groups - 1) degrees of freedom.

    bounded: clip the interval to [0, 1].
    """
    x, groups, notes = present(values, groups)
    group = codes(groups, x.size)
    clusters = int(group.max()) + 1 if x.size else 0
    notes += size_notes(x.size, clusters)
    method = "t, clustered error" if clusters < x.size else "t"
    if x.size == 0:
        return Estimate(math.nan, math.nan, math.nan, 0, 0, method, notes)
    value = float(x.mean())
    if np.ptp(x) == 0 and x.size > 1:
        notes.append("all scores equal")
    half = quantile_t(clusters - 1, level) * clustered_error(x, group) if clusters > 1 else math.inf
    low, high = value - half, value + half
    if bounded:
        low, high = max(0.0, low), min(1.0, high)
    return Estimate(value, low, high, x.size, clusters, method, notes)


def median(values: ArrayLike, level: float = LEVEL) -> Estimate:
    """Median with the exact interval between order statistics: no assumption but independent rounds.

    values: (n,) durations or rates in the order they were taken (the order is used to look for drift). Below six
    values no two order statistics reach 95%: the interval is the range, and a note says what it covers.
    """
    x, _, notes = present(values, None)
    n = x.size
    if n == 0:
        return Estimate(math.nan, math.nan, math.nan, 0, 0, "order statistics", notes)
    from scipy.stats import binom

    ordered = np.sort(x)
    # the largest k with P(Bin(n, 1/2) < k) <= alpha/2: the interval runs from the k-th smallest to the k-th largest
    k = int(binom.ppf((1 - level) / 2, n, 0.5))
    k += int(binom.cdf(k, n, 0.5) <= (1 - level) / 2)
    if k == 0:
        notes.append(f"n = {n}: the range covers the median with {1 - 2.0 ** (1 - n):.0%}")
    low, high = float(ordered[max(k - 1, 0)]), float(ordered[n - max(k, 1)])
    return Estimate(float(np.median(x)), low, high, n, n, "order statistics", notes + timing_notes(x))


def timing_notes(x: Array) -> list[str]:
    """Doubts about a series of rounds: spread (IQR over median above 10%), and drift from the first half to the second.

    Drift is told where the medians of the halves differ by more than 5% and Mann-Whitney's p is below 1%.
    """
    notes = []
    middle = float(np.median(x))
    quartiles = np.quantile(x, [0.25, 0.75])
    spread = float(quartiles[1] - quartiles[0]) / abs(middle) if middle else 0.0
    if spread > 0.10:
        notes.append(f"noisy: IQR/median {spread:.0%}")
    if x.size >= 10 and middle:
        from scipy.stats import mannwhitneyu

        first, second = x[: x.size // 2], x[x.size // 2 :]
        change = float(np.median(second) - np.median(first)) / abs(middle)
        if abs(change) > 0.05 and mannwhitneyu(first, second).pvalue < 0.01:
            notes.append(f"drift between halves: {change:+.0%}")
    return notes


def geometric_mean(values: ArrayLike, groups: Sequence[Hashable] | None = None, level: float = LEVEL) -> Estimate:
    """Geometric mean with the t interval of the mean logarithm. Raises InputError for values <= 0."""
    x, groups, notes = present(values, groups)
    if (x <= 0).any():
        raise InputError("a geometric mean needs positive values.", "Use the median, or a shifted geometric mean.")
    logs = mean(np.log(x), groups, level)
    return Estimate(
        math.exp(logs.value), math.exp(logs.low), math.exp(logs.high) if logs.high < 700 else math.inf,
        logs.n, logs.clusters, f"{logs.method} of logarithms", notes + logs.notes,
    )  # fmt: skip


def pass_at_k(samples: ArrayLike, correct: ArrayLike, k: int) -> Array | None:
    """Unbiased pass@k of each task: 1 - C(n-c, k)/C(n, k) (Chen et al., arXiv:2107.03374, equation 1).

    samples, correct: (tasks,) drawn and correct samples of each task. None where some task has fewer than k samples,
    for then no unbiased estimate exists. Raises InputError where correct is not within 0..samples.
    """
    n, c = np.broadcast_arrays(np.asarray(samples, int), np.asarray(correct, int))
    if k < 1 or (c < 0).any() or (c > n).any():
        raise InputError("pass@k needs k >= 1 and 0 <= correct <= samples in every task.", "Check the counts.")
    if (n < k).any():
        return None
    steps = np.arange(k)
    # C(n-c, k)/C(n, k) = prod_j (n-c-j)/(n-j); a factor of 0 makes the product 0 where n - c < k
    factors = np.clip(n[:, None] - c[:, None] - steps, 0, None) / (n[:, None] - steps)
    return np.asarray(1.0 - factors.prod(axis=1))


def pass_at_k_estimate(
    samples: ArrayLike,
    correct: ArrayLike,
    k: int,
    groups: Sequence[Hashable] | None = None,
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
) -> Estimate | None:
    """Mean pass@k over tasks with a bootstrap interval over tasks (or their groups); None where `pass_at_k` is None.

    Where all tasks score 0 or all score 1 a bootstrap has no width: Wilson's interval over tasks takes its place.
    """
    each = pass_at_k(samples, correct, k)
    if each is None or each.size == 0:
        return None
    group = codes(groups, each.size)
    clusters = int(group.max()) + 1
    notes = size_notes(each.size, clusters)
    value = float(each.mean())
    if value in (0.0, 1.0):
        low, high = wilson(value * clusters, clusters, level)
        return Estimate(value, low, high, each.size, clusters, "Wilson over tasks", [*notes, "all scores equal"])
    drawn = value + widen(clusters, level) * (bootstrap_means(each, group, draws, seed) - value)
    low, high = percentile(drawn, level)
    method = f"bootstrap over tasks, B={draws}, seed={seed}"
    return Estimate(value, max(0.0, low), min(1.0, high), each.size, clusters, method, notes)


@dataclass(frozen=True, slots=True)
class VarianceParts:
    """Where the variance of a mean comes from (Miller, section 3.2): between items, and within them over trials.

    between, within: variances of one item's true mean and of one trial around it. standard_error: of the mean.
    share_within: the part of the squared error that more trials could remove.
    """

    between: float
    within: float
    standard_error: float
    share_within: float


def variance_parts(scores: ArrayLike) -> VarianceParts:
    """Split the variance of (items, K) scores, K >= 2 trials an item: Var = (between + within / K) / items."""
    x = np.asarray(scores, float)
    if x.ndim != 2 or x.shape[0] < 2 or x.shape[1] < 2 or np.isnan(x).any():
        raise InputError("a variance split needs two items or more with two trials or more each, none missing.")
    items, trials = x.shape
    within = float(x.var(axis=1, ddof=1).mean())
    total = float(x.mean(axis=1).var(ddof=1))
    share = min(1.0, within / trials / total) if total > 0 else 0.0
    return VarianceParts(max(0.0, total - within / trials), within, math.sqrt(total / items), share)
