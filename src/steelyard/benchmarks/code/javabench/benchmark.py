"""JavaBench: classes of object-oriented projects to complete, judged class by class, test by test and as whole projects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
SHOWN = (
    ("pass_at_1", "pass@1"),
    ("pass_at_1_strict", "all tests"),
    ("compilation", "compiles"),
    ("completion", "complete"),
)
KINDS = (*dict.fromkeys(judge.KINDS.values()), "other")


@dataclass
class JavaBench:
    """profile: "sound", or "published" with the released rules of extraction and replacement. timeout: seconds for the
    tests of a case, test_timeout: for one test."""

    profile: Profile = "sound"
    timeout: float = 60.0
    test_timeout: float = 20.0
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
        for project in projects.values():
            judge.need_libraries(project)
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
        """What to ask for one method. done: the output so far, "" for the skeleton."""
        task: Task = case.payload
        shown = answers.for_step(self.program(case, done) or task.skeleton, step)
        return prompts.one_method(shown, task.contexts[context], step.partition("#")[0])

    def take_step(self, case: Case, done: str, step: str, output: str, **_: object) -> str:
        """The output so far with the method that an answer gives."""
        so_far = self.program(case, done) or case.payload.skeleton
        return answers.fenced(answers.take_step(so_far, self.program(case, output), step))

    def program(self, case: Case, output: str, **_: object) -> str:
        """The class in an answer; "" where there is none."""
        return answers.extract(output, published=self.profile == "published")

    def reference(self, case: Case, **_: object) -> str:
        """An output that must score 1: the class of the solution."""
        return answers.fenced(case.payload.solution)

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
        if tested.fault:
            return Outcome({}, Status.FAILED, f"not judged: {tested.fault}", artifacts)
        metrics = verdicts.Verdict(True, tested.compiled, tested.passed, tested.total).scores
        metrics |= {"compile_errors": float(len(tested.errors))}
        metrics |= {f"errors_{kind}": float(n) for kind, n in judge.kinds(tested).items()}
        if tested.compiled:
            metrics |= {
                "tests_passed": tested.passed / tested.total if tested.total else 0.0,
                "tests": float(tested.total),
            }
        if whole:
            metrics |= _facts(project, tested)
        return Outcome(metrics, Status.OK, _error(tested), artifacts | {"log": _log(tested)})

    def _completed(self, task: Task, output: str) -> tuple[str, str]:
        """The file that takes the place of a class, and why it is not complete ("" where it is)."""
        as_published = self.profile == "published"
        found = answers.extraction(output, published=as_published)
        if not found.text.strip():
            return "", f"no class in the answer ({found.why})"
        text = answers.in_place(task.skeleton, found.text, published=as_published)
        if text is None:
            return "", "no public class in the answer"
        return text, "TODO left" if answers.has_todo(task.skeleton, text) else ""

    # --- what was published

    def contenders_in(self, data: str | None) -> list[str]:
        """The models whose outputs the data bring."""
        folder = Path(data) if data is not None else self.own
        return [f"replay:{model}" for model in published.read_outputs(folder)] or ["smollm2"]

    def replay(self, name: str, case: Case, trial: int, **_: object) -> Outcome:
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
        beside = published.agreement(outcome.metrics, official) if official and outcome.metrics else {}
        metrics, kept = {**outcome.metrics, **beside}, {**outcome.artifacts, "output": output}
        return Outcome(metrics, outcome.status, outcome.error, kept)

    def summary(self, values: Any) -> dict[str, str | float]:
        """Class-wise, test-wise and project-wise, each the mean over projects, pass@5 where there are five trials; how
        verdicts agree with those published; the kinds of compiler errors."""
        found: dict[str, str | float] = {}
        of = {metric: values.trials(metric) for metric, _ in SHOWN}
        for granularity in GRANULARITIES:
            parts = []
            for metric, words in SHOWN:
                for k in (1, verdicts.SAMPLES) if metric == "pass_at_1" else (1,):
                    value = self._over_projects(of[metric], granularity, k)
                    parts += [] if value is None else [f"{f'pass@{k}' if k > 1 else words} {value:.4f}"]
            if parts:
                found[f"{granularity}-wise"] = ", ".join(parts)
        if agree := values("as_published"):
            rest = (
                f"{kind.rpartition('_')[2]} {fmean(values(kind).values()):.3f}" for kind in published.DIFFERENCES[1:]
            )
            found["verdicts as published"] = f"{fmean(agree.values()):.3f} (else another {', '.join(rest)})"
        errors = {kind: sum(sum(v) for v in values.trials(f"errors_{kind}").values()) for kind in KINDS}
        if any(errors.values()):
            shown = sorted((k for k in errors if errors[k]), key=lambda k: -errors[k])
            found["compile errors"] = ", ".join(f"{k.replace('_', ' ')} {errors[k]:g}" for k in shown)
        return found

    def _over_projects(self, trials: Mapping[str, list[float]], granularity: str, k: int) -> float | None:
        """The mean over projects of the estimates from the first five trials; None where a case has fewer than k."""
        estimate = verdicts.published_estimate if self.profile == "published" else verdicts.best_of
        each = {
            (case.partition("/")[0], case): estimate(scores[: verdicts.SAMPLES], k)
            for case, scores in trials.items()
            if granularity_of(case) == granularity
        }
        kept = {key: value for key, value in each.items() if value is not None}
        return verdicts.mean_of_projects(kept) if kept and len(kept) == len(each) else None


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
    if tested.errors:
        path, line, code, message = tested.errors[0]
        return f"compile error: {judge.kind_of(code).replace('_', ' ')}: {path}, line {line}: {message}"
    if not tested.total:
        return f"no test ran: {tested.message or tested.verdict}"
    lost = next((t for t in tested.tests if t[1] not in ("passed", "skipped")), None)
    if lost is None:
        return "" if tested.verdict == "passed" else f"{tested.verdict}: {tested.message}"
    return f"{tested.passed} of {tested.total} tests passed: {': '.join(lost)}"


def _log(tested: judge.Tested) -> str:
    """Every error of the compiler, or every test with its verdict."""
    errors = [f"{path}:{line}: {code}: {message}" for path, line, code, message in tested.errors]
    return "\n".join(errors or [f"{verdict} {name} {message}".rstrip() for name, verdict, message in tested.tests])
