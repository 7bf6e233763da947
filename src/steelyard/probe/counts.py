"""Instruction counts of a program: perf where the machine has counters, else valgrind; the result says which."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from steelyard.core.errors import InputError, MissingError


@dataclass(frozen=True, slots=True)
class Count:
    """Instructions of one run, and the backend that counted them. Counts of different backends do not compare."""

    instructions: int
    backend: str


@cache
def backend() -> str:
    """`perf_event`, `callgrind`, or "" where neither works here."""
    if shutil.which("perf"):
        tried = subprocess.run(["perf", "stat", "-x,", "-e", "instructions:u", "true"], capture_output=True, text=True)
        if tried.returncode == 0 and re.match(r"\d+,", tried.stderr):
            return "perf_event"
    return "callgrind" if shutil.which("valgrind") else ""


def instructions(argv: Sequence[str]) -> Count:
    """User-space instructions of one run of `argv` and of the processes it starts.

    Raises MissingError where nothing counts here or the program is not there, InputError when it fails.
    """
    how = backend()
    if not how:
        raise MissingError("instructions cannot be counted here.", "Install valgrind, or allow perf_event.")
    if shutil.which(argv[0]) is None:
        raise MissingError(f"{argv[0]} is not a program here.", "Install it, or give its full path.")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "counts")
        if how == "perf_event":
            command = ["perf", "stat", "-x,", "-e", "instructions:u", "-o", str(out), "--", *argv]
        else:
            command = ["valgrind", "-q", "--tool=callgrind", "--trace-children=yes"]
            command += [f"--callgrind-out-file={out}.%p", *argv]
        done = subprocess.run(command, capture_output=True, errors="replace")
        if done.returncode != 0:
            raise InputError(f"{argv[0]} ended with code {done.returncode} under {how}.", done.stderr[-500:])
        text = "\n".join(file.read_text(errors="replace") for file in Path(folder).iterdir())
    # one line for each kind of core under perf, one total for each process under callgrind
    pattern = r"^(\d+),," if how == "perf_event" else r"^totals: (\d+)"
    found = re.findall(pattern, text, re.MULTILINE)
    if not found:
        raise InputError(f"{how} gave no count.", text[-500:])
    return Count(sum(map(int, found)), how)
