"""Models that follow a script: known rates of error and detection, and the oracle and the null repairer at the two ends."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from steelyard.contenders.solvers.feedback import ANSWER, JUDGE
from steelyard.core.contender import contender
from steelyard.core.interfaces import Message
from steelyard.llm.context import Answers


@contender("scripted", interface="model")
@dataclass(frozen=True)
class Scripted:
    """Answers rightly or wrongly at the rates given, by chance drawn from the run's seed and the case.

    right: share of first answers that are right. fixes: share of rewrites that are right. detects: share of wrong
    programs it calls wrong. alarms: share of right programs it calls wrong.
    """

    right: float = 0.5
    fixes: float = 0.5
    detects: float = 0.8
    alarms: float = 0.1

    def reply(self, answers: Answers, messages: Sequence[Message], seed: int) -> str:
        chance = random.Random(f"{seed}/{answers.case}/{len(messages)}").random()
        asked = messages[-1].content
        if JUDGE in asked:
            wrong = chance < (self.alarms if answers.right(last_program(messages)) else self.detects)
            return "no" if wrong else "yes"
        if ANSWER not in asked and last_program(messages):
            return "It does what it does."  # an explanation, a trace
        if chance < (self.fixes if ANSWER in asked else self.right):
            return answers.reference
        return f"```\nraise ValueError('mistake {len(messages)}')\n```"


@contender("oracle", interface="model")
@dataclass(frozen=True)
class Oracle:
    """Always answers rightly and always knows whether a program is right: no repairer can do better."""

    def reply(self, answers: Answers, messages: Sequence[Message], seed: int) -> str:
        return Scripted(right=1.0, fixes=1.0, detects=1.0, alarms=0.0).reply(answers, messages, seed)


@contender("null", interface="model")
@dataclass(frozen=True)
class Null:
    """Repeats the program it was given, or gives none: a repairer that changes nothing."""

    def reply(self, answers: Answers, messages: Sequence[Message], seed: int) -> str:
        return "no" if JUDGE in messages[-1].content else last_program(messages)


@contender("seed", interface="generator")
@dataclass(frozen=True)
class Seed:
    """The seed program of the case, as published or only prepared: what a repair starts from.

    prepare: put the import header, the helpers and the docstring of the task in front, as every repair does.
    """

    prepare: bool = False

    def answer(self, case: object, trial: int) -> str:
        return f"```python\n{case.payload.seed}\n```"  # type: ignore[attr-defined]

    def score_options(self, case: object, trial: int) -> dict[str, bool]:
        return {"prepare": self.prepare}


def last_program(messages: Sequence[Message]) -> str:
    """The newest answer that holds a fenced program; "" where there is none."""
    answers = (m.content for m in reversed(messages) if m.role == "assistant" and "```" in m.content)
    return next(answers, "")
