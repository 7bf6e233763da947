"""Answers without a model: the reference, nothing at all, and outputs read from a file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from steelyard.core.contender import contender
from steelyard.core.errors import InputError
from steelyard.core.words import Case
from steelyard.llm.predictions import Prediction, read_predictions


@contender("gold", interface="generator")
@dataclass(frozen=True)
class Gold:
    """The benchmark's own reference for each case (its `reference` method): the ceiling."""


@contender("empty", interface="generator")
@dataclass(frozen=True)
class Empty:
    """No answer: the floor."""

    def answer(self, case: Case, trial: int) -> str:
        return ""


@contender("replay", interface="generator")
@dataclass(frozen=True)
class Replay:
    """Outputs published or made elsewhere.

    file: JSON lines with id, solution or completion, and trial where there are several.
    """

    file: str

    @cached_property
    def outputs(self) -> dict[tuple[str, int], Prediction]:
        return {(p.case, p.trial): p for p in read_predictions(self.file)}

    def answer(self, case: Case, trial: int) -> str:
        if (case.id, trial) not in self.outputs:
            raise InputError(f"{self.file} has no output for case {case.id!r}, trial {trial}.")
        return self.outputs[case.id, trial].output

    def score_options(self, case: Case, trial: int) -> dict[str, str]:
        return self.outputs[case.id, trial].options
