"""CoderEval: functions at six levels of dependency on the code around them: published verdicts, and tasks that can be run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from steelyard.benchmarks.code.codereval import census, java_tasks, published, records, tasks
from steelyard.benchmarks.code.codereval.java_tasks import JavaRunnable
from steelyard.benchmarks.code.codereval.tasks import Runnable
from steelyard.benchmarks.code.options import Route, check_options
from steelyard.core.errors import InputError
from steelyard.core.interfaces import Message, Outcome
from steelyard.core.words import Case, Status

ONLY_VERDICTS = "only verdicts were published of this task: it cannot be run"


RUNNABLE = (Runnable, JavaRunnable)


class CoderEval:
    """missing: a sample that the protocol asks for and nobody released counts as failed, or not at all (dropped).

    timeout: seconds for the tests of a task that is run. census: no tasks, but a case for each of some much-used packages
    that is installed here: how many of its functions stand alone.
    """

    own: ClassVar[Path] = Path(__file__).parent / "data"

    def __init__(self, missing: published.Missing = "failed", timeout: float = 30.0, census: bool = False) -> None:
        if missing not in ("failed", "dropped"):
            raise InputError(f"codereval: missing is {missing!r}.", "It may be failed or dropped.")
        check_options(timeout=timeout)
        self.missing = missing
        self.timeout = timeout
        self.census = census
        self.facts: dict[str, float] = {}

    def cases(self, data: str | None = None) -> Iterable[Case]:
        """The tasks of both languages. data: the released verdicts (a file or its folder), or a folder with tasks that can
        be run, such as the project's own, which are the default.

        Raises InputError naming line or record and field, MissingError for a project that is not here.
        """
        if self.census:
            for package in census.installed():
                yield Case(package.name, package, {"project": package.name}, group=package.name)
            return
        place = Path(data) if data is not None else self.own
        found: Sequence[published.Task | Runnable | JavaRunnable]
        if _can_be_run(place):
            found = _runnable(place)
        else:
            found = published.read_tasks(place)
            self.facts = published.facts(found)
        projects = {(task.language, _project_of(task)) for task in found}
        several = {language for language in ("Python", "Java") if sum(of == language for of, _ in projects) > 1}
        for task in found:
            about: dict[str, Any] = {"language": task.language, "level": task.level, "standalone": task.standalone}
            about["name"] = task.name
            about["project"] = _project_of(task)
            if not isinstance(task, published.Task):
                about["computed_level"] = task.computed_level
            # of a language with one project its tasks are all the cases there are: one group would have no interval
            yield Case(task.id, task, about, group=about["project"] if task.language in several else "")

    def contenders_in(self, data: str | None) -> list[str]:
        """The published runs; of tasks that can be run the reference and no answer."""
        if self.census:
            return ["gold"]
        if data is None or _can_be_run(Path(data)):
            return ["gold", "empty"]
        runs = dict.fromkeys(run for task in published.read_tasks(Path(data)) for run in task.runs)
        return [f"replay:{model}[prompt={prompt}]" for model, prompt in sorted(runs)]

    def prompt(self, case: Case, prompt: str = "raw_docstring", route: Route = "chat", **_: object) -> list[Message]:
        """Signature and description: the original docstring, or an engineer's sentence (human_label)."""
        check_options(route=route)
        if not isinstance(case.payload, RUNNABLE):
            raise InputError(f"{case.id}: {ONLY_VERDICTS}.", "Weigh the published runs: leave --with out.")
        return case.payload.asked(prompt, route)

    def generation(self, **_: object) -> dict[str, object]:
        """Nucleus sampling, ten samples (the temperature is from memory of the paper)."""
        return {"temperature": 0.8, "top_p": 0.95, "max_tokens": 300}

    def reference(self, case: Case, **_: object) -> str | Outcome:
        """The function as it stands in its project; of a published task the tasks and samples there are."""
        if isinstance(case.payload, census.Package):
            levels = case.payload.levels()
            facts = {"non_standalone": census.share(levels), "functions": float(levels.total())}
            return Outcome(facts, Status.UNSUPPORTED, "a package is no task: its functions were counted")
        if not isinstance(case.payload, RUNNABLE):
            return Outcome(self.facts, Status.UNSUPPORTED, ONLY_VERDICTS)
        return case.payload.reference

    def program(self, case: Case, output: str, route: Route = "chat", **_: object) -> str:
        """The body that an output gives the function."""
        return str(case.payload.filled(output, route)[1])

    def replay(self, name: str, case: Case, trial: int, prompt: str = "raw_docstring", **_: object) -> Outcome:
        """The published verdict on one sample."""
        if isinstance(case.payload, RUNNABLE):
            raise InputError(f"{case.id} has no published verdicts.", "Give them: --data PATH of verdicts.jsonl.gz.")
        return published.replayed(case.payload, name, prompt, trial, self.missing)

    def score(self, case: Case, output: str, route: Route = "chat", **_: object) -> Outcome:
        """The function put in its place and tested, and the share of the names of its context that it uses."""
        if not isinstance(case.payload, RUNNABLE):
            return Outcome({}, Status.UNSUPPORTED, ONLY_VERDICTS)
        return case.payload.scored(output, route, self.timeout)

    def summary(self, values: Any) -> list[dict[str, str | float]]:
        """pass@k by language and level, standalone against the rest, kinds of failures."""
        passes = values.trials("pass_at_1")
        kinds = [metric for of_language in published.KINDS.values() for metric in of_language.values()]
        failures = {kind: values.trials(kind) for kind in kinds}
        if not passes:
            return []
        absent = values("samples_missing") if self.missing == "failed" else {}
        return published.summarise(passes, values.attributes("pass_at_1"), absent, failures)


def _project_of(task: published.Task | Runnable | JavaRunnable) -> str:
    return task.project.name if isinstance(task, Runnable) else str(task.project)


def _can_be_run(place: Path) -> bool:
    return (place / tasks.NAME).is_file() or (place / java_tasks.NAME).is_file()


def _runnable(place: Path) -> list[Runnable | JavaRunnable]:
    """The tasks of either language that a folder has."""
    found: list[Runnable | JavaRunnable] = []
    for name, read in ((tasks.NAME, tasks.read_python), (java_tasks.NAME, java_tasks.read_java)):
        if (place / name).is_file():
            found += read(place, records.read(place / name))
    return found
