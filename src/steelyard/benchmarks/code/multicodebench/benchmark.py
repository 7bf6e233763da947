"""MultiCodeBench: functions of twelve application domains in fifteen languages, written from signature and docstring."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from steelyard.benchmarks.code.multicodebench import extraction, prompting, scoring
from steelyard.benchmarks.code.multicodebench.prompting import Context
from steelyard.benchmarks.code.multicodebench.tasks import Task, read_outputs, read_scores, read_tasks
from steelyard.benchmarks.code.options import Route, check_options
from steelyard.core.errors import unknown
from steelyard.core.interfaces import Message, Outcome
from steelyard.core.words import Case, Provenance, Status

OUTPUTS, FENCED = "-outputs", "fenced-reference"
Profile = Literal["sound", "published"]


@dataclass
class MultiCodeBench:
    """profile: what `codebleu` is: ours on the extracted function, or the released scorer's on the answer as it is."""

    profile: Profile = "sound"

    own: ClassVar[Path] = Path(__file__).parent / "data"
    notes: list[str] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        check_options(profile=self.profile)
        self._tasks: list[Task] = []
        self._folder = self.own

    def cases(self, data: str | None = None) -> Iterable[Case]:
        """One case a task, its repository as group. InputError names line and field, MissingError what is not here."""
        self.notes.clear()
        self._folder = self.own if data is None else Path(data)
        read = list(read_tasks(self._folder, self.notes))
        self._tasks = [task for _, task in read]
        self._scores, self._outputs = read_scores(self._folder), read_outputs(self._folder)
        cases = []
        for at, (identity, task) in enumerate(read):
            facts = {
                "domain": task.domain, "framework": task.framework, "language": task.language,
                "repository": task.repository, "place": at, "api": len(task.api), "dependencies": len(task.dependencies),
            }  # fmt: skip
            cases.append(Case(identity, task, facts, task.repository))
        return cases

    def prompt(self, case: Case, route: Route = "chat", context: Context = "docstring", **_: object) -> list[Message]:
        """Declaration and docstring with one kind of context. Route completion: a text to be continued."""
        check_options(route=route)
        task: Task = case.payload
        parts = prompting.context_of(task, self._other(case), context)
        if route == "completion":
            return [Message("raw", prompting.completion(task, parts))]
        return [Message("user", prompting.chat(task, parts))]

    def _other(self, case: Case) -> Task:
        """The next task of the data in the same language that has dependencies: the control of context=shuffled."""
        at = int(case.attributes["place"])
        for task in (*self._tasks[at + 1 :], *self._tasks[:at]):
            if task.language == case.payload.language and task.dependencies:
                return task
        return self._tasks[(at + 1) % len(self._tasks)]

    def generation(self, **_: object) -> dict[str, object]:
        """The paper's decoding parameters are not released; three samples of moderate temperature are ours."""
        return {"temperature": 0.4, "top_p": 0.95, "max_tokens": 512}

    def program(self, case: Case, output: str, **_: object) -> str:
        """The function in an answer; "" where there is none."""
        return scoring.measure(case.payload, output)[0].text

    def reference(self, case: Case, route: Route = "chat", **_: object) -> str:
        """An output that must score 1. Route completion: what follows the declaration, where the reference has it."""
        task: Task = case.payload
        if route == "completion":
            return extraction.respelled(task).removeprefix(task.signature)
        return task.truth

    def score(self, case: Case, output: str, **_: object) -> Outcome:
        """All metrics of one output; `extraction` says where the function was found."""
        found, metrics = scoring.measure(case.payload, output)
        metrics = self._profiled(metrics)
        about = f"{found.rung}: {found.why}" if found.why else found.rung
        return Outcome(
            metrics, Status.OK, "NoCode" if not found.text else "", {"program": found.text, "extraction": about}
        )

    def _profiled(self, metrics: Mapping[str, float]) -> dict[str, float]:
        """The metrics with `codebleu` as the profile wants it."""
        if self.profile == "published" and "official_codebleu" in metrics:
            return {**metrics, "codebleu": metrics["official_codebleu"] / 100}
        return dict(metrics)

    def contenders_in(self, data: str | None) -> list[str]:
        """`replay:MODEL` for published scores, `replay:MODEL-outputs` for published outputs, and the planted answers."""
        folder = self.own if data is None else Path(data)
        scored, written = read_scores(folder), read_outputs(folder)
        return [*(f"replay:{m}" for m in scored), *(f"replay:{m}{OUTPUTS}" for m in written), f"replay:{FENCED}"]

    def replay(self, name: str, case: Case, trial: int) -> str | Outcome:
        """What was published under a name for a case: an output to be scored, or a score.

        `fenced-reference` is planted: the reference as a chat model would give it, in a fence after a sentence.
        Raises InputError for a name that the data do not have.
        """
        task: Task = case.payload
        if name == FENCED:
            return f"Here is the function.\n\n```{task.language}\n{task.truth}\n```\nIt does what was asked."
        key = (task.domain, case.id.partition("/")[2])
        model = name.removesuffix(OUTPUTS)
        if name.endswith(OUTPUTS) and model in self._outputs:
            outputs = self._outputs[model].get(key, [])
            if trial < len(outputs):
                return outputs[trial]
        elif name in self._scores:
            scores = self._scores[name].get(key, [])
            if trial < len(scores):
                metrics = self._profiled({"official_codebleu": scores[trial]})
                return Outcome(metrics, provenance=Provenance.PUBLISHED)
        else:
            raise unknown("replay", name, [*self._scores, *(f"{m}{OUTPUTS}" for m in self._outputs), FENCED])
        return Outcome({}, Status.UNSUPPORTED, f"nothing of {model} was published for this case and trial")

    def summary(self, values: Callable[..., Mapping[str, float]]) -> dict[str, object]:
        """Means of the released score over all tasks and by domain with n, as the paper's table, and Kendall's tau-b over
        tasks between it and other measures of the same answers."""
        from scipy.stats import kendalltau

        released = values("official_codebleu")
        if not released:
            return {}
        found: dict[str, object] = {"official_codebleu": sum(released.values()) / len(released)}
        domains: dict[str, list[float]] = {}
        for identity, value in released.items():
            domains.setdefault(identity.partition("/")[0], []).append(value)
        found |= {domain: f"{sum(v) / len(v):.1f} (n={len(v)})" for domain, v in domains.items()}
        for metric in ("codebleu", "bleu", "chrf", "edit_similarity", "api_f1"):
            other = values(metric)
            shared = [case for case in released if case in other]
            tau = (
                kendalltau([released[c] for c in shared], [other[c] for c in shared]).statistic
                if len(shared) > 2
                else math.nan
            )
            if not math.isnan(tau):
                found[f"tau with {metric}"] = float(tau)
        return found
