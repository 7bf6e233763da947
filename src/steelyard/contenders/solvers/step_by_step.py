"""Asks for the steps of a program one at a time, such as the methods of a class, and puts the answers together."""

from __future__ import annotations

import random
from copy import deepcopy
from dataclasses import dataclass
from typing import Literal

from inspect_ai.model import ChatMessageSystem, ChatMessageUser, ModelOutput
from inspect_ai.solver import Generate, Solver, TaskState, solver

from steelyard.core.contender import contender
from steelyard.core.errors import InputError
from steelyard.core.interfaces import Message
from steelyard.llm.context import steps_of


@contender("step-by-step", interface="solver", source="arXiv:2406.12902 (independent and incremental synthesis)")
@dataclass(frozen=True)
class StepByStep:
    """One call a step, each a conversation of its own.

    keep: show what earlier steps gave (incremental), or the bare skeleton each time (independent).
    order: of the steps: seq (of the text), rev (the last first) or random (drawn by the run's seed and the case).
    """

    keep: bool = True
    order: Literal["seq", "rev", "random"] = "seq"

    def solver(self) -> Solver:
        return step_by_step(self)


@solver
def step_by_step(options: StepByStep | None = None) -> Solver:
    """The steps as an Inspect solver; the output is that of the last step with all earlier ones in it."""
    chosen = options or StepByStep()

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        steps = steps_of(state.metadata)
        if steps is None:
            raise InputError("step-by-step needs a benchmark that divides its programs into steps.", "javabench does.")
        order = list(steps.names)
        if chosen.order == "rev":
            order.reverse()
        elif chosen.order == "random":
            random.Random(f"{state.metadata.get('run_seed', 0)}/{state.sample_id}/{state.epoch}").shuffle(order)
        done = ""
        for step in order:
            one = deepcopy(state)
            asked = steps.ask(done if chosen.keep else "", step)
            one.messages = [_chat(m) for m in asked]
            one.messages[0].metadata = state.messages[0].metadata
            answer = (await generate(one)).output
            done = steps.take(done, step, answer.completion)
        state.output = ModelOutput.from_content(str(state.model), done)
        state.messages.append(state.output.message)
        return state

    return solve


def _chat(message: Message) -> ChatMessageSystem | ChatMessageUser:
    kind = ChatMessageSystem if message.role == "system" else ChatMessageUser
    return kind(content=message.content)
