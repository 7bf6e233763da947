"""NaturalCodeBench: everyday requests in Python and Java, asked in English and Chinese, each with hidden tests."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from steelyard.benchmarks.code.naturalcodebench import answers, build, judging, problems, ranks
from steelyard.benchmarks.code.naturalcodebench.problems import Problem
from steelyard.benchmarks.code.options import check_options
from steelyard.core.errors import InputError, unknown
from steelyard.core.interfaces import Message, Outcome
from steelyard.core.words import Case, Status
from steelyard.sandbox import Verdict
from steelyard.sandbox.languages import java
from steelyard.sandbox.languages.tests import TestRun

BUCKETS = ("0%", "(0%, 30%)", "[30%, 60%)", "[60%, 100%)", "100%")
_ERRORS = {
    Verdict.SYNTAX: "SyntaxError",
    Verdict.ASSERTION: "AssertionError",
    Verdict.TIMEOUT: "Timeout",
    Verdict.MEMORY: "MemoryError",
    Verdict.EARLY_EXIT: "EarlyExit",
    Verdict.CRASHED: "Crash",
    Verdict.NO_TESTS: "NoTests",
}


@dataclass(frozen=True)
class NaturalCodeBench:
    """language: all, python, java. natural_language: all, en, zh. task: solve, or build (build.py: write tests). timeout: seconds
    for all tests of a case (released: 840, 420 for Java). jars: more Java libraries, separated by ":" (fastjson2)."""

    language: str = "all"
    natural_language: str = "all"
    profile: str = "sound"
    task: str = "solve"
    timeout: float = 60.0
    jars: str = ""
    notes: list[str] = field(default_factory=list, compare=False)

    own: ClassVar[Path] = Path(__file__).parent / "data"

    def __post_init__(self) -> None:
        check_options(profile=self.profile, timeout=self.timeout)
        for name, value, known in (
            ("language", self.language, problems.LANGUAGES),
            ("natural_language", self.natural_language, problems.NATURAL),
        ):
            if value not in ("all", *known):
                raise unknown(name, value, ("all", *known), "naturalcodebench")
        if self.task not in ("solve", "build"):
            raise unknown("task", self.task, ("solve", "build"), "naturalcodebench")

    def cases(self, data: str | None = None) -> Iterable[Case]:
        """The problems of a folder or file. InputError names line and field, MissingError a path that is not here."""
        found = problems.read(Path(data) if data is not None else self.own)
        kept = [
            p for p in found if self.language in ("all", p.language) and self.natural_language in ("all", p.natural)
        ]
        if not kept:
            raise InputError(
                f"{data}: no problem in {self.language}, {self.natural_language}.", "Leave the option out."
            )
        self.notes[:] = [f"environment: {_here(kept)}"]
        for problem in kept:
            about = {"language": problem.language, "natural_language": problem.natural, "domain": problem.domain}
            yield Case(problem.id, problem, about | {"number": problem.number}, group=problem.pair)

    def prompt(self, case: Case, **_: object) -> list[Message]:
        """The published prompt as it is, as a chat; with task=build the request for a solution and tests."""
        return [Message("user", case.payload.prompt if self.task == "solve" else build.prompt(case.payload))]

    def generation(self, **_: object) -> dict[str, object]:
        """Greedy, one sample."""
        return {"temperature": 0.0, "top_p": 1.0, "max_tokens": 2048}

    def program(self, case: Case, output: str, **_: object) -> str:
        return answers.extract(output, case.payload.language).text

    def reference(self, case: Case, **_: object) -> str:
        """The published solution, in its fence (task=build: with the published tests)."""
        return str(case.payload.reference) if self.task == "solve" else build.example(case.payload)

    def replay(self, name: str, case: Case, trial: int) -> str:
        """half-empty: the reference for every other problem and prose for the rest, to show what becomes of lost answers."""
        if name != "half-empty":
            raise unknown("replay", name, ["half-empty"], "naturalcodebench")
        return str(case.payload.reference) if int(case.payload.number) % 2 else "I am afraid that this is beyond me."

    def score(self, case: Case, output: str, **_: object) -> Outcome:
        """pass_at_1 is 1 where every hidden test passed. An answer without code is an OK 0 (profile=published: not counted).

        task=build: 1 where the tests in the answer are accepted.
        """
        problem: Problem = case.payload
        audit = {}
        if problem.twin_domain and output == problem.reference:  # about the data, not about an answer
            audit["label_disagrees"] = float(problem.domain != problem.twin_domain)
        jars = judging.class_path(self.jars) if problem.language == "java" else ()
        if missing := judging.lacking(problem, jars):
            return Outcome(audit, Status.UNSUPPORTED, f"not runnable here: needs {', '.join(missing)}")
        if self.task == "build":
            return self._build(problem, output, jars)
        found = answers.extract(output, problem.language)
        if found.rung == "none":
            if self.profile == "published" and output.strip():
                return Outcome(
                    {"counted": 0.0}, Status.UNSUPPORTED, "NoCode: the released scorer leaves such answers out"
                )
            return Outcome({**_zeros(problem), "no_code": 1.0, "counted": 0.0}, Status.OK, f"NoCode: {found.why}")
        run = judging.judge(problem, found.text, self.timeout, jars, keep_tests=self.profile == "published")
        artifacts = {"program": found.text, "log": log_of(run), "extraction": f"{found.rung}: {found.why}"}
        if run.verdict is Verdict.RUNNER_ERROR:
            return Outcome({}, Status.FAILED, f"runner: {run.message}", artifacts)
        error = error_of(problem.language, run)
        metrics = {
            **_zeros(problem), **audit, "pass_at_1": float(run.passed), "pass_rate": run.pass_rate, "counted": 1.0,
            "tests": float(len(run.tests)), _column(problem.language, run): 1.0,
        }  # fmt: skip
        metrics.pop("", None)
        return Outcome(metrics, Status.OK, error, artifacts)

    def _build(self, problem: Problem, output: str, jars: Sequence[Path]) -> Outcome:
        found = build.judge(
            problem, output, lambda p, text: judging.judge(p, text, self.timeout, jars, keep_tests=False), self.timeout
        )
        accepted = float(not found.reason)
        metrics = {
            "pass_at_1": accepted, "accepted_without_repair": accepted, "tests": float(found.tests),
            "line_coverage": found.line_coverage, "mutants_killed": found.mutants_killed,
        }  # fmt: skip
        if found.branch_coverage is not None:
            metrics["branch_coverage"] = found.branch_coverage
        artifacts = {"record": build.record(problem, output)} if accepted else {"draft": output}
        return Outcome(metrics, Status.OK, found.reason, artifacts)

    def summary(self, values: Any) -> dict[str, str | float]:
        """How many answers passed which share of their tests, in the released buckets; totals by language as published; and,
        of models that were weighed on humaneval too, how their ranks differ."""
        rates = values("pass_rate")
        if not rates:
            return {}
        counts = Counter(bucket(rate) for rate in rates.values())
        out: dict[str, str | float] = {"tests passed": ", ".join(f"{name}: {counts[name]}" for name in BUCKETS)}
        if total := totals(values("pass_at_1")):
            out["score"] = ", ".join(f"{name} {100 * value:.1f}" for name, value in total.items())
        return out | ranks.against(values, "humaneval")


def bucket(rate: float) -> str:
    """The released bucket of a share of tests passed."""
    return BUCKETS[0 if rate == 0 else 4 if rate == 1 else 1 if rate < 0.3 else 2 if rate < 0.6 else 3]


def totals(passed: dict[str, float]) -> dict[str, float]:
    """By natural language the mean of Python and Java, and the mean of both (the published score); {} where a part is missing.

    passed: case id (LANGUAGE/NATURAL/NUMBER) -> 0 or 1.
    """
    parts: dict[tuple[str, str], list[float]] = {}
    for case, value in passed.items():
        language, natural, _ = case.split("/", 2)
        parts.setdefault((natural, language), []).append(value)
    if len(parts) < 4:
        return {}
    means = {key: sum(of) / len(of) for key, of in parts.items()}
    halves = {natural: (means[natural, "python"] + means[natural, "java"]) / 2 for natural in ("zh", "en")}
    return {**halves, "total": sum(halves.values()) / 2}


def error_of(language: str, run: TestRun) -> str:
    """`Class: message` of an answer that did not pass, "" for one that did."""
    if run.passed:
        return ""
    name = _ERRORS.get(run.verdict, "RuntimeError")
    if language == "java":
        name = {"SyntaxError": "CompileError", "RuntimeError": "ExecutionError"}.get(name, name)
    first = run.message or next((test.message for test in run.tests if not test.passed), "")
    return f"{name}: {first.strip().splitlines()[0][:500]}" if first.strip() else name


def log_of(run: TestRun) -> str:
    """Each test with its verdict, then what was said."""
    tests = [f"{test.name}: {test.verdict}" + (f": {test.message}" if test.message else "") for test in run.tests]
    return "\n".join(part for part in (*tests, run.message, run.stdout, run.stderr) if part)


def _zeros(problem: Problem) -> dict[str, float]:
    named = ("syntax_error", "runtime_error") if problem.language == "python" else ("compile_error", "execution_error")
    return dict.fromkeys(("pass_at_1", "pass_rate", "no_code", *named), 0.0)


def _column(language: str, run: TestRun) -> str:
    """The metric that counts an error of this kind, "" for none: an assertion that failed is no error of its own."""
    if run.verdict is Verdict.SYNTAX:
        return "syntax_error" if language == "python" else "compile_error"
    others = {test.verdict for test in run.tests} - {Verdict.PASSED, Verdict.ASSERTION, Verdict.SKIPPED}
    if run.verdict not in (Verdict.PASSED, Verdict.ASSERTION) or others:
        return "runtime_error" if language == "python" else "execution_error"
    return ""


def _here(kept: Iterable[Problem]) -> str:
    """The interpreters that judge these problems."""
    languages = {problem.language for problem in kept}
    said = []
    if "python" in languages:
        from importlib.metadata import version

        said.append(f"Python {platform.python_version()}, pytest {version('pytest')}")
    if "java" in languages:
        said.append(java.missing() or f"{java.version()}, JUnit 4 and 5")
    return "; ".join(said)
