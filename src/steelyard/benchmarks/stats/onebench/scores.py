"""The scores themselves: each model's mean on each source, and the published win rates they must add up to."""

from __future__ import annotations

from typing import Any

import numpy as np

from steelyard.benchmarks.stats.onebench.data import LEADERBOARD_SOURCE, read_samples
from steelyard.core.errors import unknown
from steelyard.core.interfaces import Outcome, Replay
from steelyard.core.words import Case, Status
from steelyard.stats.aggregate import matrix

BLOCK = 25  # samples


class OneBenchScores:
    """Cases: blocks of about 25 samples of a source (every k-th, so that blocks are alike); models with a published rate."""

    def cases(self, data: str | None) -> list[Case]:
        """scores/SOURCE/BLOCK, then win-rate/MODEL."""
        pool = read_samples(data)
        cases = []
        self.models: set[str] = set()
        for source in dict.fromkeys(pool.sources.tolist()):
            x, models = pool.of(source)
            self.models |= set(models)
            blocks = max(2, round(x.shape[1] / BLOCK))
            for b in range(blocks):
                part = {name: row[b::blocks] for name, row in zip(models, x, strict=True)}
                cases.append(Case(f"scores/{source}/{b:02d}", part, {"study": "scores", "source": source}))
        if pool.win_rates:
            x, models = pool.of(LEADERBOARD_SOURCE)
            for at, model in enumerate(models):
                if model in pool.win_rates:
                    facts = {"study": "win-rate", "source": LEADERBOARD_SOURCE, "model": model}
                    cases.append(Case(f"win-rate/{model}", (x, at, pool.win_rates[model]), facts))
        return cases

    def measure(self, contender: Any, case: Case, trial: int) -> dict[str, float] | Outcome:
        """replay:MODEL gives its mean score on a block; a method gives its score of a model against the published one."""
        if case.attributes["study"] == "scores":
            if not isinstance(contender, Replay):
                return Outcome({}, Status.UNSUPPORTED, "blocks are scored for replay:MODEL")
            if contender.name not in self.models:
                raise unknown("model", contender.name, self.models, where="the samples")
            if contender.name not in case.payload:
                return Outcome({}, Status.UNSUPPORTED, f"was not measured on {case.attributes['source']}")
            return {"mean_score": float(np.nanmean(case.payload[contender.name]))}
        if isinstance(contender, Replay):
            return Outcome({}, Status.UNSUPPORTED, "win rates are computed by a method, such as mean")
        x, at, published = case.payload
        return {"win_rate_difference": abs(100 * float(contender(matrix(x))[at]) - published)}
