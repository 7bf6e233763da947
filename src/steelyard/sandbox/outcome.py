"""What a program may use, and what became of it."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


@dataclass(frozen=True, slots=True)
class Limits:
    """What one program may use; it is killed, with all that it started, when it takes more.

    wall_s: seconds of wall time (a hard kill). cpu_s: processor seconds of any one process; None: wall_s rounded up, plus 1.
    memory_bytes: address space of a Python program, and resident memory of a program with all its children.
    processes: processes and threads at once. file_bytes: size of any one file. tmp_bytes: all files together.
    output_bytes: how much of stdout, and of stderr, is kept (the rest is read and dropped). open_files: per process.
    With isolation="none" `processes` and `tmp_bytes` are not enforced.
    """

    wall_s: float = 3.0
    cpu_s: float | None = None
    memory_bytes: int = 4 * GIB
    processes: int = 64
    file_bytes: int = 64 * MIB
    tmp_bytes: int = 256 * MIB
    output_bytes: int = 64 * KIB
    open_files: int = 256

    @functools.lru_cache(maxsize=64)  # noqa: B019  (frozen: equal limits share an entry)
    def wire(self) -> dict[str, Any]:
        """These limits as JSON, with cpu_s filled in (whole seconds, at least 1)."""
        cpu = math.ceil(self.wall_s) + 1 if self.cpu_s is None else max(1, math.ceil(self.cpu_s))
        return dataclasses.asdict(self) | {"cpu_s": cpu}


class Verdict(StrEnum):
    """How a checked program ended. RUNNER_ERROR is ours and never counts against the contender."""

    PASSED = "passed"
    ASSERTION = "assertion"
    EXCEPTION = "exception"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    SYNTAX = "syntax"
    NO_CODE = "no-code"
    EARLY_EXIT = "early-exit"
    CRASHED = "crashed"
    SKIPPED = "skipped"  # a test that says itself that it does not run
    NO_TESTS = "no-tests"
    RUNNER_ERROR = "runner-error"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one Python program.

    exception: type name of what it raised; message: its text and, where known, "file:line in function".
    duration_s: wall seconds from the fork to the end of its last process; cpu_s: processor seconds it used.
    exit_code: None where a signal ended it (then `signal` is its number) or where we ended it.
    retried: it ran out of time while it had to wait for a processor, so it was run a second time, alone; this is the second run.
    """

    verdict: Verdict
    exception: str = ""
    message: str = ""
    stdout: str = ""
    stderr: str = ""
    duration_s: float = 0.0
    cpu_s: float = 0.0
    exit_code: int | None = None
    signal: int | None = None
    retried: bool = False

    @property
    def passed(self) -> bool:
        return self.verdict is Verdict.PASSED


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What became of one command.

    exit_code: None when a signal or a limit ended it; `limit` then says which ("timeout", "memory" or "").
    truncated: stdout or stderr was longer than output_bytes. refused: it is there, but may not be run. files: those asked for by `collect` that are there.
    """

    exit_code: int | None
    signal: int | None
    stdout: bytes
    stderr: bytes
    duration_s: float
    cpu_s: float
    limit: str = ""
    truncated: bool = False
    refused: bool = False
    files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.exit_code == 0


def outcome_of_check(reply: Mapping[str, Any], stdout: bytes, stderr: bytes, retried: bool = False) -> Outcome:
    """The outcome of a checked program: only the end marker is success."""
    return _outcome(_check_verdict(reply), reply, stdout, stderr, retried)


def outcome_of_run(reply: Mapping[str, Any], stdout: bytes, stderr: bytes, retried: bool = False) -> Outcome:
    """The outcome of a program without tests: exit code 0 is success, as for any program."""
    verdict = Verdict.PASSED if reply["end"] == "exit" and reply.get("code") == 0 else _check_verdict(reply)
    return _outcome(verdict, reply, stdout, stderr, retried)


def _check_verdict(reply: Mapping[str, Any]) -> Verdict:
    end: str = reply["end"]
    report = reply.get("report") or {}
    if end == "report":
        by_kind = {
            "assertion": Verdict.ASSERTION,
            "memory": Verdict.MEMORY,
            "syntax": Verdict.SYNTAX,
            "exit": Verdict.EARLY_EXIT,
        }
        return by_kind.get(report.get("kind", ""), Verdict.EXCEPTION)
    return {
        "passed": Verdict.PASSED,
        "timeout": Verdict.TIMEOUT,
        "memory": Verdict.MEMORY,
        "exit": Verdict.EARLY_EXIT,
        "signal": Verdict.CRASHED,
    }.get(end, Verdict.RUNNER_ERROR)


def _outcome(verdict: Verdict, reply: Mapping[str, Any], stdout: bytes, stderr: bytes, retried: bool) -> Outcome:
    report = reply.get("report") or {}
    where = f" ({report['where']})" if report.get("where") else ""
    return Outcome(
        verdict=verdict,
        exception=str(report.get("exception", "")),
        message=str(report.get("message", reply.get("message", ""))) + where,
        stdout=stdout.decode("utf-8", "replace"),
        stderr=stderr.decode("utf-8", "replace"),
        duration_s=reply.get("seconds", 0.0),
        cpu_s=reply.get("cpu_seconds", 0.0),
        exit_code=reply.get("code"),
        signal=reply.get("signal"),
        retried=retried,
    )
