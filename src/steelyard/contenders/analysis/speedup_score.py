"""The geometric mean of speed-ups over a reference, the older way to average times over workloads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from steelyard.core.contender import contender
from steelyard.core.errors import InputError
from steelyard.stats.time_to_result import Runs, score, speedups


@contender("speedup-score", interface="analysis", source="arXiv:2306.07179, section 4")
@dataclass(frozen=True)
class SpeedupScore:
    """Geometric mean over workloads of the reference's time over the submission's; no other submission matters.

    reference: whose speed-up is 1. A miss is charged the workload's budget and one second. Held-out variants play no
    part.
    """

    reference: str = "baseline"

    def __call__(self, runs: Runs) -> np.ndarray:
        if self.reference not in runs.submissions:
            raise InputError(
                f"speedup-score: no submission {self.reference!r}.", f"Known: {', '.join(runs.submissions)}."
            )
        if np.isnan(runs.budgets[runs.base]).any():
            raise InputError("speedup-score needs the budget of every workload.", "Add max_runtime to its target.")
        faster = speedups(
            score(runs).times[:, runs.base], runs.submissions.index(self.reference), runs.budgets[runs.base]
        )
        return np.asarray(np.exp(np.log(faster).mean(axis=1)))
