"""Runs chosen tests of a project in the sandbox, on a copy in which some files are other ones."""

from __future__ import annotations

import compileall
import functools
import json
import os
import py_compile
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from steelyard.benchmarks.code.repositories import index
from steelyard.benchmarks.code.repositories.environment import tools
from steelyard.benchmarks.code.repositories.project import Project
from steelyard.sandbox import Limits, Outcome, Sandbox, Verdict
from steelyard.sandbox.sharing import isolation

DRIVERS = (Path(__file__).with_name("driver.py"), Path(__file__).parents[1] / "apart.py")
MARK = "\x1e steelyard "
GIB, MIB = 1 << 30, 1 << 20
WARM = 3  # projects whose jails are kept warm; each is some 60 MB a job
TEST_S = 20.0  # the published limit of one test

_LOCK = threading.Lock()
_WARM: OrderedDict[tuple[str, ...], Sandbox] = OrderedDict()


@dataclass(frozen=True, slots=True)
class TestResult:
    """What one test did: passed, failed or skipped; kind: the exception's type, message its text."""

    end: str
    kind: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class TestRun:
    """One run of tests. passed: all that were wanted passed, and the run came to its regular end.

    tests: test id -> result. broken: what could not be collected -> why. lines: file -> line -> ids of the tests that ran
    it (only with `cover`). verdict, message: of the process, or of the first wanted test that did not pass.
    """

    passed: bool
    verdict: str
    message: str = ""
    tests: Mapping[str, TestResult] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)
    lines: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    seconds: float = 0.0
    log: str = ""

    @property
    def ours(self) -> bool:
        """Whether the sandbox failed and not the program."""
        return self.verdict == "runner-error"


def run_tests(
    project: Project,
    tests: Sequence[str] = (),
    changes: Mapping[str, str] | None = None,
    *,
    cover: Sequence[str] = (),
    reverse: bool = False,
    first: bool = False,
    test_s: float = TEST_S,
    wall_s: float = 120.0,
    memory_bytes: int = 5 * GIB,
) -> TestRun:
    """Run `tests` (ids or files; by default all test files) on a copy of `project` with `changes` (path -> text) in it.

    cover: files of which to record the lines each test runs. reverse: the tests in the other order. first: end
    at the first test that fails. test_s, wall_s: seconds
    for one test, for all. Safe to call from several threads. Without `cover` a program cannot pass by leaving early: the run
    must come to its own last statement. Raises MissingError where programs cannot be isolated.
    """
    wanted = [t for t in tests if "::" in t]
    shown = _places(project)
    order: dict[str, Any] = {
        "root": shown["project"], "roots": list(project.roots), "needs": [shown["needs"]] if project.needs else [],
        "tests": list(tests) or list(project.tests), "wanted": wanted, "changes": dict(changes or {}), "cover": list(cover),
        "reverse": reverse, "first": first, "test_s": test_s,
    }  # fmt: skip
    for path in order["changes"]:
        if Path(path).is_absolute() or ".." in Path(path).parts:
            raise ValueError(f"{path!r} is no path below the project")
    limits = Limits(
        wall_s=wall_s,
        memory_bytes=memory_bytes,
        tmp_bytes=512 * MIB,
        output_bytes=(64 if cover else 4) * MIB,
        processes=64,
    )
    call = f"main(json.loads({json.dumps(json.dumps(order))}))"
    sandbox = _sandbox(project)
    if cover:  # tracing is refused to a program that is checked
        ran = sandbox.run(f"{driver()}\n{call}\n", limits=limits)
    else:
        ran = sandbox.check(driver(), call, limits=limits)
    return _told(ran, wanted)


@functools.cache
def driver() -> str:
    """The text of what runs in the sandbox."""
    return "\n".join(path.read_text("utf-8") for path in DRIVERS)


def _told(ran: Outcome, wanted: Sequence[str]) -> TestRun:
    before, mark, said = ran.stdout.rpartition(MARK)
    told: dict[str, Any] = {}
    if mark:
        try:
            told = json.loads(said.split("\n")[0])
        except ValueError:  # a program that prints our mark, or output cut at its limit
            told = {}
    results = {name: TestResult(*result) for name, result in told.get("results", {}).items()}
    verdict, message = str(ran.verdict), f"{ran.exception}: {ran.message}" if ran.exception else ran.message
    if not ran.passed and ran.verdict in (Verdict.ASSERTION, Verdict.EXCEPTION):
        verdict, message = _failure(results, told.get("broken", {}), wanted) or (verdict, message)
    return TestRun(
        ran.passed, verdict, message, results, told.get("broken", {}), told.get("lines", {}), ran.duration_s,
        "\n".join(part for part in (ran.message, before or ran.stdout, ran.stderr) if part)[-20_000:],
    )  # fmt: skip


def _failure(
    results: Mapping[str, TestResult], broken: Mapping[str, str], wanted: Sequence[str]
) -> tuple[str, str] | None:
    """(verdict, message) of the first wanted test that did not pass."""
    for name in wanted:
        result = results.get(name, TestResult("passed"))
        if result.end != "passed":
            kinds = {
                "AssertionError": "assertion",
                "Failed": "assertion",
                "OutOfTime": "timeout",
                "MemoryError": "memory",
            }
            return kinds.get(result.kind, "exception"), f"{result.kind}: {result.message} ({name})"
    if any(name not in results for name in wanted):
        why = next(iter(broken.values()), "a test was not run")
        return ("syntax" if "SyntaxError" in why or "IndentationError" in why else "exception"), why
    return None


def _folders(project: Project) -> dict[str, Path]:
    return {"project": project.root} | ({"needs": project.needs} if project.needs else {})


def _places(project: Project) -> dict[str, str]:
    """Where a program finds the project and what it needs."""
    if isolation() == "none":
        return {name: str(folder) for name, folder in _folders(project).items()}
    return {name: f"/run/{name}" for name in _folders(project)}


def _sandbox(project: Project) -> Sandbox:
    """The warm jails of a project; those of the project unused for longest are ended when there are too many."""
    folders = _folders(project)
    key = (str(os.getpid()), isolation(), *map(str, folders.values()))
    with _LOCK:
        if key in _WARM:
            _WARM.move_to_end(key)
            return _WARM[key]
        _compile(project.root)
        mounts = {f"/run/{name}": folder for name, folder in folders.items()}
        made = _WARM[key] = Sandbox(isolation(), packages=tools(), preload=_preload(), mounts=mounts)
        gone = [_WARM.popitem(last=False)[1] for _ in range(len(_WARM) - WARM)]
    for sandbox in gone:
        sandbox.close()
    return made


def _compile(root: Path) -> None:
    """Bytecode beside the sources, so that a copy need not be compiled again. Nothing runs."""
    if root.is_relative_to(index.folder()):  # our own cache: nobody else's folder is written to
        compileall.compile_dir(
            root, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH, workers=1
        )


@functools.cache
def _preload() -> tuple[str, ...]:
    """pytest with its own plugins: half a second that a run need not spend."""
    from _pytest.config import default_plugins

    return ("pytest", *(f"_pytest.{name}" for name in default_plugins))
