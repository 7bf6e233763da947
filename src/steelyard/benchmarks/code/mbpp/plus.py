"""MBPP+: tests made of inputs and a reference solution, and what JSON has lost of those inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ORACLES = (Path(__file__).parent / "oracles.py").read_text(encoding="utf-8")
MOST_S = 60.0
REFERENCE_S = 10.0  # for the reference's own run, which happens in the same process


@dataclass(frozen=True)
class PlusTask:
    """The inputs of one task. atol: its absolute tolerance; 0 means exact, but for floats."""

    entry_point: str
    reference: str
    base: list[Any]
    plus: list[Any]
    atol: float

    def tests(self, inputs: list[Any]) -> str:
        """Test code that calls the candidate on `inputs` and stops at the first wrong output."""
        call = f"judge({self.entry_point!r}, candidate, reference, inputs, {self.atol!r})"
        body = f"""\
{ORACLES}
inf, nan = math.inf, math.nan
made = {{}}
exec({self.reference!r}, made)
reference = made[{self.entry_point!r}]
inputs = {inputs!r}
{call}
"""
        return f"exec({body!r}, {{'candidate': {self.entry_point}}})"

    @staticmethod
    def seconds(inputs: list[Any]) -> float:
        """The wall time for all `inputs` together: 4 s each, at most 60 s, and 1 s; beside it the reference's time."""
        return min(MOST_S, 4.0 * len(inputs)) + 1.0 + REFERENCE_S


def restore(number: int, inputs: list[Any]) -> list[Any]:
    """The inputs of task `number` with the tuples, sets and complex numbers that they had before JSON."""
    shape = _SHAPES.get(number)
    return [shape(given) for given in inputs] if shape else inputs


def _tuples(items: list[Any]) -> list[Any]:
    return [tuple(item) for item in items]


def _deep(value: Any) -> Any:
    return tuple(map(_deep, value)) if isinstance(value, list) else value


# What the arguments of which task really are (task list after evalplus/evalplus, commit 26d6d00b).
_BY_SHAPE: list[tuple[Callable[[list[Any]], list[Any]], tuple[int, ...]]] = [
    # every argument is a tuple
    (_tuples, (2, 116, 132, 143, 222, 261, 273, 394, 399, 421, 424, 429, 470, 560, 579, 596, 616, 630, 726, 740,
               744, 809)),
    # every argument is a list of tuples
    (lambda a: [_tuples(x) for x in a], (63, 64, 70, 94, 120, 237, 272, 299, 400, 409, 417, 438, 473, 614, 780)),
    # a list of tuples, and something else
    (lambda a: [_tuples(a[0]), a[1]], (75, 413, 444, 753)),
    # something else, and a tuple
    (lambda a: [a[0], tuple(a[1])], (106, 750)),
    # a list of sets, in which an empty one became a dictionary
    (lambda a: [[set(x) if isinstance(x, list) and x else {} for x in a[0]]], (115,)),
    (lambda a: [float(a[0]), complex(a[1])], (124,)),
    # a tuple, and something else
    (lambda a: [tuple(a[0]), *a[1:]], (250, 307, 405, 446, 617, 720, 763, 808)),
    (lambda a: [complex(a[0])], (252,)),
    # every argument is a tuple of tuples
    (lambda a: [tuple(_tuples(x)) for x in a], (259, 401, 445)),
    # a tuple in which lists are tuples
    (lambda a: [tuple(tuple(x) if isinstance(x, list) else x for x in a[0])], (278,)),
    # tuples all the way down
    (lambda a: [_deep(x) for x in a], (580, 615, 791)),
    # a dictionary of tuples, and something else
    (lambda a: [{key: tuple(value) for key, value in a[0].items()}, *a[1:]], (722,)),
]  # fmt: skip
_SHAPES = {number: shape for shape, numbers in _BY_SHAPE for number in numbers}
