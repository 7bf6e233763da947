"""Runs a program on its visible tests and says what the failing ones gave, in words for a model."""

from __future__ import annotations

import ast
import asyncio
from dataclasses import dataclass

from steelyard.sandbox import Limits, Verdict, shared

LONGEST = 200  # characters of a value or message that a model is shown


@dataclass(frozen=True)
class Failing:
    """A visible test that does not pass. gave: the value of its left side, an exception, or "timeout"."""

    test: str
    gave: str


async def failing(program: str, tests: list[str], limit_s: float) -> list[Failing]:
    """The visible tests that fail, in their order. limit_s: wall time of each (seconds)."""
    out = []
    for test in tests:
        gave = await asyncio.to_thread(_gave, program, test, limit_s)
        if gave is not None:
            out.append(Failing(test, gave))
    return out


def _gave(program: str, test: str, limit_s: float) -> str | None:
    """None where the test passes."""
    limits = Limits(wall_s=limit_s)
    ran = shared().check(program, test, limits)
    if ran.verdict is Verdict.PASSED:
        return None
    if ran.verdict is Verdict.TIMEOUT:
        return "timeout"
    if ran.verdict is Verdict.ASSERTION and (left := left_side(test)):
        value = shared().check(program, f"print()\nprint(repr({left}))", limits)
        if value.verdict is Verdict.PASSED:
            return _short(value.stdout.rstrip("\n").rpartition("\n")[2])
    return _short(f"{ran.exception or ran.verdict}: {ran.message}".strip(": "))


def left_side(test: str) -> str:
    """The expression on the left of `assert LEFT == RIGHT` (any one comparison); "" for another statement."""
    try:
        statement = ast.parse(test.strip()).body[0]
    except (SyntaxError, IndexError):
        return ""
    if isinstance(statement, ast.Assert) and isinstance(statement.test, ast.Compare):
        return ast.unparse(statement.test.left)
    return ""


def _short(text: str) -> str:
    half = LONGEST // 2
    return text if len(text) <= LONGEST else f"{text[:half]} ... {text[-half:]}"
