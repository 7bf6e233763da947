"""Scoring rules for time to result: what each makes of a set of submissions, how sure, how much the set matters."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from steelyard.benchmarks.training import algoperf
from steelyard.benchmarks.training.algoperf.benchmark import logs_of
from steelyard.benchmarks.training.algoperf.gather import gather
from steelyard.core.errors import InputError, unknown
from steelyard.core.interfaces import Outcome, Replay
from steelyard.core.words import Case, Status
from steelyard.stats.resample import percentile
from steelyard.stats.time_to_result import Runs, resample, score

Scorer = Callable[[Runs], np.ndarray]


class TimeToResult:
    """A scorer is called with the runs of a ruleset (stats.time_to_result.Runs) and gives (S,) scores, higher better.

    replay:leaderboard-v05 gives the published scores. draws: bootstrap sets behind low and high.
    """

    def __init__(self, targets: str | float = "", draws: int = 1000) -> None:
        self.targets, self.draws = str(targets), int(draws)
        self.notes: list[str] = []
        self._known: dict[tuple[str, str], tuple[np.ndarray, np.ndarray, np.ndarray]] = {}

    def cases(self, data: str | None) -> list[Case]:
        """Every submission; every ruleset as a whole; every pair of a workload and its held-out variant."""
        self.runs, self.notes = gather(logs_of(data, self.targets))
        cases = []
        for ruleset, runs in self.runs.items():
            for name in runs.submissions:
                about = {"kind": "submission", "ruleset": ruleset, "submission": name}
                cases.append(Case(f"{ruleset}/{name}", (ruleset, name), about))
            cases.append(Case(ruleset, (ruleset, ""), {"kind": "ruleset", "ruleset": ruleset}))
            for variant, of in zip(runs.variants, runs.of, strict=True):
                pair = {"workload": runs.workloads[runs.base[of]], "variant": runs.workloads[variant]}
                about = {"kind": "pair", "ruleset": ruleset, **pair}
                cases.append(Case(f"{ruleset}/{pair['variant']}", (ruleset, pair["variant"]), about))
        return cases

    def measure(self, contender: Any, case: Case, trial: int) -> Outcome:
        """See the card for the metrics of each kind of case."""
        kind, (ruleset, name) = case.attributes["kind"], case.payload
        runs = self.runs[ruleset]
        if isinstance(contender, Replay):
            return _published(contender.name, case)
        if kind == "ruleset":
            return Outcome(self._whole(contender, ruleset, trial))
        if kind == "pair":
            return _pair(runs, name)
        scores, draws, alone = self._scores(contender, ruleset)
        s = runs.submissions.index(name)
        low, high = percentile(draws[:, s])
        metrics = {
            "score": float(scores[s]),
            "rank": float(1 + (scores > scores[s]).sum()),
            "low": low,
            "high": high,
        }
        if (solvable := runs.solvable()).base.size:
            metrics["score_over_solvable"] = float(contender(solvable)[s])
        if not np.isnan(alone[:, s]).all():
            metrics["leave_one_out"] = float(np.nanmax(np.abs(alone[:, s] - scores[s])))
        table = leaderboard()  # a score is comparable only within its set of submissions
        if {f"{ruleset}/{other}" for other in runs.submissions} == {c for c in table if c.startswith(f"{ruleset}/")}:
            metrics["published_difference"] = abs(float(scores[s]) - table[case.id])
        return Outcome(metrics)

    def _scores(self, contender: Scorer, ruleset: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(S,) scores, (draws, S) bootstrap scores, and (S, S) scores of the columns with the row's submission left out."""
        key = (repr(contender), ruleset)
        if key not in self._known:
            runs = self.runs[ruleset]
            scores = np.asarray(contender(runs), float)
            if scores.shape != (len(runs.submissions),) or not np.isfinite(scores).all():
                raise InputError(
                    f"{contender} gives no finite score for each of the {len(runs.submissions)} submissions."
                )
            draws = np.array([contender(r) for r in resample(runs, self.draws, seed=0)])
            alone = np.full((scores.size, scores.size), np.nan)
            for j in range(scores.size) if scores.size > 1 else ():
                try:
                    alone[j, np.arange(scores.size) != j] = contender(runs.without(j))
                except InputError:  # the reference of a scorer cannot leave
                    continue
            self._known[key] = scores, draws, alone
        return self._known[key]

    def _whole(self, contender: Scorer, ruleset: str, trial: int) -> dict[str, float]:
        """What the rule says of a ruleset; a trial above 0 is tau in a set of resampled workloads and studies."""
        runs = self.runs[ruleset]
        if trial:
            return _tau(contender, next(iter(resample(runs, 1, seed=trial))))
        metrics = {"solvable": float(runs.solvable().base.size), **_tau(contender, runs)}
        scores, draws, _ = self._scores(contender, ruleset)
        if scores.size > 1:
            first, second = np.argsort(-scores, kind="stable")[:2]
            low, high = percentile(draws[:, first] - draws[:, second])
            metrics |= {"lead": float(scores[first] - scores[second]), "lead_low": low, "lead_high": high}
            metrics["lead_separated"] = float(low > 0)
        return metrics

    def summary(self, values: Any) -> dict[str, str | float]:
        """How far the scores lie from the published ones, and how far one submission's leaving moves them."""
        found: dict[str, str | float] = {}
        for title, name, over in (
            ("widest 95% interval", "", max), ("largest move when one leaves", "leave_one_out", max),
            ("furthest from published", "published_difference", max), ("tau to the protocol", "tau", min),
        ):  # fmt: skip
            of = values(name) if name else {}
            if not name:
                low, high = values("low"), values("high")
                of = {case: high[case] - low[case] for case in low if case in high}
            if of:
                found[title] = f"{over(of.values()):.4f}"
        return found


def leaderboard() -> dict[str, float]:
    """`ruleset/submission` -> the published score of AlgoPerf v0.5, to four decimals."""
    path = Path(algoperf.__file__).parent / "published.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return {row["case"]: float(row["value"]) for row in csv.DictReader(file)}


def _published(name: str, case: Case) -> Outcome:
    if name != "leaderboard-v05":
        raise unknown("leaderboard", name, ["leaderboard-v05"])
    table = leaderboard()
    if case.id not in table:
        return Outcome({}, Status.UNSUPPORTED, f"the published leaderboard has no {case.id}")
    return Outcome({"score": table[case.id]})


def _tau(scorer: Scorer, runs: Runs) -> dict[str, float]:
    """Kendall's tau-b between this scorer's order and the protocol's; nothing where either ties all."""
    from scipy.stats import kendalltau

    tau = float(kendalltau(scorer(runs), score(runs).scores).statistic) if len(runs.submissions) > 1 else np.nan
    return {"tau": tau} if np.isfinite(tau) else {}


def _pair(runs: Runs, variant: str) -> Outcome:
    """Whether the fastest submission differs between a workload and its variant, by the protocol's times."""
    times = score(runs).times
    v = runs.workloads.index(variant)
    b = runs.base[runs.of[list(runs.variants).index(v)]]
    if not (np.isfinite(times[:, b]).any() and np.isfinite(times[:, v]).any()):
        return Outcome({}, Status.UNSUPPORTED, "nobody reaches the target of the workload, or of its variant")
    return Outcome({"winner_changes": float(times[:, b].argmin() != times[:, v].argmin())})
