"""JavaBench's released verdicts, added up as published and soundly: one case a model and granularity, one contender a setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from steelyard.benchmarks.code.javabench import verdicts
from steelyard.benchmarks.code.options import Profile, check_options
from steelyard.core.errors import InputError, MissingError, unknown
from steelyard.core.interfaces import Outcome, Replay
from steelyard.core.words import Case, Provenance, Status

ALL = "all"
EVERY = "all-settings"
Board = Mapping[tuple[str, str], Sequence[verdicts.Verdict]]


@dataclass(frozen=True)
class JavaBenchVerdicts:
    """profile: "published" takes the released estimator, which is fed fractions; "sound" takes means."""

    profile: Profile = "sound"

    own: ClassVar[Path] = Path(__file__).parent.parent / "javabench" / "data"

    def __post_init__(self) -> None:
        check_options(profile=self.profile)

    def cases(self, data: str | None = None) -> list[Case]:
        """MODEL/class-wise and MODEL/test-wise over all projects, and the same for each project."""
        folder = Path(data) if data is not None else self.own
        path = next((p for p in (folder / "scores.jsonl.gz", folder / "scores.jsonl") if p.is_file()), None)
        if path is None:
            raise MissingError(f"{folder}: has no scores.jsonl.gz.", "It holds the released verdicts, one a line.")
        board = verdicts.read_verdicts(path)
        printed = verdicts.read_aggregates(folder)
        cases = []
        for model in sorted({m for _, m in board}):
            for granularity in ("class", "test"):
                of_model = {s: g[granularity] for (s, m), g in board.items() if m == model and g[granularity]}
                projects = sorted({project for of in of_model.values() for project, _ in of})
                for project in (ALL, *projects):
                    payload = {
                        s: ({k: v for k, v in of.items() if project in (ALL, k[0])},
                            printed.get((s, model), {}).get(granularity, {}) if project == ALL else {})
                        for s, of in of_model.items()
                    }  # fmt: skip
                    about = {"model": model, "granularity": granularity, "project": project}
                    name = f"{model}/{granularity}-wise" + ("" if project == ALL else f"/{project}")
                    cases.append(Case(name, payload, about, model))
        return cases

    def contenders_in(self, data: str | None) -> list[str]:
        """Every setting (strategy and context) that has verdicts."""
        return [f"replay:{s}" for s in sorted({s for case in self.cases(data) for s in case.payload})]

    def measure(self, contender: Any, case: Case, trial: int) -> Outcome:
        """What the verdicts of one setting on one model add up to; see the card for the metrics.

        replay:all-settings has of each metric the largest value over the settings.
        """
        if not isinstance(contender, Replay):
            raise InputError("javabench-verdicts adds up verdicts: its contenders are replay:SETTING.")
        if contender.name == EVERY:
            found = [self._of(*entry) for entry in case.payload.values()]
            names = dict.fromkeys(name for metrics in found for name in metrics)
            best = {name: max(metrics[name] for metrics in found if name in metrics) for name in names}
            return Outcome(best, provenance=Provenance.PUBLISHED)
        if contender.name not in case.payload:
            known = unknown("setting", contender.name, case.payload, where=f"the verdicts on {case.id}")
            return Outcome({}, Status.UNSUPPORTED, str(known))
        return Outcome(self._of(*case.payload[contender.name]), provenance=Provenance.PUBLISHED)

    def _of(self, board: Board, printed: Mapping[str, float]) -> dict[str, float]:
        metrics = verdicts.overall(board, published=self.profile == "published")
        completed, most = verdicts.most_passed(board)
        samples = [len(s[: verdicts.SAMPLES]) for s in board.values()]
        metrics |= {"projects_completed": completed, "most_passed": most, "samples": min(samples)}
        if printed:
            metrics["largest_difference"] = verdicts.largest_difference(metrics, printed.items())
        return metrics
