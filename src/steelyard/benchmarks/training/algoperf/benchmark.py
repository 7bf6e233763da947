"""AlgoPerf from logs: time to result of complete training algorithms, one part of the score for each workload."""

from __future__ import annotations

import math
from typing import Any, get_args

import numpy as np

from steelyard.benchmarks.training.algoperf.gather import gather
from steelyard.benchmarks.training.algoperf.logs import RULESETS, Logs, read_logs
from steelyard.benchmarks.training.algoperf.made_up import made_up
from steelyard.core.errors import InputError, unknown
from steelyard.core.interfaces import Outcome, Replay
from steelyard.core.words import Case, Status
from steelyard.stats.profiles import performance_ratios
from steelyard.stats.time_to_result import Integral, Rule, Runs, Tuning, score, speedups

REFERENCE = "baseline"
PROFILES = {"sound": ("min_time", "exact"), "published": ("eval_index", "trapezoid")}


def logs_of(data: str | None, version: str) -> Logs:
    """The logs of a folder, or our own."""
    return made_up() if data is None else read_logs(data, version)


class AlgoPerf:
    """Contenders are the submissions in the logs: replay:NAME. The card lists the options."""

    def __init__(
        self, ruleset: str = "external_tuning", profile: str = "sound", rule: str = "", integral: str = "",
        coupling: bool = True, tuning: str = "studies", targets: str | float = "", strict: bool = False,
    ) -> None:  # fmt: skip
        if profile not in PROFILES:
            raise InputError(f"algoperf: profile is {profile!r}.", "It may be 'sound' or 'published'.")
        usual = PROFILES[profile]
        self.how = {
            "rule": _one_of("rule", rule or usual[0], Rule), "integral": _one_of("integral", integral or usual[1], Integral),
            "tuning": _one_of("tuning", tuning, Tuning), "coupling": bool(coupling),
        }  # fmt: skip
        if ruleset not in RULESETS:
            raise InputError(f"algoperf: ruleset is {ruleset!r}.", f"It may be {' or '.join(RULESETS)}.")
        self.ruleset, self.targets, self.strict = ruleset, str(targets), bool(strict)
        self.notes: list[str] = []

    def cases(self, data: str | None) -> list[Case]:
        """One case for each base workload that has logs."""
        logs = logs_of(data, self.targets)
        found, notes = gather(logs, strict=self.strict)
        self.notes = [n for n in notes if not n.startswith(tuple(r for r in RULESETS if r != self.ruleset))]
        if self.ruleset not in found:
            raise InputError(f"the logs have no {self.ruleset}.", f"They have {', '.join(found)}.")
        self.runs: Runs = found[self.ruleset]
        self.scored = score(self.runs, **self.how)  # type: ignore[arg-type]
        self.official = score(self.runs, rule="eval_index", integral="trapezoid")
        self.ratios = performance_ratios(self.scored.coupled)
        cases = []
        for workload in (self.runs.workloads[b] for b in self.runs.base):
            goal, higher = logs.targets.goal[workload]
            about = {
                "ruleset": self.ruleset, "workload": workload, "metric": logs.targets.metric[workload], "target": goal,
                "target_is": "at least" if higher else "at most",
            }  # fmt: skip
            cases.append(Case(f"{self.ruleset}/{workload}", workload, about, workload))
        return cases

    def contenders_in(self, data: str | None) -> list[str]:
        """Every submission of the ruleset."""
        self.cases(data)
        return [f"replay:{name}" for name in self.runs.submissions]

    def measure(self, contender: Any, case: Case, trial: int) -> Outcome:
        """Time, score and speed-up of a logged submission on one workload; see the card for the metrics."""
        if not isinstance(contender, Replay):
            raise InputError("algoperf scores logs: its contenders are replay:NAME.", "Put your logs into --data.")
        if contender.name not in self.runs.submissions:
            known = unknown("submission", contender.name, self.runs.submissions, where=f"the logs of {self.ruleset}")
            return Outcome({}, Status.UNSUPPORTED, str(known))
        s = self.runs.submissions.index(contender.name)
        w = self.runs.workloads.index(case.payload)
        time = float(self.scored.times[s, w])
        metrics = {
            "score": float(self.scored.parts[s, w]),
            "published_score": float(self.official.parts[s, w]),
            "reached": float(math.isfinite(time)),
            "lost_to_variant": float(self.scored.lost[s, w]),
        }
        if math.isfinite(time):
            metrics["time"] = time
        if math.isfinite(self.ratios[s, w]):
            metrics["ratio"] = float(self.ratios[s, w])
        if REFERENCE in self.runs.submissions and math.isfinite(self.runs.budgets[w]):
            base = self.runs.base
            faster = speedups(
                self.scored.times[:, base], self.runs.submissions.index(REFERENCE), self.runs.budgets[base]
            )
            metrics["speedup"] = float(faster[s, w])
        return Outcome(metrics)

    def summary(self, values: Any) -> dict[str, str | float]:
        """The leaderboard's figure, how many workloads were reached and lost, and the geometric mean of speed-ups."""
        scores, official, reached, lost, faster = (
            list(values(n).values()) for n in ("score", "published_score", "reached", "lost_to_variant", "speedup")
        )
        if not scores:
            return {}
        found: dict[str, str | float] = {
            "score": f"{np.mean(scores):.4f}", "by the official code": f"{np.mean(official):.4f}",
            "reached": f"{sum(reached):.0f} of {len(scores)}",
            "lost to variants": f"{sum(lost):.0f}",
        }  # fmt: skip
        if faster:
            found["speed-up (geometric mean)"] = f"{math.exp(float(np.mean(np.log(faster)))):.3f}x"
        return found


def _one_of(option: str, value: str, kind: Any) -> str:
    if value not in get_args(kind):
        raise InputError(f"algoperf: {option} is {value!r}.", f"It may be {' or '.join(get_args(kind))}.")
    return value
