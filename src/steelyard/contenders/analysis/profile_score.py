"""The area under the performance profile, as AlgoPerf scores: one number for each submission of a set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from steelyard.core.contender import contender
from steelyard.stats.time_to_result import Runs, score


@contender("profile-score", interface="analysis", source="arXiv:2306.07179, section 4")
@dataclass(frozen=True)
class ProfileScore:
    """Share of workloads solved within tau times the fastest, averaged over tau from 1 to 4.

    rule: which trial stands for a study, the fastest or (as the official code) that with the fewest evaluations.
    integral: exact, or the official trapezoid over 100 points. coupling: whether a missed held-out variant loses its
    base workload. tuning: the median over studies, or the best of all trials of all studies, which pays for no tuning.
    """

    rule: Literal["min_time", "eval_index"] = "min_time"
    integral: Literal["exact", "trapezoid"] = "exact"
    coupling: bool = True
    tuning: Literal["studies", "best-of-all-trials"] = "studies"

    def __call__(self, runs: Runs) -> np.ndarray:
        done = score(runs, rule=self.rule, integral=self.integral, coupling=self.coupling, tuning=self.tuning)
        return done.scores
