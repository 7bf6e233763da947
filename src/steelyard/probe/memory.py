"""Memory: what this process holds, and the peak of a callable or a program, each measured in a process of its own."""

from __future__ import annotations

import ctypes
import json
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steelyard.core.errors import InputError, MissingError

# A program inherits the peak of the process that started it (Linux keeps it across exec), so a small one starts it.
_LAUNCH = """
import json, os, sys
out = os.dup(1); os.dup2(2, 1)
try: pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
except OSError as error: os.write(out, json.dumps({"error": error.strerror}).encode()); sys.exit()
_, status, used = os.wait4(pid, 0)
code = os.waitstatus_to_exitcode(status)
os.write(out, json.dumps({"code": code, "peak": used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)}).encode())
"""


@dataclass(frozen=True, slots=True)
class Peak:
    """The most memory that was resident at once.

    peak: bytes. grown: bytes above what was resident at the start (0 at least; for a program, the peak itself).
    backend: how it was taken; figures of different backends do not compare.
    """

    peak: int
    grown: int
    backend: str


def current() -> int:
    """Resident memory of this process (bytes). Raises MissingError where /proc does not tell."""
    return _status("VmRSS")


def peak_so_far() -> int:
    """The most that was resident since the process began, or since `reset_peak` (bytes)."""
    return _status("VmHWM")


def reset_peak() -> str:
    """Forget the peak so far, which may be that of the process this one was forked from; the backend, as `Peak` names it."""
    with suppress(OSError, AttributeError):  # a C library without it
        ctypes.CDLL(None).malloc_trim(0)  # what was freed and kept would be used again, and not be seen
    try:
        Path("/proc/self/clear_refs").write_text("5")
        return "VmHWM, reset"
    except OSError:
        return "VmHWM"


def _status(field: str) -> int:
    try:
        text = Path("/proc/self/status").read_text()
    except OSError:
        raise MissingError("resident memory is read from /proc, which is not here.", "Measure on Linux.") from None
    return next(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith(field + ":"))


def peak(call: Callable[[], Any]) -> Peak:
    """Peak resident memory while `call` runs in a forked child (pages shared with this process count too).

    Not for a process with threads that hold locks. Raises what `call` raises, or InputError if the child is killed.
    """
    begin, end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(begin)
            with os.fdopen(end, "wb") as out:
                out.write(_measured(call))
        finally:
            os._exit(0)
    os.close(end)
    with os.fdopen(begin, "rb") as source:
        said = source.read()
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if not said:
        how = signal.Signals(-code).name if code < 0 else f"code {code}"
        raise InputError(f"the child that was measured ended with {how}.", "SIGKILL mostly means: out of memory.")
    result = pickle.loads(said)
    if isinstance(result, Exception):
        raise result
    before, most, backend = result
    return Peak(most, max(0, most - before), backend)


def _measured(call: Callable[[], Any]) -> bytes:
    try:
        backend = reset_peak()
        before = current()
        call()
        return pickle.dumps((before, peak_so_far(), backend))
    except Exception as error:
        try:
            return pickle.dumps(error)
        except Exception:
            return pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))


def peak_of_program(argv: Sequence[str]) -> Peak:
    """Peak resident memory of the largest process of the program `argv` (its children's, if it waits for them).

    Below about 10 MiB (the launcher's own size) it cannot be told. Its output is dropped.
    Raises MissingError if there is no such program, InputError when it fails.
    """
    command = [sys.executable, "-I", "-S", "-c", _LAUNCH, *argv]
    ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
    if not ran.stdout:
        raise InputError(f"{argv[0]}: its launcher failed.", ran.stderr.decode(errors="replace")[-500:])
    told = json.loads(ran.stdout)
    if "error" in told:
        raise MissingError(f"{argv[0]} cannot be run: {told['error']}.", "Install it, or give its full path.")
    if told["code"]:
        raise InputError(
            f"{argv[0]} ended with code {told['code']}.", ran.stderr.decode(errors="replace").strip()[-500:]
        )
    return Peak(told["peak"], told["peak"], "ru_maxrss")
