"""Which part of a model's answer is the program."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

_OPENING = re.compile(r"^[ \t]*```[^\n`]*\n?", re.MULTILINE)


def before_fence(text: str) -> str:
    """A completion up to the first closing fence: the prompt opened the fence, so the next one ends the program."""
    return text.partition("```")[0]


def python_fence(text: str) -> str:
    """The official rule for chat answers: what follows the first "```python" (or everything), up to the next "```".

    An answer in a bare fence is therefore cut to the prose before it.
    """
    _, opened, rest = text.partition("```python")
    return before_fence(rest if opened else text)


def first_fence(text: str) -> str:
    """As `python_fence`, but where no fence says "python" the first fence of any kind counts.

    A program in a bare fence, in "```py" or in "```Python" is then no longer lost. Prose without a fence stays.
    """
    if "```python" in text:
        return python_fence(text)
    opening = _OPENING.search(text)
    return before_fence(text[opening.end() :]) if opening else before_fence(text)


def sanitise(program: str) -> str:
    """Cut what models write after their solution. Only the first of three rules that applies is used.

    Cut at "if __name__"; else at "# Test"; else, where "# Example" occurs, at "# Example " with its blank (so a
    "# Example:" is found and not cut: the official script does the same).
    """
    if "if __name__" in program:
        return program.partition("if __name__")[0]
    if "# Test" in program:
        return program.partition("# Test")[0]
    return program.partition("# Example ")[0]


@dataclass(frozen=True, slots=True)
class Extraction:
    """The program in an answer. rung: how it was found, "none" where there is no program; why: the rule that applied."""

    text: str
    rung: Literal["fence", "tag", "heuristic", "none"]
    why: str


# One rung of a ladder: what it is, its rule in words, and the rule: the program, or None where it does not apply.
Rung = tuple[Literal["fence", "tag", "heuristic"], str, Callable[[str], str | None]]


def climb(answer: str, ladder: Sequence[Rung]) -> Extraction:
    """The program by the first rung that applies."""
    for rung, why, rule in ladder:
        text = rule(answer)
        if text is not None:
            return Extraction(text, rung, why)
    return Extraction("", "none", "no rule found code in the answer")


def fences(answer: str, languages: Sequence[str] | None = None) -> list[str]:
    """What stands in each fence that names one of `languages` ("": names none), in order; an open one ends with the answer.

    None: whatever it names. A fence opens where a line begins with ``` and holds no other `, and closes at the next ``` that
    begins a line.
    """
    known = None if languages is None else {name.lower() for name in languages}
    found: list[str] = []
    inside: list[str] | None = None
    wanted = False
    for line in answer.splitlines(keepends=True):
        mark = line.strip()
        if inside is None and mark.startswith("```") and "`" not in mark[3:]:
            inside, wanted = [], known is None or mark[3:].strip().lower() in known
        elif inside is not None and mark.startswith("```"):
            if wanted:
                found.append("".join(inside))
            inside = None
        elif inside is not None:
            inside.append(line)
    if inside is not None and wanted:
        found.append("".join(inside))
    return found
