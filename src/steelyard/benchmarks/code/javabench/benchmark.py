"""JavaBench: classes of object-oriented projects to complete, judged class by class, test by test and as whole projects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any, ClassVar

from steelyard.benchmarks.code.javabench import answers, judge, prompts, published, verdicts
from steelyard.benchmarks.code.javabench.project import (
    Project,
    Suite,
    Task,
    read_projects,
    read_suites,
    read_tasks,
)
from steelyard.benchmarks.code.options import Profile, check_options
from steelyard.benchmarks.code.static import java
from steelyard.core.errors import InputError, MissingError
from steelyard.core.interfaces import Message, Outcome, join_outputs, split_outputs
from steelyard.core.words import Case, Status

GRANULARITIES = ("class", "test", "project")
KINDS = (*dict.fromkeys(judge.KINDS.values()), "other")


@dataclass
class JavaBench:
    """profile: "sound", or "published" with the released rules of extraction and replacement. timeout: seconds for the
    tests of a case, test_timeout: for one test."""

    profile: Profile = "sound"
    timeout: float = 60.0
    test_timeout: float = 10.0
    notes: list[str] = field(default_factory=list, init=False)

    own: ClassVar[Path] = Path(__file__).parent / "data"

    def __post_init__(self) -> None:
        check_options(profile=self.profile, timeout=min(self.timeout, self.test_timeout))

    # --- cases

    def cases(self, data: str | None = None) -> Iterable[Case]:
        """One case a class; then one a test class and one a project, whose parts are the classes they need.

        data: the folder of the official data, or None for our own. Raises InputError naming file, line and field, and
        MissingError for what is not here.
        """
        self._need_java()
        self.folder = Path(data) if data is not None else self.own
        projects = read_projects(self.folder)
        tasks = read_tasks(self.folder, projects)
        suites = read_suites(self.folder, projects, tasks)
        out = {name: judge.left_out(project) for name, project in projects.items()}
        self.notes = [
            f"{name}: left out, for a library is not here: {', '.join(paths)}" for name, paths in out.items() if paths
        ]
        made = {}
        for name, task in tasks.items():
            facts = {"todo_methods": len(answers.steps(task.skeleton))}
            made[name] = Case(name, task, _about("class", task.project, facts), task.project.name)
        yield from made.values()
        for name, suite in suites.items():
            if suite.target in judge.test_classes(suite.project):
                parts = tuple(made[t] for t in suite.tasks)
                facts = {"classes": len(parts)}
                yield Case(name, suite, _about("test", suite.project, facts), suite.project.name, parts)
        for project in projects.values():
            parts = tuple(c for c in made.values() if c.payload.project is project)
            if parts:
                facts = {"classes": len(parts)}
                yield Case(project.name, project, _about("project", project, facts), project.name, parts)

    def _need_java(self) -> None:
        from steelyard.sandbox.languages import java as runner

        if reason := runner.missing():
            raise MissingError(f"javabench compiles and tests Java: {reason}")

    # --- prompts and programs

    def prompt(self, case: Case, context: str = "selective", **_: object) -> list[Message]:
        """The class to complete. context: of the related sources all that fits, none, or their signatures."""
        task: Task = case.payload
        return prompts.whole(task.code, task.contexts[context])

    def generation(self, **_: object) -> dict[str, object]:
        return {"temperature": 0.2, "max_tokens": 4096}

    def steps(self, case: Case, **_: object) -> list[str]:
        """The methods to complete, for a solver that asks for one at a time."""
        return answers.steps(case.payload.skeleton)

    def ask_step(self, case: Case, done: str, step: str, context: str = "selective", **_: object) -> list[Message]:
        """What to ask for one method. done: the class so far, "" for the skeleton."""
        task: Task = case.payload
        shown = answers.for_step(done or task.skeleton, step)
        return prompts.one_method(shown, task.contexts[context], step.partition("#")[0])

    def take_step(self, case: Case, done: str, step: str, output: str, **_: object) -> str:
        """The class so far with the method that an answer gives."""
        answer = answers.extract(output, published=self.profile == "published")
        return answers.take_step(done or case.payload.skeleton, answer, step)

    def program(self, case: Case, output: str, **_: object) -> str:
        """The class in an answer; "" where there is none."""
        return answers.extract(output, published=self.profile == "published")

    def reference(self, case: Case, **_: object) -> str:
        """An output that must score 1: the class of the solution."""
        return f"```java\n{case.payload.solution}\n```"

    # --- scores

    def score(self, case: Case, output: str, **_: object) -> Outcome:
        """completion, compilation and pass of one output of a class, or of the outputs of all classes of a case.

        A class is judged by all tests of its project, the other classes being those of the solution; a test case by its
        test class, the solution's classes that it reaches being replaced; a project by all tests, all being replaced.
        """
        tasks: Mapping[str, Task] = {p.id: p.payload for p in case.parts or (case,)}
        given = split_outputs(output) if case.parts else {case.id: output}
        changed, why = {}, ""
        for name, task in tasks.items():
            text, fault = self._completed(task, given.get(name, ""))
            why = why or (f"{fault}: {name}" if fault else "")
            changed[task.target] = text
        artifacts = {"program": "\n".join(changed.values())}
        if why:
            return Outcome(verdicts.Verdict(False, False, 0, 0).scores, Status.OK, why, artifacts)
        project: Project = next(iter(tasks.values())).project
        suites = [case.payload.target] if isinstance(case.payload, Suite) else judge.test_classes(project)
        whole = isinstance(case.payload, Project)
        tested = judge.run(project, changed, suites, self.timeout, self.test_timeout, coverage=whole)
        compiled = tested.run is not None
        metrics = verdicts.Verdict(True, compiled, tested.passed, tested.total).scores
        metrics |= {"compile_errors": float(len(tested.errors))}
        metrics |= {f"errors_{kind}": float(n) for kind, n in judge.kinds(tested.errors).items()}
        if compiled:
            metrics |= {
                "tests_passed": tested.passed / tested.total if tested.total else 0.0,
                "tests": float(tested.total),
            }
        if whole:
            metrics |= _facts(project, tested)
        return Outcome(metrics, Status.OK, _error(tested), artifacts | {"log": _log(tested)})

    def _completed(self, task: Task, output: str) -> tuple[str, str]:
        """The file that takes the place of a class, and why it is not complete ("" where it is)."""
        published = self.profile == "published"
        answer = answers.extract(output, published=published)
        if not answer.strip():
            return "", "no class in the answer"
        text = answers.in_place(task.skeleton, answer, published=published)
        if text is None:
            return "", "no public class in the answer"
        return text, "TODO left" if answers.has_todo(task.skeleton, text) else ""

    # --- what was published

    def contenders_in(self, data: str | None) -> list[str]:
        """The models whose outputs the data bring."""
        folder = Path(data) if data is not None else self.own
        return [f"replay:{model}" for model in published.read_outputs(folder)] or ["smollm2"]

    def replay(self, name: str, case: Case, trial: int) -> Outcome:
        """The published outputs of a model, compiled and tested here, beside the published verdicts on them."""
        outputs = published.read_outputs(self.folder)
        if name not in outputs:
            raise InputError(f"the data have no outputs of {name!r}.", f"They have {', '.join(outputs) or 'none'}.")
        given = {part.id: outputs[name].get((part.id, trial)) for part in case.parts or (case,)}
        if lacking := [part for part, text in given.items() if text is None]:
            return Outcome({}, Status.UNSUPPORTED, f"no output {trial} of {lacking[0]} was published")
        texts = {part: str(text) for part, text in given.items()}
        output = join_outputs(texts) if case.parts else texts[case.id]
        outcome = self.score(case, output)
        official = published.verdict_of(self.folder, name, case.attributes["granularity"], case.id, trial)
        beside = published.agreement(outcome.metrics, official) if official else {}
        metrics, kept = {**outcome.metrics, **beside}, {**outcome.artifacts, "output": output}
        return Outcome(metrics, outcome.status, outcome.error, kept)

    def summary(self, values: Callable[..., Mapping[str, Any]]) -> dict[str, float | str]:
        """Each metric class-wise, test-wise and for whole projects, as the mean over projects; pass@5 where there are five
        trials; how verdicts agree with those published; the kinds of compiler errors."""
        found: dict[str, float | str] = {}
        estimate = verdicts.published_estimate if self.profile == "published" else verdicts.best_of
        for metric, k in (
            ("completion", 1),
            ("compilation", 1),
            ("pass_at_1", 1),
            ("pass_at_1", 5),
            ("pass_at_1_strict", 1),
        ):
            of = values(metric, trials=True)
            for granularity in GRANULARITIES:
                each = {
                    (c.partition("/")[0], c): estimate(v[:5], k)
                    for c, v in of.items()
                    if granularity_of(c) == granularity
                }
                kept = {key: value for key, value in each.items() if value is not None}
                if kept and len(kept) == len(each):
                    found[f"{metric.replace('_1', f'_{k}')} ({granularity})"] = verdicts.mean_of_projects(kept)
        for kind in published.DIFFERENCES:
            if of := values(kind):
                found[kind.replace("_", " ")] = fmean(of.values())
        errors = {kind: sum(sum(v) for v in values(f"errors_{kind}", trials=True).values()) for kind in KINDS}
        if any(errors.values()):
            shown = sorted((k for k in errors if errors[k]), key=lambda k: -errors[k])
            found["compile errors"] = ", ".join(f"{k.replace('_', ' ')} {errors[k]:g}" for k in shown)
        return found


def granularity_of(case: str) -> str:
    """PROJECT/Name.java is a class, PROJECT/Name a test class, PROJECT a project."""
    return "class" if case.endswith(".java") else "test" if "/" in case else "project"


def _about(granularity: str, project: Project, facts: Mapping[str, int]) -> dict[str, Any]:
    return {"granularity": granularity, "project": project.name, **facts}


def _facts(project: Project, tested: judge.Tested) -> dict[str, float]:
    """Of the project's own sources: types (nested ones too), methods with constructors, share of lines that tests reach."""
    types = [t for text in project.main.values() for t in java.read(text).all_types()]
    found = {"types": float(len(types)), "methods": float(sum(len(t.methods) for t in types))}
    if tested.lines and tested.lines[1]:
        found["line_coverage"] = tested.lines[0] / tested.lines[1]
    return found


def _error(tested: judge.Tested) -> str:
    """What went wrong first; "" where all tests passed."""
    if tested.run is None:
        first = tested.errors[0]
        return (
            f"compile error: {judge.kind_of(first).replace('_', ' ')}: {first.path}, line {first.line}: {first.message}"
        )
    if not tested.total:
        return f"no test ran: {tested.run.message or tested.run.verdict}"
    lost = next((t for t in tested.run.tests if not t.passed and t.verdict != "skipped"), None)
    if lost is None:
        return "" if tested.run.passed else f"{tested.run.verdict}: {tested.run.message}"
    return f"{tested.passed} of {tested.total} tests passed: {lost.name}: {lost.verdict}: {lost.message[:500]}"


def _log(tested: judge.Tested) -> str:
    """Every error of the compiler, or every test with its verdict."""
    errors = [f"{e.path}:{e.line}: {e.code}: {e.message}" for e in tested.errors]
    return "\n".join(
        errors or [f"{t.verdict} {t.name} {t.message}".rstrip() for t in (tested.run.tests if tested.run else ())]
    )
