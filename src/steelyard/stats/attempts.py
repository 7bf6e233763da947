"""A virtual participant of a contest: its score from ordered attempts, and the exact spread over all their orders."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from .contest import Ints, Round, place, rating_at
from .resample import Array

ACCEPTED = "AC"
LOSS, MINUTES = 50, 10  # what a refused attempt costs: points, or minutes of penalty

Attempts = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Spread:
    """The rating over all orders of the attempts: its expectation and standard deviation."""

    mean: float
    deviation: float


def gain(points: float | None, refused: int) -> tuple[float, int]:
    """(score, penalty) of a problem accepted after so many refused attempts; nobody is charged for the time.

    With points: 50 less for each refusal, not below 0. Without: one problem, and 10 minutes for each refusal.
    arXiv:2501.01257, section 3, and its released script.
    """
    return (max(0.0, points - LOSS * refused), 0) if points is not None else (1.0, MINUTES * refused)


def contest_score(contest: Round, attempts: Attempts, most: int | None = None) -> tuple[float, int]:
    """(score, penalty) of ordered verdicts by problem; what follows the first accept, or `most` attempts, is ignored.

    Problems that the round does not have count nothing, as in the released script.
    """
    gains = [
        gain(contest.problems[index], list(verdicts).index(ACCEPTED))
        for index, verdicts in attempts.items()
        if index in contest.problems and ACCEPTED in verdicts[:most]
    ]
    return sum(score for score, _ in gains), sum(penalty for _, penalty in gains)


def score_orders(contest: Round, attempts: Attempts, most: int | None = None) -> dict[tuple[float, int], float]:
    """(score, penalty) -> its probability, when the attempts at each problem come in an order drawn at random, of which
    the first `most` (all, if None) are made.

    With c of k attempts accepted the first t are refused in C(k - 1 - t, c - 1) of C(k, c) orders; problems are
    independent, so their gains convolve. Exact: no order is sampled.
    """
    total: dict[tuple[float, int], float] = {(0.0, 0): 1.0}
    for index, verdicts in attempts.items():
        k, c = len(verdicts), sum(v == ACCEPTED for v in verdicts)
        if index not in contest.problems or c == 0:
            continue
        made = k if most is None else min(most, k)
        shares = {
            gain(contest.problems[index], refused): math.comb(k - 1 - refused, c - 1) / math.comb(k, c)
            for refused in range(min(k - c + 1, made))
        }
        shares[0.0, 0] = shares.get((0.0, 0), 0.0) + math.comb(k - made, c) / math.comb(k, c)
        longer: dict[tuple[float, int], float] = {}
        for ((score, penalty), share), ((s, p), probability) in product(shares.items(), total.items()):
            longer[s + score, p + penalty] = longer.get((s + score, p + penalty), 0.0) + share * probability
        total = longer
    return total


def rate(contest: Round, score: float | Array, penalty: int | Array, *, first: int) -> Ints:
    """The rating whose expected rank in the round is that of a score; first: 1 to count ranks from one, 0 from zero.

    The seed of the best is 1, so ranks count from one; the released script counts from zero, one place too good.
    """
    rank = place(contest.points, contest.penalty, score, penalty) + first
    return rating_at(contest.ratings, rank)


def spread(contest: Round, attempts: Attempts, *, first: int, most: int | None = None) -> Spread:
    """Expectation and standard deviation of the rating over all orders of the attempts, exactly."""
    orders = score_orders(contest, attempts, most)
    keys = np.array(list(orders))
    weight = np.array(list(orders.values()))
    ratings = rate(contest, keys[:, 0], keys[:, 1], first=first)
    mean = float(weight @ ratings)
    return Spread(mean, math.sqrt(max(0.0, float(weight @ (ratings - mean) ** 2))))
