"""TriviaQA without context, as the paper asks and scores it (LM Evaluation Harness, with its doubled question mark mended)."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from steelyard.core.errors import InputError

SHOTS = 5
STOPS = ("\n", ".", ",")
MOST = 32  # new tokens


@dataclass(frozen=True)
class Question:
    """answers: the one that a shot shows, then its aliases."""

    id: str
    text: str
    answers: tuple[str, ...]


def question(name: str, row: Mapping[str, Any]) -> Question:
    """From a record `question`, `answer: {value, aliases}`, or an answer in words. Raises InputError naming it."""
    answer = row["answer"]
    if isinstance(answer, str):
        return Question(name, str(row["question"]), (answer,))
    answer = {key.lower(): value for key, value in answer.items()} if isinstance(answer, Mapping) else {}
    if not isinstance(answer.get("value"), str):
        raise InputError(f"{name}: its answer has no value.", 'Write "answer": {"value": "...", "aliases": [...]}.')
    aliases = tuple(dict.fromkeys([answer["value"], *map(str, answer.get("aliases", ()))]))
    return Question(name, str(row["question"]), aliases)


def prompt(asked: Question, shots: Sequence[Question]) -> str:
    """A line a shot, then the question to be answered."""
    told = [f"Question: {shot.text}\nAnswer: {shot.answers[0]}\n" for shot in shots]
    return "".join([*told, f"Question: {asked.text}\nAnswer:"])


def said(output: str) -> str:
    """What counts of an output: up to the first stop."""
    for stop in STOPS:
        output = output.partition(stop)[0]
    return output.strip()


def exact_match(output: str, answers: Sequence[str]) -> float:
    """1 where it is one of them, whatever the case and without punctuation."""
    return float(_normal(said(output)) in {_normal(answer) for answer in answers})


def _normal(text: str) -> str:
    return "".join(c for c in text.lower() if c not in string.punctuation).strip()
