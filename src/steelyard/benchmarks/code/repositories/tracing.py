"""Which tests of a project pass steadily, and which functions and lines each of them runs."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from steelyard.benchmarks.code.repositories import index, running
from steelyard.benchmarks.code.repositories.functions import Function
from steelyard.benchmarks.code.repositories.project import Project
from steelyard.core.errors import InputError

RUNS = 3  # one traced, one as it is, one in the other order
WALL_S = 150.0  # a project whose tests take longer is run file by file, and left where time is up


@dataclass(frozen=True, slots=True)
class Trace:
    """tests: ids that passed in every run. dropped: test id or file -> why it is not among them.

    lines: file -> line -> ids of the tests that ran it. seconds: of all steady tests once, untraced.
    """

    tests: tuple[str, ...]
    dropped: Mapping[str, str]
    lines: Mapping[str, Mapping[int, tuple[str, ...]]]
    seconds: float

    def tests_of(self, function: Function) -> dict[str, set[int]]:
        """The tests that run its body, each with the body's lines that it runs."""
        found: dict[str, set[int]] = {}
        first, last = function.body
        for line, tests in self.lines.get(function.path, {}).items():
            if first <= line <= last:
                for test in tests:
                    found.setdefault(test, set()).add(line)
        return {test: found[test] for test in self.tests if test in found}

    def tests_of_file(self, path: str) -> list[str]:
        """The tests that run a line of a file inside or outside of functions, while they run (imports do not count)."""
        return [t for t in self.tests if any(t in tests for tests in self.lines.get(path, {}).values())]


def trace(project: Project, wall_s: float = WALL_S) -> Trace:
    """Run the tests of a project three times (traced; plainly; in the other order) and keep what is steady.

    Kept on disk by the project's sha256. Raises InputError where not one test passes steadily, saying why.
    """
    kept = _file(project)
    if kept is not None and kept.is_file():
        return _read(json.loads(kept.read_text("utf-8")))
    until = time.monotonic() + 3 * wall_s
    traced = _all(project, wall_s, until, cover=project.sources)
    steady = [name for name, result in traced.tests.items() if result.end == "passed"]
    dropped = {name: f"{r.end}: {r.kind} {r.message}".strip() for name, r in traced.tests.items() if r.end != "passed"}
    dropped |= {name: f"cannot be collected: {why}" for name, why in traced.broken.items()}
    seconds = 0.0
    for reverse in (False, True):
        again = _all(project, wall_s, until, reverse=reverse)
        seconds = again.seconds if not reverse else seconds
        for name in list(steady):
            result = again.tests.get(name)
            if result is None or result.end != "passed":
                said = f"{result.kind} {result.message}" if result else "was not run"
                order = "in the other order" if reverse else "in another run"
                dropped[name] = f"unsteady: passed once, {order}: {said}"
                steady.remove(name)
    if not steady:
        why = traced.message or next(iter(dropped.values()), "there are none")
        raise InputError(f"no test passes steadily: {project}: {why[:200]}.")
    good = set(steady)
    lines = {
        path: {int(n): tuple(t for t in who if t in good) for n, who in by_line.items()}
        for path, by_line in traced.lines.items()
    }
    made = Trace(tuple(steady), dropped, lines, seconds)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(_written(made)), "utf-8")
    return made


def _all(project: Project, wall_s: float, until: float, **how: Any) -> running.TestRun:
    """All test files at once; where that takes too long, one by one while time is left."""
    whole = running.run_tests(project, wall_s=wall_s, **how)
    if whole.verdict not in ("timeout", "memory", "crashed", "early-exit"):
        return whole
    tests: dict[str, running.TestResult] = {}
    broken: dict[str, str] = {}
    lines: dict[str, dict[str, list[str]]] = {}
    seconds = 0.0
    for path in project.tests:
        left = min(wall_s / 4, until - time.monotonic())
        if left < 1:
            broken[path] = "time was up"
            continue
        one = running.run_tests(project, [path], wall_s=left, **how)
        seconds += one.seconds
        tests |= one.tests
        broken |= one.broken
        if not one.tests and not one.broken:
            broken[path] = f"{one.verdict} {one.message}".strip()
        for file, by_line in one.lines.items():
            for line, who in by_line.items():
                lines.setdefault(file, {}).setdefault(line, []).extend(who)
    return running.TestRun(False, whole.verdict, whole.message, tests, broken, lines, seconds)


def select(reached: Mapping[str, set[int]], most: int) -> list[str]:
    """At most `most` of the tests that run a function: first those that add most lines, then the rest in their order.

    reached: test -> lines of the body that it runs.
    """
    left = {name: set(lines) for name, lines in reached.items()}
    chosen: list[str] = []
    covered: set[int] = set()
    while left and len(chosen) < most:
        best = max(left, key=lambda name: len(left[name] - covered))
        if not left[best] - covered:
            break
        covered |= left.pop(best)
        chosen.append(best)
    chosen += list(left)[: most - len(chosen)]
    return [name for name in reached if name in set(chosen)]


def _file(project: Project) -> Any:
    if not project.sha256:
        return None
    parts = [project.sha256, str(project.needs), running.driver(), *_tool_versions()]
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    return index.folder() / "traces" / f"{project.name}-{project.version}-{digest}.json"


def _tool_versions() -> Iterable[str]:
    from steelyard.benchmarks.code.repositories.environment import tools

    return [tools().name]


def _written(trace: Trace) -> dict[str, Any]:
    """Test ids once, and numbers for them: they are long and many."""
    number = {name: i for i, name in enumerate(trace.tests)}
    lines = {p: {str(n): [number[t] for t in who] for n, who in by.items() if who} for p, by in trace.lines.items()}
    return {"tests": trace.tests, "dropped": dict(trace.dropped), "lines": lines, "seconds": trace.seconds}


def _read(written: Mapping[str, Any]) -> Trace:
    tests: Sequence[str] = written["tests"]
    lines = {p: {int(n): tuple(tests[i] for i in who) for n, who in by.items()} for p, by in written["lines"].items()}
    return Trace(tuple(tests), written["dropped"], lines, written["seconds"])
