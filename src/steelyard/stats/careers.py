"""Simulated careers of contestants of known strength: who stands where in each of many contests, by the Elo model."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .contest import Ints, integers

SCALE = 400.0 / math.log(10.0)  # performances r + Gumbel(SCALE) win by the Elo curve, whoever else takes part


@dataclass(frozen=True)
class Step:
    """One contest of S careers at once. field: (m,) ratings of the others, the same in all careers.

    ranks: (S, m + 1) from 1, column 0 the contestant of the career, then the field.
    """

    field: Ints
    ranks: Ints


def careers(strength: float, ratings: ArrayLike, contests: int, *, field: int, copies: int, seed: int) -> list[Step]:
    """`contests` steps of `copies` careers of a contestant whose true rating is `strength` throughout.

    ratings: (n,) from which each contest draws min(field, n) opponents, whose ratings are their strengths. Everybody's
    performance in a contest is the strength plus Gumbel noise, so that i is placed before j as the Elo curve says.
    """
    known = integers(ratings)
    rng = np.random.default_rng(seed)
    steps = []
    for _ in range(contests):
        others = rng.choice(known, min(field, known.size), replace=False)
        strengths = np.concatenate([[strength], others])
        shown = strengths + rng.gumbel(0.0, SCALE, (copies, strengths.size))
        ranks = np.argsort(np.argsort(-shown, axis=1), axis=1) + 1
        steps.append(Step(others, ranks.astype(np.int64)))
    return steps
