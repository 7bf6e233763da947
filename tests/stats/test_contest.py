"""Ratings from contests against literal loops, enumerated orders and values worked by hand."""

from itertools import permutations, product
from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steelyard.core.errors import InputError
from steelyard.stats.attempts import contest_score, score_orders, spread
from steelyard.stats.careers import careers
from steelyard.stats.contest import (
    Round,
    percentile_of,
    place,
    platform_changes,
    rating_at,
    seeds,
    standing_ranks,
    win_probability,
)

FIELDS = st.lists(st.integers(-40, 3500), min_size=2, max_size=40)


def literal_seed(ratings, x):
    """1 + sum of the Elo curve, one opponent after the other."""
    return 1 + sum(1 / (1 + 10 ** ((x - r) / 400)) for r in ratings)


def literal_rating(ratings, rank):
    """The bisection as the released script's description has it."""
    low, high = 0, max(ratings) + 100
    while high - low > 1:
        middle = (low + high) // 2
        if literal_seed(ratings, middle) < rank:
            high = middle
        else:
            low = middle
    return low


def literal_changes(ranks, ratings):
    """The platform's rule, participant by participant."""
    n, change = len(ratings), []
    for i, (rank, old) in enumerate(zip(ranks, ratings, strict=True)):
        others = ratings[:i] + ratings[i + 1 :]
        middle = sqrt(rank * literal_seed(others, old))
        low, high = 1, 8000
        while high - low > 1:
            at = (low + high) // 2
            low, high = (low, at) if literal_seed(others, at) < middle else (at, high)
        change.append(int((low - old) / 2))
    shift = int(-sum(change) / n) - 1
    change = [c + shift for c in change]
    top = sorted(range(n), key=lambda i: -ratings[i])[: min(n, 4 * round(sqrt(n)))]
    shift = min(max(int(-sum(change[i] for i in top) / len(top)), -10), 0)
    return [c + shift for c in change]


def test_odds_of_ten_to_one_are_four_hundred_points():
    assert win_probability(1600, 1200) == pytest.approx(10 / 11)
    assert win_probability(1200, 1200) == 0.5


@given(FIELDS)
def test_all_seeds_at_once_are_the_direct_sums(ratings):
    table = seeds(ratings, 0, 3600)
    for x in (0, 1, 777, 1500, 3600):
        assert table[x] == pytest.approx(literal_seed(ratings, x), abs=1e-9)


def test_seeds_of_several_fields_are_those_of_each():
    fields = [[1000, 1500, 1900], [-20, 3000, 1500]]
    assert seeds(fields, 0, 50) == pytest.approx(np.stack([seeds(f, 0, 50) for f in fields]))


@given(FIELDS.filter(lambda r: max(r) > 0), st.integers(0, 42))
@settings(max_examples=50)
def test_rating_of_a_rank_is_that_of_the_bisection(ratings, rank):
    assert rating_at(ratings, rank) == literal_rating(ratings, rank)


def test_ranks_by_hand():
    points, penalty = [3, 3, 2, 2, 0], [10, 10, 5, 9, 0]
    assert standing_ranks(points, penalty).tolist() == [2, 2, 3, 4, 5]
    # nobody better; ties before the newcomer; between; last
    assert place(points, penalty, [4, 3, 2, 0], [0, 10, 6, 0]).tolist() == [0, 2, 3, 5]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(-40, 3500)), min_size=2, max_size=25))
@settings(max_examples=50, deadline=None)
def test_platform_changes_are_those_of_the_loop(rows):
    rows.sort(key=lambda r: (-r[0], r[1]))
    ranks = standing_ranks([r[0] for r in rows], [r[1] for r in rows])
    ratings = [r[2] for r in rows]
    assert platform_changes(ranks, ratings).tolist() == literal_changes(ranks.tolist(), ratings)


def test_many_rounds_at_once_change_like_each_alone():
    ranks = np.array([[1, 2, 3], [3, 1, 2]])
    ratings = np.array([[1500, 1200, 1900], [1000, 1400, 1500]])
    both = platform_changes(ranks, ratings)
    assert both.tolist() == [platform_changes(a, b).tolist() for a, b in zip(ranks, ratings, strict=True)]


def test_percentile_counts_strictly_below():
    assert percentile_of([100, 101, 0], [0, 100, 100, 200]).tolist() == [25, 75, 0]


POINTS = Round("1", np.array([900.0, 450, 0]), np.zeros(3), np.array([1500, 1400, 1300]), {"A": 500.0, "B": 750.0})
ICPC = Round("2", np.array([2.0, 1, 0]), np.array([60.0, 20, 0]), np.array([1500, 1400, 1300]), {"A": None, "B": None})


def test_scores_by_hand():
    attempts = {"A": ["WA", "AC", "AC"], "B": ["CE"] * 3, "Z": ["AC"]}
    assert contest_score(POINTS, attempts) == (450, 0)
    assert contest_score(ICPC, attempts) == (1, 10)
    assert contest_score(POINTS, {"A": ["WA"] * 11 + ["AC"]}) == (0, 0), "points do not fall below 0"
    assert contest_score(POINTS, {}) == (0, 0)


@pytest.mark.parametrize("most", [None, 1, 2, 3])
@pytest.mark.parametrize("contest", [POINTS, ICPC])
def test_all_orders_are_weighed_as_enumeration_does(contest, most):
    attempts = {"A": ["AC", "WA", "AC", "WA"], "B": ["WA", "AC", "TLE"]}
    counted: dict = {}
    for a, b in product(permutations(attempts["A"]), permutations(attempts["B"])):
        key = contest_score(contest, {"A": a, "B": b}, most)
        counted[key] = counted.get(key, 0) + 1 / (24 * 6)
    got = {key: share for key, share in score_orders(contest, attempts, most).items() if share}
    assert got == pytest.approx(counted)


def test_spread_is_nothing_where_the_order_is_nothing():
    assert spread(POINTS, {"A": ["AC"] * 8}, first=1).deviation == 0
    assert spread(POINTS, {"A": ["WA"] * 8}, first=1).deviation == 0


def test_careers_place_pairs_by_the_elo_curve():
    steps = careers(1700, [1500] * 60, 40, field=50, copies=100, seed=3)
    assert steps[0].ranks.shape == (100, 51)
    ahead = np.mean([(51 - s.ranks[:, 0]).mean() / 50 for s in steps])
    error = 0.3 / sqrt(40 * 100)  # the share beaten in one contest spreads by less than 0.3
    assert ahead == pytest.approx(1 / (1 + 10 ** (-200 / 400)), abs=4 * error)


@pytest.mark.parametrize("ratings", [[], [1500.5], [float("nan")], [float("inf")]])
def test_ratings_must_be_whole_numbers(ratings):
    with pytest.raises(InputError, match="whole numbers"):
        seeds(ratings, 0, 10)


def test_humans_must_be_in_order():
    with pytest.raises(InputError, match="ascending"):
        percentile_of(5, [3, 2])
