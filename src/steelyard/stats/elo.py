"""Online Elo over the pairs of every case, in shuffled order."""

from __future__ import annotations

import numpy as np

from .resample import Array


def elo(
    scores: Array, k: float = 4.0, scale: float = 400.0, base: float = 10.0, start: float = 1000.0, seed: int = 0
) -> Array:
    """Ratings after one pass over all pairs: R += k (S - 1 / (1 + base^((R_other - R) / scale))).

    scores: (M, N), higher is better, NaN where not measured; a tie scores 1/2. The cases come in an order drawn from
    `seed`, the pairs within a case in the order of the rows (the baseline of arXiv:2412.06745). The result depends on
    that order: look at several seeds. Returns (M,), NaN for a contender that met nobody.
    """
    rating = [start] * scores.shape[0]
    met = np.zeros(scores.shape[0], bool)
    growth = base ** (1.0 / scale)
    for case in np.random.default_rng(seed).permutation(scores.shape[1]):
        column = scores[:, case]
        there = np.flatnonzero(~np.isnan(column))
        if there.size < 2:
            continue
        met[there] = True
        who, value = there.tolist(), column[there].tolist()
        for at, (i, mine) in enumerate(zip(who, value, strict=True), 1):
            own = rating[i]
            for j, theirs in zip(who[at:], value[at:], strict=True):
                expected = 1.0 / (1.0 + growth ** (rating[j] - own))
                moved = k * ((1.0 if mine > theirs else 0.5 if mine == theirs else 0.0) - expected)
                own += moved
                rating[j] -= moved
            rating[i] = own
    return np.where(met, rating, np.nan)
