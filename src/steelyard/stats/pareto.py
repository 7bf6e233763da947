"""Fronts of two things that are both better when smaller: who is on it, and what it gives at a cost that nobody has."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

Point = tuple[float, float]


def front(points: Sequence[Point]) -> list[Point]:
    """The points (cost, loss) that no other beats in one and equals or beats in the other, by cost.

    >>> front([(1, 5), (2, 3), (3, 4), (2, 6)])
    [(1, 5), (2, 3)]
    """
    kept: list[Point] = []
    for cost, loss in sorted(set(points)):
        if not kept or loss < kept[-1][1]:
            kept.append((cost, loss))
    return kept


def at_cost(points: Sequence[Point], cost: float) -> float:
    """The loss of the front at `cost`, on a straight line between its neighbours.

    Below the cheapest point nan, since nobody gets by with so little; above the dearest its own loss.

    >>> at_cost([(1, 5), (3, 3)], 2)
    4.0
    """
    on = front(points)
    if not on or cost < on[0][0]:
        return float("nan")
    for (c0, l0), (c1, l1) in pairwise(on):
        if cost < c1:
            return l0 + (l1 - l0) * (cost - c0) / (c1 - c0)
    return on[-1][1]
