"""Paired data: alignment by id, exact and permutation tests, score interval, equivalence, Holm."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from steelyard.core.errors import InputError

from .estimates import clustered_error
from .resample import DRAWS, LEVEL, Array, chunks, codes, quantile_z

Missing = Literal["zero", "exclude"]
EXACT_FLIPS = 13  # up to 2^13 sign patterns are all tried


@dataclass(frozen=True, slots=True)
class Pair:
    """Two sides on the same cases: (cases,), or (cases, rounds) of times; how many were lost or failed."""

    a: Array
    b: Array
    groups: list[Hashable] | None
    lost: int
    failed: int


def index(ids: Sequence[str], side: str) -> dict[str, int]:
    """Position of each id. Raises InputError naming ids that occur twice."""
    at = {name: i for i, name in enumerate(ids)}
    if len(at) != len(ids):
        twice = sorted({name for name in ids if ids.count(name) > 1}) if len(ids) < 10_000 else []
        shown = f": {', '.join(map(str, twice[:5]))}" if twice else ""
        count = len(ids) - len(at)
        raise InputError(f"side {side} has {count} duplicate case ids{shown}.", "Give each case one value.")
    return at


def align(
    a: ArrayLike,
    b: ArrayLike,
    ids_a: Sequence[str] | None = None,
    ids_b: Sequence[str] | None = None,
    groups: Sequence[Hashable] | None = None,
    missing: Missing = "exclude",
    rounds: bool = False,
) -> Pair:
    """Put both sides on the cases they share, in A's order.

    a, b: (cases,) or (cases, trials). groups: labels of A's cases. rounds: keep trials (times) instead of averaging
    them; a case then fails where one side has no round at all. Raises InputError for duplicate ids, lengths that do
    not fit, and sides without ids that differ in length.
    """
    x, y = np.asarray(a, float), np.asarray(b, float)
    if (ids_a is None) != (ids_b is None):
        raise InputError("ids were given for one side only.", "Give the case ids of both sides, or of neither.")
    if ids_a is None or ids_b is None:
        if x.shape[0] != y.shape[0]:
            raise InputError(f"{x.shape[0]} cases against {y.shape[0]} without ids.", "Pass ids_a and ids_b.")
        rows_a = rows_b = list(range(x.shape[0]))
        lost = 0
    else:
        if len(ids_a) != x.shape[0] or len(ids_b) != y.shape[0]:
            raise InputError(f"{len(ids_a)} and {len(ids_b)} ids for {x.shape[0]} and {y.shape[0]} cases.")
        at_a, at_b = index(ids_a, "A"), index(ids_b, "B")
        shared = [name for name in ids_a if name in at_b]
        rows_a, rows_b = [at_a[name] for name in shared], [at_b[name] for name in shared]
        lost = len(ids_a) + len(ids_b) - 2 * len(shared)
    if groups is not None and len(groups) != x.shape[0]:
        raise InputError(f"{len(groups)} group labels for {x.shape[0]} cases of side A.")
    x, y = x[rows_a], y[rows_b]
    kept = None if groups is None else [groups[i] for i in rows_a]
    gone_x, gone_y = np.isnan(x), np.isnan(y)
    if x.ndim > 1:
        # a case fails where no trial is left; scores average the trials there are
        gone_x, gone_y = gone_x.all(axis=1), gone_y.all(axis=1)
    gone = gone_x | gone_y
    if missing == "zero":
        x, y = np.nan_to_num(x, nan=0.0), np.nan_to_num(y, nan=0.0)
    else:
        x, y = x[~gone], y[~gone]
        kept = None if kept is None else [g for g, out in zip(kept, gone, strict=True) if not out]
    if not rounds:
        x, y = (np.nanmean(v, axis=1) if v.ndim > 1 and v.size else v.reshape(len(v)) for v in (x, y))
    elif x.ndim == 1:
        x, y = x[:, None], y[:, None]
    return Pair(x, y, kept, lost, int(gone.sum()))


def mcnemar(only_a: int, only_b: int) -> float:
    """Exact two-sided p of McNemar's test: 2 P(Bin(only_a + only_b, 1/2) <= the smaller), at most 1."""
    from scipy.stats import binom

    total = only_a + only_b
    return 1.0 if total == 0 else min(1.0, 2 * float(binom.cdf(min(only_a, only_b), total, 0.5)))


def tango(only_a: int, only_b: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Score interval of a difference of paired proportions (Tango 1998, Statistics in Medicine 17:891-908).

    only_a, only_b: pairs that only A, only B has right; n: all pairs. Finds by bisection where
    (b - c - n D) / sqrt(n (2 q(D) + D (1 - D))) = +-z, q(D) being the likelihood's estimate of P(only B) given D.
    """
    if n == 0:
        return math.nan, math.nan
    z, b, c = quantile_z(level), only_a, only_b

    def score(d: float) -> float:
        linear = -b - c + (2 * n - b + c) * d
        q = (math.sqrt(max(0.0, linear * linear + 8 * n * c * d * (1 - d))) - linear) / (4 * n)
        variance = n * (2 * q + d * (1 - d))
        top = b - c - n * d
        return top / math.sqrt(variance) if variance > 1e-12 else math.copysign(math.inf, top) if top else 0.0

    def root(target: float) -> float:
        low, high = -1.0, 1.0  # score falls in d
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if score(middle) > target else (low, middle)
        return (low + high) / 2

    return root(z), root(-z)


def sign_flip(sums: Array, draws: int = DRAWS, seed: int = 0) -> float:
    """Two-sided permutation p of paired differences, summed by group: signs are flipped group by group.

    sums: (groups,). All 2^G patterns up to 13 groups, else `draws` random ones with (hits + 1) / (draws + 1)
    (Phipson and Smyth 2010). 1 where all differences are 0, NaN without any.
    """
    g = sums.size
    if g == 0:
        return math.nan
    observed = abs(float(sums.sum()))
    # sums within rounding of the observed one are ties, which count against it
    bar = observed - 1e-9 * float(np.abs(sums).sum())
    if g <= EXACT_FLIPS:
        bits = (np.arange(2**g)[:, None] >> np.arange(g)) & 1
        return float(np.mean(np.abs((2.0 * bits - 1) @ sums) >= bar))
    rng = np.random.default_rng(seed)
    sizes, counts = np.unique(np.abs(sums), return_counts=True)
    if 4 * sizes.size <= g:  # many are equal (passes, shares of few trials): how many of them turn is binomial
        turned = rng.binomial(counts, 0.5, size=(draws, sizes.size))
        return (int((np.abs((2.0 * turned - counts) @ sizes) >= bar).sum()) + 1) / (draws + 1)
    hits = 0
    for rows in chunks(draws, g):
        signs = rng.integers(0, 2, size=(rows, g), dtype=np.int8)
        # sum of +-s = 2 (sum of the chosen) - total
        hits += int((np.abs(2 * (signs @ sums) - sums.sum()) >= bar).sum())
    return (hits + 1) / (draws + 1)


def t_test(differences: Array) -> float:
    """Two-sided p of Student's one-sample t test that the mean is 0. 1 where all are 0, NaN below two."""
    from scipy.special import stdtr

    n = differences.size
    if n < 2:
        return math.nan
    mean, error = float(differences.mean()), float(differences.std(ddof=1)) / math.sqrt(n)
    if error == 0:
        return 1.0 if mean == 0 else 0.0
    return float(2 * stdtr(n - 1, -abs(mean) / error))


def tost(differences: ArrayLike, margin: float, groups: Sequence[Hashable] | None = None) -> float:
    """p of equivalence: the larger of two one-sided t tests that |mean difference| < margin (Schuirmann 1987)."""
    if not margin > 0:
        raise InputError(f"an equivalence margin must be positive, not {margin}.", "State the difference that matters.")
    from scipy.special import stdtr

    d = np.asarray(differences, float)
    group = codes(groups, d.size)
    clusters = int(group.max()) + 1 if d.size else 0
    if clusters < 2:
        return math.nan
    error, value = clustered_error(d, group), float(d.mean())
    if error == 0:
        return 0.0 if abs(value) < margin else 1.0
    return float(max(stdtr(clusters - 1, (value - margin) / error), stdtr(clusters - 1, -(value + margin) / error)))


def holm(p_values: Sequence[float]) -> Array:
    """Holm's step-down adjusted p-values, in the order given; NaN stays NaN and is not counted."""
    p = np.asarray(p_values, float)
    out = np.full(p.size, math.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * (order.size - np.arange(order.size))
    out[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return out
