"""Fronts by hand, and against the definition."""

import math

from hypothesis import given
from hypothesis import strategies as st

from steelyard.stats.pareto import at_cost, front

POINTS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12)


@given(POINTS)
def test_nobody_on_the_front_is_dominated_and_everybody_else_is(points):
    beaten = lambda p: any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in points)  # noqa: E731
    assert front(points) == sorted({p for p in points if not beaten(p)})


def test_between_points_the_front_is_a_straight_line():
    points = [(1, 5), (3, 3), (2, 9), (5, 2)]
    assert [at_cost(points, cost) for cost in (1, 2, 3, 4, 5, 9)] == [5, 4, 3, 2.5, 2, 2]
    assert math.isnan(at_cost(points, 0.5))
    assert math.isnan(at_cost([], 1))
