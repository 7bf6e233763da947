"""From what became of a program to what is recorded: pass or not, and the class of the error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from steelyard.sandbox import Outcome as Ran

# The classes the paper counts; everything else is one of "other".
PAPER_CLASSES = ("AssertionError", "NameError", "ValueError", "IndexError", "TypeError")
OTHER = "OtherError"
NO_CODE = "NoCode"

_CLASS = {
    "assertion": "AssertionError",
    "timeout": "Timeout",
    "memory": "MemoryError",
    "no-code": NO_CODE,
    "early-exit": "EarlyExit",
    "crashed": "Crash",
}


def error_of(ran: Ran) -> str:
    """`Class` or `Class: message` of a program that did not pass; empty for one that did.

    The class is the type of the exception that was really raised. NoCode, Timeout, EarlyExit (it ended before its
    tests did) and Crash (a signal) are not exceptions of Python.
    """
    if ran.passed:
        return ""
    name = _CLASS.get(ran.verdict.value) or ran.exception or ran.verdict.value
    message = ran.message.strip().split("\n")[0]
    return f"{name}: {message[:500]}" if message else name


def class_of(error: str) -> str:
    """The class in front of an error text; Passed for an empty one."""
    return error.partition(":")[0] if error else "Passed"


def paper_class(error: str) -> str:
    """An error in the classes of the paper. An empty answer is a NameError there: the tested name does not exist."""
    name = class_of(error)
    if name in ("Passed", "Timeout", *PAPER_CLASSES):
        return name
    return "NameError" if name == NO_CODE else OTHER


def error_table(errors: Iterable[str]) -> dict[str, int]:
    """How often each of the paper's classes occurs among the error texts of a contender's cases."""
    return dict(Counter(map(paper_class, errors)))


def published_class(passed: bool, timed_out: bool, stderr: str) -> str:
    """The class as the released statistics find it: by text search in stderr.

    A program whose own message merely mentions an AssertionError is counted as one.
    """
    if passed:
        return "Passed"
    if timed_out:
        return "Timeout"
    if "AssertionError" in stderr:
        return "AssertionError"
    lines = stderr.rstrip("\n").split("\n")
    return lines[-1].split("Error: ")[0] + "Error"
