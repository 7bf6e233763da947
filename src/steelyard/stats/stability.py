"""How much of a ranking survives with fewer measurements: cells blanked, cases dropped, cases split in halves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from steelyard.core.errors import InputError

from .aggregate import Matrix
from .resample import Array, quantile_t

FRACTIONS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99)
Method = Callable[[Matrix], Array]


@dataclass(frozen=True, slots=True)
class Point:
    """One method at one share of missing data: mean over repetitions, its 95% interval, their standard deviation.

    failed: repetitions without a value (the wins did not connect all contenders); the mean is over the others.
    """

    method: str
    missing: float
    mean: float
    low: float
    high: float
    spread: float
    repetitions: int
    failed: int


def blank(m: Matrix, missing: float, seed: int) -> Matrix:
    """ceil(missing * N) random cases blanked for each contender by itself (arXiv:2412.06745, sparsity experiment)."""
    if not 0.0 <= missing < 1.0:
        raise InputError(f"a missing fraction of {missing:g} is not possible.", "Give one from 0 to below 1.")
    x = m.scores.copy()
    count = math.ceil(missing * x.shape[1] - 1e-9)
    if count:
        drawn = np.random.default_rng(seed).random(x.shape).argsort(axis=1)[:, :count]
        np.put_along_axis(x, drawn, np.nan, axis=1)
    return replace(m, scores=x, seed=seed)


def tau_b(a: Array, b: Array) -> float:
    """Kendall's tau-b over the contenders present in both; NaN for fewer than two, or where one side is all ties."""
    from scipy.stats import kendalltau

    both = ~np.isnan(a) & ~np.isnan(b)
    return float(kendalltau(a[both], b[both]).statistic) if both.sum() > 1 else math.nan


def sparsity(
    m: Matrix, methods: Mapping[str, Method], reference: Array, fractions: Sequence[float] = FRACTIONS,
    repetitions: int = 3, seed: int = 0,
) -> Iterator[Point]:  # fmt: skip
    """Tau-b of each method on blanked data against `reference`, (M,): one ranking for all, that of the complete data.

    Repetition r blanks with seed + r, the same cells for every method. Yields fraction by fraction.
    """
    for missing in fractions:
        blanked = [blank(m, missing, seed + r) for r in range(repetitions)]
        for name, method in methods.items():
            yield _point(name, missing, [tau_b(tried(method, b), reference) for b in blanked])


def top_k(
    m: Matrix, methods: Mapping[str, Method], k: int = 10, fractions: Sequence[float] = FRACTIONS,
    repetitions: int = 3, seed: int = 0,
) -> Iterator[Point]:  # fmt: skip
    """Share of a method's k best on all cases that are among its k best when whole cases are dropped."""
    if not 0 < k < m.scores.shape[0]:
        raise InputError(f"the {k} best of {m.scores.shape[0]} contenders say nothing.", "Choose a smaller --k.")
    n = m.scores.shape[1]
    full = {name: _best(tried(method, m), k) for name, method in methods.items()}
    for missing in fractions:
        kept = max(1, n - math.ceil(missing * n - 1e-9))
        drawn = [np.random.default_rng(seed + r).permutation(n)[:kept] for r in range(repetitions)]
        for name, method in methods.items():
            some = [_best(tried(method, replace(m.cases(d), seed=seed + r)), k) for r, d in enumerate(drawn)]
            both = [len(full[name] & s) / k if s and full[name] else math.nan for s in some]
            yield _point(name, missing, both)


def separability(m: Matrix, methods: Mapping[str, Method], repetitions: int = 3, seed: int = 0) -> Iterator[Point]:
    """Of the pairs that two random halves of the cases order alike, the share ordered so by all cases (0 without any).

    The paper splits the comparisons; those of one case hang together, so here whole cases are split.
    """
    n = m.scores.shape[1]
    for name, method in methods.items():
        full, shares = _order(tried(method, m)), []
        for r in range(repetitions):
            drawn = np.random.default_rng(seed + r).permutation(n)
            first, second = (
                _order(tried(method, replace(m.cases(d), seed=seed + r))) for d in (drawn[: n // 2], drawn[n // 2 :])
            )
            alike = (first == second) & (first != 0)
            shares.append(float((full == first)[alike].mean()) if alike.any() else 0.0)
        yield _point(name, 0.5, shares)


def cost_reduction(fractions: Sequence[float], tau: Array, margin: float = 0.05) -> float:
    """Largest 1 / (1 - f) up to which tau stays within `margin` of its value at fractions[0]; 1 where it never does.

    fractions: ascending. tau: (F,) mean over repetitions; NaN (no ranking at all) ends it.
    """
    within = tau >= tau[0] - margin
    stays = int(np.argmin(within)) if not within.all() else within.size
    return 1.0 / (1.0 - fractions[max(stays - 1, 0)])


def tried(method: Method, m: Matrix) -> Array:
    """The scores, or NaN for all where the data do not allow any."""
    try:
        return method(m)
    except InputError:
        return np.full(m.scores.shape[0], np.nan)


def _best(scores: Array, k: int) -> set[int]:
    """The k best; ties by position. Empty where fewer than k have a score."""
    known = np.flatnonzero(~np.isnan(scores))
    return set(known[np.argsort(-scores[known], kind="stable")[:k]].tolist()) if known.size >= k else set()


def _order(scores: Array) -> Array:
    """Signs of all differences, above the diagonal; 0 for ties and the unmeasured."""
    gap = scores[:, None] - scores[None, :]
    return np.asarray(np.sign(np.nan_to_num(gap)[np.triu_indices(scores.size, 1)]))


def _point(name: str, missing: float, values: Sequence[float]) -> Point:
    x = np.array(values, float)
    x = x[~np.isnan(x)]
    failed = len(values) - x.size
    if not x.size:
        return Point(name, missing, math.nan, math.nan, math.nan, math.nan, len(values), failed)
    spread = float(x.std(ddof=1)) if x.size > 1 else math.nan
    half = quantile_t(x.size - 1) * spread / math.sqrt(x.size) if x.size > 1 else math.nan
    return Point(
        name, missing, float(x.mean()), float(x.mean() - half), float(x.mean() + half), spread, len(values), failed
    )
