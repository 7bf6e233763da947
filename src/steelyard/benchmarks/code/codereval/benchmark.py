"""CoderEval: functions at six levels of dependency on the code around them; today its published verdicts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from steelyard.benchmarks.code.codereval import published
from steelyard.core.errors import InputError, MissingError
from steelyard.core.interfaces import Message, Outcome
from steelyard.core.words import Case, Status

ONLY_VERDICTS = "only verdicts were published of this task: it cannot be run"


class CoderEval:
    """missing: a sample that the protocol asks for and nobody released counts as failed, or not at all (dropped)."""

    def __init__(self, missing: published.Missing = "failed") -> None:
        if missing not in ("failed", "dropped"):
            raise InputError(f"codereval: missing is {missing!r}.", "It may be failed or dropped.")
        self.missing = missing
        self.facts: dict[str, float] = {}

    def cases(self, data: str | None = None) -> Iterable[Case]:
        """The tasks of both languages. data: the released verdicts, a file or its folder.

        Raises InputError naming line and field, MissingError where there are no cases.
        """
        if data is None:
            raise MissingError("codereval has no cases of its own.", "Give it the published verdicts: --data PATH.")
        tasks = published.read_tasks(Path(data))
        self.facts = published.facts(tasks)
        for task in tasks:
            about = {"language": task.language, "level": task.level, "standalone": task.standalone, "name": task.name}
            yield Case(task.id, task, about | {"project": task.project}, group=task.project)

    def contenders_in(self, data: str | None) -> list[str]:
        """The published runs."""
        tasks = published.read_tasks(Path(data)) if data is not None else []
        runs = dict.fromkeys(run for task in tasks for run in task.runs)
        return [f"replay:{model}[prompt={prompt}]" for model, prompt in sorted(runs)]

    def prompt(self, case: Case, prompt: str = "raw_docstring", **_: object) -> list[Message]:
        raise InputError(f"{case.id}: {ONLY_VERDICTS}.", "Weigh the published runs: leave --with out.")

    def reference(self, case: Case, **_: object) -> Outcome:
        """The tasks and samples there are, for there is no program."""
        return Outcome(self.facts, Status.UNSUPPORTED, ONLY_VERDICTS)

    def replay(self, name: str, case: Case, trial: int, prompt: str = "raw_docstring", **_: object) -> Outcome:
        """The published verdict on one sample."""
        return published.replayed(case.payload, name, prompt, trial, self.missing)

    def score(self, case: Case, output: str, **_: object) -> Outcome:
        return Outcome({}, Status.UNSUPPORTED, ONLY_VERDICTS)

    def summary(self, values: Any) -> list[dict[str, str | float]]:
        """pass@k by language and level, standalone against the rest, kinds of failures."""
        passes = values.trials("pass_at_1")
        kinds = [metric for of_language in published.KINDS.values() for metric in of_language.values()]
        failures = {kind: values.trials(kind) for kind in kinds}
        if not passes:
            return []
        absent = values("samples_missing") if self.missing == "failed" else {}
        return published.summarise(passes, values.attributes("pass_at_1"), absent, failures)
