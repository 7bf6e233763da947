"""Which part of a model's answer is the program."""

from __future__ import annotations

import re

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
