"""CodeElo's rule: a rating from each contest by itself, then the average."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from steelyard.core.contender import contender
from steelyard.stats.careers import Step
from steelyard.stats.contest import Round, rating_at, standing_ranks


@contender("contest-estimate", interface="analysis", source="arXiv:2501.01257, section 3")
@dataclass(frozen=True)
class ContestEstimate:
    """The rating whose expected rank in the field is the rank that was reached.

    first: 1 counts ranks from one (the seed of the best is 1); 0 counts from zero, as the released script does.
    average: mean of the ratings; `released` does what the released script does, which is to read a field "rating" of
    each, although each is a number.
    """

    first: Literal[1, 0] = 1
    average: Literal["mean", "released"] = "mean"

    def __call__(self, contest: Round) -> np.ndarray:
        """Everybody's rating from this round alone, at the true rank; the field keeps the participant itself."""
        return rating_at(contest.ratings, standing_ranks(contest.points, contest.penalty) - 1 + self.first)

    def mean_of(self, ratings: Sequence[Any]) -> float:
        """The average of ratings of rounds."""
        return float(np.mean([r["rating"] if self.average == "released" else r for r in ratings]))

    def career(self, steps: Sequence[Step]) -> np.ndarray:
        """(S,) averages over the contests."""
        each = [rating_at(step.field, step.ranks[:, 0] - 1 + self.first) for step in steps]
        return np.array([self.mean_of(ratings) for ratings in np.stack(each, axis=1)])
