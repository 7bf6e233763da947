"""Contenders whose scores look odd: the same on every case, or unrelated to what the cases are like."""

from __future__ import annotations

import numpy as np

from .resample import Array

FEWEST_CASES, FEWEST_CONTENDERS = 10, 10
OUTLYING = 3.0  # robust standard deviations


def oddities(scores: Array, sources: np.ndarray) -> dict[int, str]:
    """Row number -> what is odd about a contender, for a person to look at; most contenders are not in it.

    scores: (M, N), NaN where not measured. sources: (N,). Two signs, each data set by itself:
    - the same score on all of its cases (ten or more, and not the only score anybody got);
    - scores that follow the cases least of all: the correlation with the mean of the others, case by case (the
      item-rest correlation turned round), lies more than 3 robust standard deviations below the others' on Fisher's
      scale. Whoever answers alike whatever is asked is not held up by what the others find hard.
    """
    found: dict[int, str] = {}
    for source in np.unique(sources):
        x = scores[:, sources == source]
        seen = ~np.isnan(x)
        for i in np.flatnonzero(seen.sum(axis=1) >= FEWEST_CASES):
            own = x[i, seen[i]]
            if np.ptp(own) == 0.0 and np.nanmax(x) > np.nanmin(x):
                found[int(i)] = f"the same score, {own[0]:.4g}, on all {own.size} cases"
        follows = _rest_correlation(x, seen)
        known = np.flatnonzero(~np.isnan(follows))
        if known.size < FEWEST_CONTENDERS:
            continue
        scale = np.arctanh(np.clip(follows[known], -0.999, 0.999))
        middle = np.median(scale)
        spread = 1.4826 * np.median(np.abs(scale - middle))
        for i, value in zip(known, scale, strict=True):
            if spread > 0 and (value - middle) / spread < -OUTLYING:
                found.setdefault(
                    int(i), f"its scores hardly follow the cases (r = {follows[i]:.2f}, median {np.tanh(middle):.2f})"
                )
    return found


def _rest_correlation(x: Array, seen: np.ndarray) -> Array:
    """(M,) correlation of each row with the column means of the other rows; NaN where there is too little or no spread."""
    total, count = np.where(seen, x, 0.0).sum(axis=0), seen.sum(axis=0)
    out = np.full(x.shape[0], np.nan)
    for i in range(x.shape[0]):
        both = seen[i] & (count > 1)
        if both.sum() >= 3 * FEWEST_CASES:
            own, rest = x[i, both], (total[both] - x[i, both]) / (count[both] - 1)
            if np.ptp(own) > 0 and np.ptp(rest) > 0:
                out[i] = np.corrcoef(own, rest)[0, 1]
    return out
