"""Java: compiled and tested by JUnit 4 and 5 in warm JVMs, many programs a second.

What keeps a program from forging success, its tests being in its own process: the runner that reports is a named module opened
to nobody, so that reflection ends there; there is no sun.misc.Unsafe, no native code (files cannot be mapped executable), no
attach, no /proc, so that nothing leads to its memory or to the socket on which it reports; JUnit is a named module of its own,
with a public face and nothing else to reach; and the host counts: success is a regular end after at least one test passed and
none did anything else. (Mockito works only with sun.misc.Unsafe: with it on the class path that wall is missing.)
What remains: tests judge by what a program returns and throws, and a program can find out by its caller who asks.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...core.errors import InputError, MissingError
from ..jail import bubblewrap
from ..outcome import GIB, Limits, Verdict
from ..sharing import isolation
from .jdk import JARS, JUNIT, home, runner, version
from .jvm import JVM, JVMDied, fleet
from .tests import Diagnostic, TestResult, TestRun, verdict_of

__all__ = ["JARS", "JUNIT", "LIMITS", "Compiled", "compile", "missing", "test", "version"]

# Half of the memory is the heap; a JVM has some thirty threads of its own.
LIMITS = Limits(wall_s=60.0, memory_bytes=2 * GIB, processes=512)
_RESTARTS = 5  # of one program's tests, each time without those that were told or that ended their JVM
_WARM_UP = {
    "Warm.java": "import java.util.*; class Warm { List<String> x = new ArrayList<>(); int f() { return x.size(); } }"
}


@dataclass(frozen=True, slots=True)
class Compiled:
    """What javac made: class files by binary name (`p.Outer$Inner`), empty where it did not compile, and its remarks."""

    ok: bool
    classes: Mapping[str, bytes]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        return tuple(one for one in self.diagnostics if one.kind == "ERROR")


def missing() -> str:
    """Why Java cannot be judged here, or ""."""
    try:
        if isolation() == "bubblewrap":
            bubblewrap()
        home()
        runner()
    except MissingError as error:
        return str(error)
    return ""


def compile(
    sources: Mapping[str, str],
    classpath: Sequence[Path] = JUNIT,
    limits: Limits = LIMITS,
    against: Mapping[str, bytes] | None = None,
) -> Compiled:
    """Compile sources (path such as "p/A.java": text) with the warm javac, and with Lombok where it is on the class path.

    against: class files the sources may refer to, before those of the class path.
    No processor but Lombok runs. What takes longer than limits.wall_s is an error with the code "timeout".
    Raises MissingError where there is no JDK, no JUnit or no jail.
    """
    against = against or {}
    lombok = [str(path) for path in classpath if path.name.startswith("lombok")]
    processing = (
        ["-processorpath", lombok[0]]
        if lombok and any("lombok" in text for text in sources.values())
        else ["-proc:none"]
    )
    options = "\n".join(["-g", "-nowarn", "-Xlint:none", "-parameters", *processing])
    pool = fleet(False, classpath, limits)
    jvm = pool.take()
    spoiled = True
    try:
        if not jvm.uses:
            _compiled(jvm, ["-proc:none", "", "0", *_flat(_WARM_UP)], 60.0)
        got = _compiled(
            jvm,
            [options, "\n".join(map(str, classpath)), str(len(against)), *_flat(against), *_flat(sources)],
            limits.wall_s,
        )
        spoiled = not got.ok and any(one.code == "compiler.fault" for one in got.diagnostics)
        return got
    except TimeoutError:
        return _gave_up("timeout", f"javac did not end within {limits.wall_s:g} s")
    except JVMDied as death:
        why = death.result.limit if death.result else ""
        return _gave_up(why or "crashed", "javac died" + (f": {why}" if why else ""))
    finally:
        pool.give(jvm, spoiled)


def _gave_up(code: str, message: str) -> Compiled:
    return Compiled(False, {}, (Diagnostic("", 0, 0, "ERROR", code, message),))


def _compiled(jvm: JVM, parts: Sequence[str | bytes], wall_s: float) -> Compiled:
    nonce = os.urandom(16).hex()
    jvm.send("compile", nonce, *parts)
    reply = jvm.take(time.monotonic() + wall_s)
    ok, count = reply[2] == b"true", int(reply[3])
    told = [blob.decode("utf-8", "replace") for blob in reply[4 : 4 + 6 * count]]
    diagnostics = tuple(
        Diagnostic(told[at], max(0, int(told[at + 1])), max(0, int(told[at + 2])), *told[at + 3 : at + 6])
        for at in range(0, len(told), 6)
    )
    rest = reply[4 + 6 * count :]
    return Compiled(ok, {rest[at].decode(): rest[at + 1] for at in range(0, len(rest), 2)}, diagnostics)


def test(
    classes: Mapping[str, bytes],
    test_classes: Sequence[str],
    resources: Mapping[str, bytes] | None = None,
    classpath: Sequence[Path] = JUNIT,
    coverage: Sequence[str] = (),
    limits: Limits = LIMITS,
    test_s: float = 10.0,
) -> TestRun:
    """Run the JUnit tests of `test_classes` (binary names), which stand with the program in `classes`.

    resources: files of the working folder (empty otherwise), on the class path too. coverage: classes whose lines are
    counted. test_s: limit of one test (seconds), limits.wall_s that of all. A test that hangs, exits or exhausts the memory
    costs its JVM; the tests not yet told run in another. Want of memory or a crash in a JVM that other programs used before is
    tried again in a fresh one, so that no program pays for another. Raises MissingError as `compile`, InputError without test classes.
    """
    if not test_classes:
        raise InputError("no test classes.", "Name at least one class that holds JUnit tests.")
    resources = resources or {}
    beside = "\n".join(str(path) for path in classpath if path not in JUNIT)
    head = [str(limits.output_bytes), beside, "\n".join(test_classes), "\n".join(coverage)]
    rest = [str(len(resources)), *_flat(resources), *_flat(classes)]
    run = _Run(time.monotonic() + limits.wall_s, test_s)
    pool = fleet(True, classpath, limits)
    fresh = False
    for _ in range(_RESTARTS):
        asked = time.monotonic()
        jvm = pool.take(fresh)
        run.until += time.monotonic() - asked  # a JVM that starts is not the program's time
        used, spoiled = jvm.uses > 0, True
        try:
            before = len(run.done)
            spoiled = run.once(jvm, ["test", *head, "\n".join(run.done), *rest])
        finally:
            pool.give(jvm, spoiled)
        if not run.cut:
            break
        if time.monotonic() > run.until or (run.fault and not used):
            break
        if used:
            run.forget(before)
        fresh = True
    return run.report()


def _flat(pairs: Mapping[str, str] | Mapping[str, bytes]) -> list[str | bytes]:
    return [part for pair in pairs.items() for part in pair]


class _Run:
    """One program's tests, over as many JVMs as they cost."""

    def __init__(self, until: float, test_s: float) -> None:
        self.until, self.test_s = until, test_s
        self.done: dict[str, TestResult] = {}  # by JUnit's identifier
        self.lines: dict[str, dict[int, int]] = {}
        self.cut = False  # the last JVM ended before its tests did
        self.fault: tuple[Verdict, str] | None = None
        self.streams = (b"", b"")

    def once(self, jvm: JVM, request: Sequence[str | bytes]) -> bool:
        """Run what is not done yet; whether the JVM is spoiled."""
        nonce = os.urandom(16).hex()
        self.cut, self.fault = True, None
        running: tuple[str, str, float] | None = None
        try:
            jvm.send(request[0], nonce, *request[1:])
            while True:
                limit = min(self.until, running[2] + self.test_s) if running else self.until
                message = jvm.take(limit)
                if message[0].decode() != nonce:
                    raise JVMDied(None)  # nobody but the runner knows it
                kind, told = message[1].decode(), message[2:]
                if kind == "end":
                    return self._ended(told, running)
                parts = [part.decode("utf-8", "replace") for part in told]
                if kind == "start":
                    running = (parts[0], parts[1], time.monotonic())
                elif kind == "done":
                    running = None
                    self.done[parts[0]] = TestResult(parts[1], Verdict(parts[2]), parts[4], float(parts[3]))
                elif kind == "fault":
                    self.fault = (Verdict.EXCEPTION, parts[0])
        except TimeoutError:
            left = self.until - time.monotonic()
            what = f"no end within {self.test_s:g} s" if left > 0 else "the time of all tests together was over"
            self._lost(running, Verdict.TIMEOUT, what)
        except JVMDied as death:
            result = death.result
            if result and result.limit == "memory":
                self._lost(running, Verdict.MEMORY, "more memory than allowed")
            elif result and result.exit_code is not None:
                said = result.stderr.decode(errors="replace").strip()[-500:]
                self._lost(running, Verdict.EARLY_EXIT, f"the JVM ended, exit code {result.exit_code} {said}".strip())
            else:
                self._lost(running, Verdict.CRASHED, "the JVM crashed")
        return True

    def _ended(self, told: Sequence[bytes], running: tuple[str, str, float] | None) -> bool:
        error = told[0].decode("utf-8", "replace")
        for line in told[2].decode().splitlines():
            name, number, hits = line.split("\t")
            counts = self.lines.setdefault(name, {})
            counts[int(number)] = counts.get(int(number), 0) + int(hits)
        self.streams = (self.streams[0] + told[3], self.streams[1] + told[4])
        if error:  # JUnit itself gave up: it does so for want of memory
            self._lost(running, Verdict.MEMORY if "OutOfMemoryError" in error else Verdict.EXCEPTION, error)
            return True
        self.cut = False
        return told[1] != b"true"

    def _lost(self, running: tuple[str, str, float] | None, verdict: Verdict, message: str) -> None:
        if running:
            self.done[running[0]] = TestResult(running[1], verdict, message, time.monotonic() - running[2])
        else:  # outside a test: in a fresh JVM it will go wrong again
            self.fault = (verdict, message)

    def forget(self, before: int) -> None:
        """Drop what may be the fault of an earlier program, to be tried again: the last of what was told since `before`."""
        if len(self.done) > before and not self.fault:
            identity, last = self.done.popitem()
            if last.verdict not in (Verdict.MEMORY, Verdict.CRASHED):
                self.done[identity] = last

    def report(self) -> TestRun:
        seen: dict[str, int] = {}
        tests: list[TestResult] = []
        for test in self.done.values():
            seen[test.name] = seen.get(test.name, 0) + 1
            again = f"[{seen[test.name]}]" if seen[test.name] > 1 else ""
            tests.append(TestResult(test.name + again, test.verdict, test.message, test.seconds))
        verdict, message = verdict_of(tests), ""
        if self.fault:
            verdict, message = self.fault
        elif self.cut and verdict is Verdict.PASSED:
            verdict, message = Verdict.RUNNER_ERROR, "the tests did not come to their end"
        out, err = (stream.decode("utf-8", "replace") for stream in self.streams)
        return TestRun(verdict, tuple(tests), self.lines, out, err, message)
