"""What a solver may know of the benchmark it works in: visible tests, a seed, and what an output amounts to.

In a task of ours these come from the benchmark (`visible_tests`, `seed`, `program`, `execute`). In anyone's Inspect
task, `visible_tests` and `seed` are read from the sample's metadata and a program is the first fenced block of the
output. What was tried is left in the metadata as the `trail`, which a benchmark's `score` may ask for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from steelyard.core.interfaces import Message

TOKEN = "steelyard_program"
TRAIL = "trail"
_FENCE = re.compile(r"```(?:python|py|sql)?[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL)


@dataclass(frozen=True)
class Answers:
    """What only a scripted model may see, never a solver: a right output, and whether an output is right.

    case: the case's id.
    """

    case: str
    reference: str
    right: Callable[[str], bool]


@dataclass(frozen=True)
class Steps:
    """How a benchmark divides the program of one sample into steps that can be asked for one at a time.

    names: of the steps, in the order of the text. ask: (output so far, step) -> the messages; "" before the first step.
    take: (output so far, step, answer) -> the output with what the answer gives for the step.
    """

    names: Sequence[str]
    ask: Callable[[str, str], list[Message]]
    take: Callable[[str, str, str], str]


@dataclass(frozen=True)
class _Known:
    program: Callable[[str], str]
    execute: Callable[[str], str] | None
    answers: Answers | None
    steps: Steps | None


_SAMPLES: dict[str, _Known] = {}


def remember(
    token: str,
    program: Callable[[str], str],
    execute: Callable[[str], str] | None = None,
    answers: Answers | None = None,
    steps: Steps | None = None,
) -> None:
    """Keep what is known of one sample; `token` stands in its metadata.

    program: output -> program. execute: program -> what running it gives, in words.
    """
    _SAMPLES[token] = _Known(program, execute, answers, steps)


def program_of(metadata: dict[str, Any], output: str) -> str:
    """The program that an output amounts to; "" when it holds no code."""
    known = _SAMPLES.get(str(metadata.get(TOKEN, "")))
    if known is not None:
        return known.program(output)
    found = _FENCE.search(output)
    return found[1] if found else ""


def execution_of(metadata: dict[str, Any], program: str) -> str:
    """What running the program gives, in the benchmark's words; "" where the benchmark shows no execution."""
    known = _SAMPLES.get(str(metadata.get(TOKEN, "")))
    return known.execute(program) if known is not None and known.execute is not None else ""


def answers_of(token: str) -> Answers | None:
    """The answers to a sample, for scripted models alone."""
    known = _SAMPLES.get(token)
    return known.answers if known is not None else None


def steps_of(metadata: dict[str, Any]) -> Steps | None:
    """How the program of a sample is divided; None where the benchmark does not divide it."""
    known = _SAMPLES.get(str(metadata.get(TOKEN, "")))
    return known.steps if known is not None else None


def visible_tests(metadata: dict[str, Any]) -> list[str]:
    """Asserts a solver may run and show the model. Hidden tests are never among them."""
    return [str(test) for test in metadata.get("visible_tests") or []]


def seed_of(metadata: dict[str, Any]) -> str:
    """The program that a repair starts from; "" where the first program is to be generated."""
    return str(metadata.get("seed") or "")
