"""Self-Debugging (arXiv:2304.05128): the model looks at feedback on its own program and rewrites it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal

from inspect_ai.model import ChatMessageUser
from inspect_ai.solver import Generate, Solver, TaskState, solver

from steelyard.core.contender import contender
from steelyard.llm.context import program_of, visible_tests
from steelyard.sandbox import Limits, Verdict, shared

RIGHT = "The code above is correct."
WRONG = "The code above is wrong. Please fix it."
ANSWER = "Give the whole corrected program in one fenced python block."
EXPLAIN = "Explain the code above line by line: what does each line do?"
TRACE = "Follow the code above line by line on the input of this test, and write the value of each variable: {test}"
JUDGE = "Is the code above correct? Begin your answer with yes or no."


@contender("self-debug", interface="solver", source="arXiv:2304.05128, section 3")
@dataclass(frozen=True)
class SelfDebug:
    """Generate, look at feedback, rewrite; stop when the feedback says right, at no change, or after `turns`.

    feedback: simple = a verdict only; ut = and the first failing visible test with what it gave; expl = ut and the
    model's own explanation of its code; trace = ut and the model's own imagined execution (never a real one).
    turns: rewrites at most. verdict: who says whether the program is right: the visible tests, or the model.
    limit_s: wall time of one visible test (seconds).
    """

    feedback: Literal["simple", "ut", "expl", "trace"] = "ut"
    turns: int = 3
    verdict: Literal["auto", "tests", "model"] = "auto"
    limit_s: float = 1.0

    def solver(self) -> Solver:
        return self_debug(self)


@solver
def self_debug(options: SelfDebug | None = None) -> Solver:
    """The loop as an Inspect solver: visible tests come from the sample's metadata (`visible_tests`: asserts)."""
    debug = options or SelfDebug()

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        state = await generate(state)
        program, best = program_of(state.metadata, state.output.completion), state.output
        reason, turn = "turns used up", 0
        while turn < debug.turns:
            right, report = await _feedback(debug, state, generate, program)
            if right:
                reason = "judged right"
                break
            turn += 1
            state.messages.append(ChatMessageUser(content="\n\n".join([*report, WRONG, ANSWER])))
            state = await generate(state)
            rewritten = program_of(state.metadata, state.output.completion)
            if not rewritten.strip():
                state.output = best  # no code in the answer: the previous program stands
                continue
            best = state.output
            if rewritten == program:
                reason = "no change"
                break
            program = rewritten
        state.output = best
        state.metadata["self_debug"] = {"turns": turn, "stopped": reason}
        return state

    return solve


async def _feedback(debug: SelfDebug, state: TaskState, generate: Generate, program: str) -> tuple[bool, list[str]]:
    """Whether the program counts as right, and what the model is told when it does not."""
    tests = visible_tests(state.metadata)
    by_tests = debug.verdict == "tests" or (debug.verdict == "auto" and bool(tests))
    failing = await _first_failing(program, tests, debug.limit_s)
    report = []
    if debug.feedback != "simple" and failing:
        report.append(f"This test fails: {failing[0]}\nIt gives: {failing[1]}")
    if by_tests and not failing:
        return True, []
    if debug.feedback == "expl":
        await _ask(state, generate, EXPLAIN)
    elif debug.feedback == "trace" and tests:
        await _ask(state, generate, TRACE.format(test=failing[0] if failing else tests[0]))
    if not by_tests:
        answer = await _ask(state, generate, JUDGE)
        return answer.strip().lower().startswith("yes"), report
    return False, report


async def _ask(state: TaskState, generate: Generate, question: str) -> str:
    """Put a question that stays in the conversation; the output of the state is not the answer to it."""
    kept = state.output
    state.messages.append(ChatMessageUser(content=question))
    state = await generate(state)
    answer, state.output = state.output.completion, kept
    return answer


async def _first_failing(program: str, tests: list[str], limit_s: float) -> tuple[str, str] | None:
    """The first visible test that does not pass, and what it gave: an exception, a wrong value, or "timeout"."""
    for test in tests:
        ran = await asyncio.to_thread(shared().check, program, test, Limits(wall_s=limit_s))
        if ran.verdict is Verdict.TIMEOUT:
            return test, "timeout"
        if ran.verdict is not Verdict.PASSED:
            return test, f"{ran.exception or ran.verdict}: {ran.message}".strip(": ")
    return None
