"""What a solver may know of the benchmark it works in: visible tests, and how an output becomes a program.

In a task of ours both come from the benchmark (`visible_tests`, `program`). In anyone's Inspect task, `visible_tests`
is read from the sample's metadata and a program is the first fenced block of the output.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

_PROGRAMS: dict[str, Callable[[str], str]] = {}
_FENCE = re.compile(r"```(?:python|py)?[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL)


def remember(token: str, program: Callable[[str], str]) -> None:
    """Keep how the outputs of one sample become programs; `token` stands in its metadata."""
    _PROGRAMS[token] = program


def program_of(metadata: dict[str, Any], output: str) -> str:
    """The program that an output amounts to; "" when it holds no code."""
    known = _PROGRAMS.get(str(metadata.get("steelyard_program", "")))
    if known is not None:
        return known(output)
    found = _FENCE.search(output)
    return found[1] if found else ""


def visible_tests(metadata: dict[str, Any]) -> list[str]:
    """Asserts a solver may run and show the model. Hidden tests are never among them."""
    return [str(test) for test in metadata.get("visible_tests") or []]
