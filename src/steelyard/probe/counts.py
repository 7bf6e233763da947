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
    """User-space instructions of one run of `argv`.

    Raises MissingError where nothing counts here, InputError when the program fails.
    """
    how = backend()
    if not how:
        raise MissingError("instructions cannot be counted here.", "Install valgrind, or allow perf_event.")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "counts")
        if how == "perf_event":
            command = ["perf", "stat", "-x,", "-e", "instructions:u", "-o", str(out), "--", *argv]
        else:
            command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", *argv]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise InputError(f"{argv[0]} ended with code {done.returncode} under {how}.", done.stderr[-500:])
        text = out.read_text()
    pattern = r"^(\d+),," if how == "perf_event" else r"^(?:summary|totals): (\d+)"
    found = re.search(pattern, text, re.MULTILINE)
    if not found:
        raise InputError(f"{how} gave no count.", text[-500:])
    return Count(int(found[1]), how)
