"""Self-Debugging (arXiv:2304.05128): the model looks at feedback on its own program and rewrites it."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass, field
from typing import ClassVar, Literal

from inspect_ai.model import ModelOutput
from inspect_ai.solver import Generate, Solver, TaskState, solver

from steelyard.contenders.solvers.demonstrations import Worked, demonstrations
from steelyard.contenders.solvers.dialogue import Dialogue
from steelyard.contenders.solvers.feedback import (
    CLAUSES,
    EXPLAIN,
    EXPLAIN_BOTH,
    JUDGE,
    KINDS,
    TRACE,
    Kind,
    request,
    says_right,
)
from steelyard.contenders.solvers.visible import Failing, failing
from steelyard.core.contender import contender
from steelyard.llm.context import TRAIL, execution_of, program_of, seed_of, visible_tests

JUDGE_TOKENS = 64


@dataclass
class Trail:
    """What was tried, for the benchmark's metrics and for whoever opens a number.

    programs: the first one (or the seed) and each rewrite that held code. judged: whether each was called right, by
    `by`. shown: the visible tests shown with each request to fix. stopped: why the loop ended. tokens: in and out.
    """

    programs: list[str]
    by: str
    judged: list[bool] = field(default_factory=list)
    shown: list[list[str]] = field(default_factory=list)
    turns: int = 0
    no_code: int = 0
    dropped: int = 0
    tokens: int = 0
    stopped: str = ""


@contender("self-debug", interface="solver", source="arXiv:2304.05128, section 3")
@dataclass(frozen=True)
class SelfDebug:
    """Generate (or take the seed), look at feedback, rewrite, until it is called right, at no change, or after `turns`.

    feedback: simple = a verdict only; ut = and a failing visible test with what it gave; expl = ut and the model's own
    explanation of its code; trace = ut and the model's own imagined execution (never a real one); sql = what the query
    returned, the model's analysis of the question and its explanation of the query.
    turns: rewrites at most; 0 only judges. verdict: who says whether a program is right: the visible tests or the
    model; auto is the tests where there are any. tests: which failing visible tests are shown.
    limit_s: wall time of one visible test (seconds). tokens: no call once so many were spent on a case, 0 for no limit.
    demonstrations: worked dialogues with a right and a wrong program go before the task (base models need them).
    """

    feedback: Literal["simple", "ut", "expl", "trace", "sql"] = "ut"
    turns: int = 3
    verdict: Literal["auto", "tests", "model"] = "auto"
    tests: Literal["first", "all"] = "first"
    limit_s: float = 1.0
    tokens: int = 0
    demonstrations: bool = False

    depends_on: ClassVar[tuple[type, ...]] = (Dialogue, Kind, Failing, Worked)  # whose files shape its numbers too

    def solver(self) -> Solver:
        return self_debug(self)


@solver
def self_debug(options: SelfDebug | None = None) -> Solver:
    """The loop as an Inspect solver: visible tests come from the sample's metadata (`visible_tests`: asserts)."""
    debug = options or SelfDebug()

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        if debug.demonstrations:
            at = sum(m.role == "system" for m in state.messages)
            state.messages[at:at] = demonstrations(debug.feedback)
        talk = Dialogue(state, generate)
        trail, best = await _debug(debug, talk)
        trail.tokens, trail.dropped = talk.tokens, talk.dropped
        talk.state.output = best
        talk.state.metadata[TRAIL] = asdict(trail)
        return talk.state

    return solve


async def _debug(debug: SelfDebug, talk: Dialogue) -> tuple[Trail, ModelOutput]:
    """The loop: what was tried, and the output that holds the last program."""
    facts = talk.state.metadata
    tests = visible_tests(facts)
    by_tests = debug.verdict == "tests" or (debug.verdict == "auto" and bool(tests))
    best = await _first(talk, seed_of(facts))
    program = program_of(facts, best.completion)
    trail = Trail([program], "tests" if by_tests else "model")
    while True:
        broken = await failing(program, tests, debug.limit_s)
        if by_tests and tests:
            trail.judged.append(not broken)
        if by_tests and not broken:
            trail.stopped = "judged right" if tests else "no visible tests"
            break
        if trail.turns == debug.turns and (by_tests or debug.turns):
            trail.stopped = "turns used up"
            break
        trail.stopped = await _consider(debug, talk, trail, broken, tests)
        if not trail.stopped and trail.turns == debug.turns:
            trail.stopped = "turns used up"
        if trail.stopped:
            break
        trail.turns += 1
        told = broken[: 1 if debug.tests == "first" else None] if KINDS[debug.feedback].tests else []
        trail.shown.append([f.test for f in told])
        rewritten = program_of(facts, await talk.say(request([(f.test, f.gave) for f in told])))
        if talk.full:
            trail.stopped = "context full"
            break
        if not rewritten.strip():
            trail.no_code += 1  # no code in the answer: the previous program stands
            continue
        talk.keep()
        best = talk.state.output
        if rewritten == program:
            trail.stopped = "no change"
            break
        program = rewritten
        trail.programs.append(program)
    return trail, best


async def _first(talk: Dialogue, seed: str) -> ModelOutput:
    if seed:
        return talk.begin(f"```python\n{seed}\n```")
    await talk.say()
    talk.keep()
    return talk.state.output


async def _consider(debug: SelfDebug, talk: Dialogue, trail: Trail, broken: list[Failing], tests: list[str]) -> str:
    """Put this kind's questions and, where the model decides, ask for its verdict; why to stop, "" to go on."""
    test = broken[0].test if broken else next(iter(tests), "")
    facts = talk.state.metadata
    source = (facts.get("attributes") or {}).get("source_language", "")
    for question in KINDS[debug.feedback].questions:
        if 0 < debug.tokens <= talk.tokens:
            return "tokens used up"
        if question is TRACE and not test:
            continue
        ran = await asyncio.to_thread(execution_of, facts, trail.programs[-1]) if question is CLAUSES else ""
        asked = EXPLAIN_BOTH if question is EXPLAIN and source else question
        await talk.say(asked.format(test=test, source=source, execution=ran))
    if trail.by == "model":
        trail.judged.append(says_right(await talk.say(JUDGE, max_tokens=JUDGE_TOKENS)))
        if trail.judged[-1]:
            return "judged right"
    return "tokens used up" if 0 < debug.tokens <= talk.tokens else "context full" if talk.full else ""
