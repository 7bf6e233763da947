"""Rules that turn ranks in contests into ratings, on real rounds and on simulated careers of known strength."""

from __future__ import annotations

import traceback
from typing import Any

import numpy as np

from steelyard.benchmarks.code.codeelo.benchmark import read
from steelyard.benchmarks.code.codeelo.rounds import Rated
from steelyard.core.errors import InputError
from steelyard.core.interfaces import Outcome
from steelyard.core.words import Case
from steelyard.stats.careers import careers

STRENGTHS = (400, 900, 1400, 1900, 2400)
CONTESTS = (10, 25, 54)  # 54 is the number of contests of the paper
FIELD, COPIES = 300, 100


class ContestRating:
    """A rule is called with a round (stats.contest.Round) and gives everybody's rating after it; `career(steps)` gives
    the final ratings of simulated contestants (stats.careers.Step); `mean_of(ratings)` averages ratings of rounds."""

    def __init__(self, copies: int = COPIES) -> None:
        if copies < 2:
            raise InputError(f"contest-rating: copies is {copies}.", "A spread needs two careers or more.")
        self.copies = int(copies)
        self.notes: list[str] = []

    def cases(self, data: str | None) -> list[Case]:
        """The rounds, then careers by strength and number of contests."""
        found = read(data, "sound", "contest-rating")
        self.notes = found.notes
        self.ratings = np.concatenate([r.contest.ratings for r in found.rated])
        cases = [
            Case(
                f"round-{r.contest.id}", r,
                {"kind": "round", "contest": int(r.contest.id), "participants": r.contest.ratings.size}, "round",
            )
            for r in found.rated
        ]  # fmt: skip
        for strength in STRENGTHS:
            for contests in CONTESTS:
                about = {"kind": "career", "strength": strength, "contests": contests}
                cases.append(Case(f"career-{strength}-{contests}", about, about, f"strength {strength}"))
        return cases

    def summary(self, values: Any) -> dict[str, float]:
        """Bias and spread over careers, and the share of real changes reproduced, of all participants of all rounds."""
        found: dict[str, float] = {}
        for name in ("error", "bias", "spread"):
            of = [v for case, v in values(name).items() if case.startswith("career")]
            if of:
                found[f"{name} (careers)"] = float(np.mean(of))
        if of := list(values("changes_reproduced").values()):
            found["changes reproduced"] = float(np.mean(of))
        return found

    def measure(self, contender: Any, case: Case, trial: int) -> Outcome:
        """How far the ratings lie from the old ones (round) or from the truth (career); see the card."""
        if case.attributes["kind"] == "round":
            return _round(contender, case.payload)
        strength, contests = case.payload["strength"], case.payload["contests"]
        steps = careers(
            strength, self.ratings, contests, field=FIELD, copies=self.copies, seed=1000 * strength + trial
        )  # the longer career of a strength begins like the shorter
        return Outcome(_errors(np.asarray(contender.career(steps), float) - strength))


def _round(contender: Any, rated: Rated) -> Outcome:
    contest = rated.contest
    after = np.asarray(contender(contest), float)
    moved = after - contest.ratings
    metrics = _errors(moved)
    third = moved.size // 3
    metrics |= {"bias_best": float(moved[:third].mean()), "bias_last": float(moved[-third:].mean())}
    if rated.changes is not None:
        metrics["changes_reproduced"] = float((moved == rated.changes).mean())
    log = ""
    if hasattr(contender, "mean_of"):
        try:
            contender.mean_of([int(r) for r in after[:2]])
            metrics["finishes"] = 1.0
        except Exception:
            metrics["finishes"], log = 0.0, traceback.format_exc()
    return Outcome(metrics, artifacts={"log": log} if log else {})


def _errors(off: np.ndarray) -> dict[str, float]:
    return {
        "error": float(np.sqrt((off**2).mean())), "bias": float(off.mean()), "spread": float(off.std(ddof=1)),
    }  # fmt: skip
