"""Ratings from contests: expected ranks of whole fields at once, the platform's own update, a rating from one rank.

A rating x is expected to stand behind those it loses against: seed(x) = 1 + sum_i P(i beats x), with
P(i beats x) = 1 / (1 + 10^((x - r_i) / 400)) (the Elo curve; arXiv:2501.01257, section 3). Ratings are integers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from steelyard.core.errors import InputError

from .resample import Array

Ints = NDArray[np.int64]
LOWEST, HIGHEST = 1, 8000  # where the platform looks for a rating
FEWEST = 200  # a contest counts when more than so many were rated


@dataclass(frozen=True)
class Round:
    """One contest and those who were rated by it, in the order of the standing.

    points, penalty: (n,) the standing. ratings: (n,) before the round. problems: index -> points; None where a problem
    counts one and penalties decide (ICPC).
    """

    id: str
    points: Array
    penalty: Array
    ratings: Ints
    problems: Mapping[str, float | None] = field(default_factory=dict)


def win_probability(rating: ArrayLike, other: ArrayLike) -> Array:
    """How often `rating` is placed before `other`: the Elo curve, 400 points for odds of ten to one."""
    return np.asarray(1.0 / (1.0 + 10.0 ** ((np.asarray(other, float) - np.asarray(rating, float)) / 400.0)))


def integers(values: ArrayLike, what: str = "ratings") -> Ints:
    """Whole numbers as int64; InputError for NaN, infinities, fractions, and what no rating scale reaches."""
    x = np.asarray(values, float)
    if x.size == 0 or not np.isfinite(x).all() or (x != np.round(x)).any() or np.abs(x).max(initial=0) > 100_000:
        raise InputError(f"{what} must be whole numbers, one at least.", "Leave out rows without a rating.")
    return x.astype(np.int64)


def seeds(ratings: ArrayLike, low: int, high: int) -> Array:
    """(..., n) ratings of fields to (..., high - low + 1) expected ranks of the ratings low, low + 1, ..., high.

    One convolution of the histogram of ratings with the Elo curve, by FFT: n does not matter beside the range.
    """
    r = integers(ratings)
    first, last = int(r.min()), int(r.max())
    width = last - first + 1
    flat = r.reshape(-1, r.shape[-1]) - first
    rows = np.arange(flat.shape[0])[:, None] * width
    counts = np.bincount((flat + rows).ravel(), minlength=flat.shape[0] * width).reshape(flat.shape[0], width)
    # seed(x) - 1 = sum_v counts[v] * curve(x - v), with x - v from low - last to high - first
    curve = win_probability(0.0, np.arange(low - last, high - first + 1))
    size = 1 << (curve.size + width - 2).bit_length()  # room for the whole convolution: nothing wraps around
    product = np.fft.rfft(counts, size) * np.fft.rfft(curve, size)
    out = 1.0 + np.fft.irfft(product, size)[:, width - 1 : curve.size]
    return np.asarray(out.reshape(*r.shape[:-1], high - low + 1))


def standing_ranks(points: ArrayLike, penalty: ArrayLike) -> Ints:
    """(n,) ranks from 1; those who tie share the worst rank of their group, as the platform counts."""
    keys = np.stack([-np.asarray(points, float), np.asarray(penalty, float)], axis=1)
    if keys.ndim != 2 or np.isnan(keys).any():
        raise InputError("a standing needs points and a penalty in every row.")
    _, group, size = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    return np.asarray(np.cumsum(size)[group.ravel()], np.int64)


def place(points: ArrayLike, penalty: ArrayLike, score: ArrayLike, own_penalty: ArrayLike) -> Ints:
    """How many rows are at least as good as (score, own_penalty): the 0-based rank, ties before the newcomer."""
    p, q = np.asarray(points, float), np.asarray(penalty, float)
    s, t = np.broadcast_arrays(np.asarray(score, float)[..., None], np.asarray(own_penalty, float)[..., None])
    return np.asarray(((p > s) | ((p == s) & (q <= t))).sum(axis=-1), np.int64)


def rating_at(ratings: ArrayLike, rank: ArrayLike) -> Ints:
    """The largest integer rating in [0, max + 99] whose expected rank in the field is at least `rank`; 0 where none is.

    ratings: (n,) the field. rank: any shape. arXiv:2501.01257, section 3, by bisection there; here on all seeds.
    """
    r = integers(ratings)
    table = seeds(r, 0, max(int(r.max()), 0) + 99)  # falls as the rating grows
    found = np.searchsorted(-table, -np.asarray(rank, float), side="right") - 1
    return np.asarray(np.maximum(found, 0), np.int64)


def platform_changes(ranks: ArrayLike, ratings: ArrayLike) -> Ints:
    """(..., n) rating changes after a round, as the platform computes them, to the digit.

    ranks: (..., n) from 1, ties worst (`standing_ranks`). ratings: (..., n) before the round. Rows stand in the order of
    the standing, which decides among equal ratings who counts among the top. Each moves half way (towards zero in whole
    points) to the rating whose seed, oneself left out, is the geometric mean of rank and seed; then all are shifted so
    that the sum is a little below zero, and shifted again (by 0 to 10 down) so that the top 4 sqrt(n) do not inflate.
    """
    r, rank = np.broadcast_arrays(integers(ratings), np.asarray(ranks, float))
    n = r.shape[-1]
    low = min(LOWEST, int(r.min()))
    table = seeds(r, low, max(HIGHEST, int(r.max())))

    def seed(x: Ints) -> Array:
        return np.asarray(np.take_along_axis(table, x - low, axis=-1) - win_probability(r, x))

    middle = np.sqrt(rank * seed(r))
    left, right = np.full(r.shape, LOWEST), np.full(r.shape, HIGHEST)
    while (right - left > 1).any():
        at = (left + right) // 2
        over = seed(at) < middle
        left, right = np.where(over, left, at), np.where(over, at, right)
    change = np.trunc((left - r) / 2)
    change += np.trunc(-change.sum(axis=-1, keepdims=True) / n) - 1
    top = np.argsort(-r, axis=-1, kind="stable")[..., : min(4 * round(np.sqrt(n)), n)]
    sums = np.take_along_axis(change, top, axis=-1).sum(axis=-1, keepdims=True)
    change += np.clip(np.trunc(-sums / top.shape[-1]), -10, 0)
    return np.asarray(change, np.int64)


def percentile_of(rating: ArrayLike, humans: ArrayLike) -> Array:
    """Percent of `humans` (ascending) that stand strictly below a rating: 100 * bisect_left / N."""
    h = np.asarray(humans)
    if h.size == 0 or (np.diff(h) < 0).any():
        raise InputError("the ratings of humans must be a list in ascending order.")
    return np.asarray(100.0 * np.searchsorted(h, np.asarray(rating, float), side="left") / h.size)
