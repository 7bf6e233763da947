"""The contest platform's own rating change, applied round after round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from steelyard.core.contender import contender
from steelyard.stats.careers import Step
from steelyard.stats.contest import Round, platform_changes, standing_ranks


@contender("platform-update", interface="analysis", source="the platform's published rating code")
@dataclass(frozen=True)
class PlatformUpdate:
    """Each moves half way to the rating at which the geometric mean of rank and expected rank would be expected.

    start: rating of a newcomer (the platform's was 1500 when the stored rounds took place).
    """

    start: int = 1500

    def __call__(self, contest: Round) -> np.ndarray:
        ranks = standing_ranks(contest.points, contest.penalty)
        return contest.ratings + platform_changes(ranks, contest.ratings)

    def career(self, steps: Sequence[Step]) -> np.ndarray:
        """(S,) ratings after the last contest; everybody in a field is updated, for the corrections are shared."""
        own = np.full((steps[0].ranks.shape[0], 1), self.start)
        for step in steps:
            field = np.broadcast_to(step.field, (own.size, step.field.size))
            own = own + platform_changes(step.ranks, np.concatenate([own, field], axis=1))[:, :1]
        return own[:, 0]
