"""Judges an answer: the hidden tests by pytest or JUnit in the sandbox, and what each of them came to."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import re
import secrets
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from steelyard.benchmarks.code import cache, programs
from steelyard.benchmarks.code.naturalcodebench import answers
from steelyard.benchmarks.code.naturalcodebench.problems import Problem
from steelyard.sandbox import Limits, Verdict, shared
from steelyard.sandbox.languages import java
from steelyard.sandbox.languages.tests import TestResult, TestRun, verdict_of

LIBRARIES = ("lombok", "jsoup")  # what the released class path has beside JUnit; fastjson2 is in no distribution
_PACKAGES = {"lombok": "lombok", "org.jsoup": "jsoup", "com.alibaba.fastjson2": "fastjson2"}
_KEPT = {Verdict.TIMEOUT, Verdict.RUNNER_ERROR, Verdict.MEMORY}  # never kept: they may end otherwise
_IMPORT = re.compile(r"^\s*import\s+(?:static\s+)?([\w.]+)", re.MULTILINE)


def judge(problem: Problem, program: str, wall_s: float, jars: Sequence[Path], keep_tests: bool) -> TestRun:
    """The hidden tests of `problem` on a program. keep_tests: the answer's own tests count too (Python) or are compiled (Java).

    Raises MissingError where programs cannot be isolated, or Java cannot be judged here.
    """
    run = python_tests if problem.language == "python" else java_tests

    def now() -> tuple[Any, bool]:
        found = run(problem, program, wall_s, jars, keep_tests)
        return asdict(found), found.verdict not in _KEPT

    files = {name: hashlib.sha256(blob).hexdigest() for name, blob in problem.files.items()}
    parts = ["naturalcodebench", problem.language, program, problem.tests, problem.setup, files, wall_s, keep_tests]
    got = cache.verdict([*parts, [str(jar) for jar in jars], _environment(problem.language)], now)
    tests = tuple(TestResult(**{**test, "verdict": Verdict(test["verdict"])}) for test in got["tests"])
    return TestRun(**{**got, "verdict": Verdict(got["verdict"]), "tests": tests})


@functools.cache
def _environment(language: str) -> str:
    """A hash of everything here that a verdict depends on."""
    if language == "java":
        sources = [path.read_text() for path in sorted(Path(java.__file__).parent.rglob("*.java"))]
        return hashlib.sha256("\n".join([java.version(), *sources]).encode()).hexdigest()
    packages = sorted(f"{one.name}=={one.version}" for one in importlib.metadata.distributions())
    return hashlib.sha256("\n".join([sys.version, _driver(), *packages]).encode()).hexdigest()


def lacking(problem: Problem, jars: Sequence[Path]) -> list[str]:
    """The libraries that the reference and the tests import and that are not here."""
    if problem.language == "python":
        reference = answers.extract(problem.reference, "python").text
        return programs.missing_modules((reference, problem.tests, problem.setup))
    imported = _IMPORT.findall(problem.reference) + _IMPORT.findall(problem.tests)
    wanted = {library for package, library in _PACKAGES.items() if any(name.startswith(package) for name in imported)}
    return sorted(name for name in wanted if not any(name in jar.name for jar in jars))


@functools.cache
def class_path(more: str = "") -> tuple[Path, ...]:
    """JUnit, the libraries of the released class path that are here, and `more` (paths separated by ":")."""
    found = [java.JARS / f"{name}.jar" for name in LIBRARIES]
    return (*java.JUNIT, *(jar for jar in found if jar.exists()), *map(Path, filter(None, more.split(":"))))


@functools.cache
def _driver() -> str:
    apart = Path(__file__).parents[1] / "apart.py"
    return f"{apart.read_text('utf-8')}\n{Path(__file__).with_name('pytest_driver.py').read_text('utf-8')}"


def python_tests(problem: Problem, program: str, wall_s: float, jars: Sequence[Path], keep_tests: bool) -> TestRun:
    word = secrets.token_hex(16)
    case = {
        "solution": program.encode("utf-8", "replace").decode(),
        "tests": problem.tests,
        "setup": problem.setup,
        "files": {name: blob.hex() for name, blob in problem.files.items()},
        "word": word,
        "hidden_only": not keep_tests,
    }
    driver = _driver().replace("CASE: dict = {}", f"CASE = {case!r}", 1)
    ran = shared().check("pass", driver, Limits(wall_s=wall_s, output_bytes=1 << 20, tmp_bytes=1 << 30))
    told = []
    for line in ran.stderr.splitlines():
        try:
            report = json.loads(line)
        except ValueError:
            continue
        if isinstance(report, list) and report[:1] == [word]:
            told.append(report[1:])
    tests = tuple(TestResult(name, Verdict(kind), message, seconds) for tag, name, kind, message, seconds in
                  (one for one in told if one[0] == "test"))  # fmt: skip
    unrun = [name for one in told if one[0] == "end" for name in one[1]]
    broken = next((one[1] for one in told if one[0] == "collect"), "")
    run = TestRun(ran.verdict, tests, stdout=ran.stdout[:20000], message=ran.message)
    if ran.passed or ran.verdict in (
        Verdict.TIMEOUT,
        Verdict.MEMORY,
        Verdict.RUNNER_ERROR,
        Verdict.CRASHED,
        Verdict.EARLY_EXIT,
    ):
        return run
    if broken and not tests:
        said = [
            line[1:].strip() for line in broken.splitlines() if line.startswith("E ")
        ]  # pytest's mark of what was raised
        kind = Verdict.SYNTAX if "SyntaxError" in broken else Verdict.EXCEPTION
        return replace(run, verdict=kind, message="\n".join([*said[-1:], broken]))
    if not any(one[0] == "end" for one in told):  # our own steps, before any test
        return replace(run, verdict=Verdict.RUNNER_ERROR)
    verdict = verdict_of(tests)
    if (
        verdict is Verdict.PASSED and not unrun and not broken
    ):  # told by a run that the program has changed: nothing counts
        return replace(run, verdict=Verdict.ASSERTION, tests=())
    if verdict is Verdict.PASSED or not tests:  # skipped or taken away by the program
        return replace(
            run, verdict=Verdict.NO_TESTS, message=f"not run: {', '.join(unrun)}" if unrun else "tests were skipped"
        )
    return replace(run, verdict=verdict, message=next(test.message for test in tests if not test.passed))


def java_tests(problem: Problem, program: str, wall_s: float, jars: Sequence[Path], keep_tests: bool) -> TestRun:
    hidden = answers.cut(f"{problem.tests}\n{problem.setup}")
    if not hidden.tests:
        return TestRun(Verdict.RUNNER_ERROR, message="the hidden tests hold no JUnit test class")
    limits = replace(java.LIMITS, wall_s=wall_s)
    sources = answers.program(answers.cut(program), hidden, keep_tests=keep_tests)
    compiled = java.compile(sources, jars, limits)
    if not compiled.ok:
        first = next(iter(compiled.errors), None)
        if first and first.code in ("timeout", "memory", "crashed"):
            return TestRun(Verdict.TIMEOUT if first.code == "timeout" else Verdict.RUNNER_ERROR, message=first.message)
        said = "\n".join(f"{one.path}:{one.line}: {one.message}" for one in compiled.errors)
        return TestRun(Verdict.SYNTAX, message=said[:5000])
    return java.test(compiled.classes, hidden.tests, problem.files, jars, limits=limits, test_s=wall_s)
