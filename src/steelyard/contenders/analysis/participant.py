"""Participants whose results are written in advance: marks on the scale of human ratings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from steelyard.core.contender import contender
from steelyard.stats.contest import Round

SOLVED = {"none": 0, "easiest-only": 1, "two-easiest": 2}


@contender("participant", interface="analysis")
@dataclass(frozen=True)
class Participant:
    """Solves the first problems of every round, each at the same attempt, and is refused at all others.

    solves: which problems. attempt: the one that is accepted, from 1. attempts: how many it makes.
    """

    solves: Literal["none", "easiest-only", "two-easiest"] = "easiest-only"
    attempt: int = 1
    attempts: int = 8

    def __call__(self, contest: Round) -> dict[str, list[str]]:
        right = ["AC" if k == self.attempt else "WA" for k in range(1, self.attempts + 1)]
        wrong = ["WA"] * self.attempts
        return {index: right if n < SOLVED[self.solves] else wrong for n, index in enumerate(contest.problems)}
