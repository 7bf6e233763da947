"""Best of k samples: draw several programs and keep the one that fares best on what may be seen."""

from __future__ import annotations

import asyncio
from collections import Counter
from copy import deepcopy
from dataclasses import dataclass
from typing import ClassVar

from inspect_ai.model import ModelOutput
from inspect_ai.solver import Generate, Solver, TaskState, solver

from steelyard.contenders.solvers.visible import Failing, failing
from steelyard.core.contender import contender
from steelyard.llm.context import TRAIL, execution_of, program_of, visible_tests


@contender("best-of", interface="solver", source="arXiv:2304.05128, section 4 (the baseline with many samples)")
@dataclass(frozen=True)
class BestOf:
    """Draw `samples` programs; keep the first that fails the fewest visible tests.

    Where there is no visible test, keep the first of the programs whose execution gives what most give.
    samples: programs drawn at most. temperature: of the draws. early: stop at the first that passes every visible test
    (it would be chosen anyhow). limit_s: wall time of one visible test (seconds). tokens: no draw once so many were
    spent, 0 for no limit.
    """

    samples: int = 10
    temperature: float = 0.7
    early: bool = False
    limit_s: float = 1.0
    tokens: int = 0

    depends_on: ClassVar[tuple[type, ...]] = (Failing,)

    def solver(self) -> Solver:
        return best_of(self)


@solver
def best_of(options: BestOf | None = None) -> Solver:
    """The draws as an Inspect solver: draw i has the run's seed + i."""
    chosen = options or BestOf()

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        facts = state.metadata
        tests = visible_tests(facts)
        drawn: list[tuple[ModelOutput, str, int]] = []
        tokens, first = 0, int(facts.get("run_seed", 0))
        while len(drawn) < chosen.samples and not 0 < chosen.tokens <= tokens:
            one = await generate(deepcopy(state), temperature=chosen.temperature, seed=first + len(drawn))
            tokens += one.output.usage.total_tokens if one.output.usage else 0
            program = program_of(facts, one.output.completion)
            wrong = len(await failing(program, tests, chosen.limit_s)) if program.strip() else len(tests) + 1
            drawn.append((one.output, program, wrong))
            if chosen.early and tests and not wrong:
                break
        output, program, wrong = await _best(drawn, tests, facts)
        state.output = output
        state.messages.append(output.message)
        judged = [not wrong] if tests else []
        state.metadata[TRAIL] = {
            "programs": [program], "by": "tests" if tests else "majority", "judged": judged, "turns": 0,
            "samples": len(drawn), "tokens": tokens, "stopped": "judged right" if judged == [True] else "chosen",
        }  # fmt: skip
        return state

    return solve


async def _best(
    drawn: list[tuple[ModelOutput, str, int]], tests: list[str], facts: dict[str, object]
) -> tuple[ModelOutput, str, int]:
    if tests:
        return min(drawn, key=lambda d: d[2])
    gave = [await asyncio.to_thread(execution_of, facts, program) for _, program, _ in drawn]
    most = Counter(g for g in gave if g).most_common(1)
    return drawn[gave.index(most[0][0])] if most else drawn[0]
