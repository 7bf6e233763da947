"""What a function must show before it becomes a case: its own body passes, stubs fail, and mutants are noticed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from steelyard.benchmarks.code.assemble import replace_body
from steelyard.benchmarks.code.repositories.functions import Function, text_of
from steelyard.benchmarks.code.repositories.mutants import STUBS, mutants
from steelyard.benchmarks.code.repositories.project import Project
from steelyard.benchmarks.code.repositories.running import TestRun, run_tests
from steelyard.benchmarks.code.repositories.tracing import select


@dataclass(frozen=True, slots=True)
class Gate:
    """why: "" where the function may be a case. tests: those that judge it, those added included.

    mutants, killed: small changes tried, and noticed by `tests`. compared, added: mutants on which the selected tests were
    compared with all that run the function, and tests added because only they noticed one.
    """

    why: str
    tests: tuple[str, ...] = ()
    mutants: int = 0
    killed: int = 0
    compared: int = 0
    added: int = 0


def with_body(project: Project, function: Function, body: str) -> dict[str, str]:
    """The changes that put `body` in place of the function's own."""
    return {function.path: replace_body(project.source(function.path), function.body, body, function.indent)}


def reference_of(project: Project, function: Function) -> str:
    return text_of(project.source(function.path), *function.body)


def gate(
    project: Project,
    function: Function,
    reached: Mapping[str, set[int]],
    most: int = 20,
    tried: int = 4,
    compare: bool = False,
    wall_s: float = 60.0,
) -> Gate:
    """Select tests and try them: the reference put back must pass, each stub must fail, a mutant must be noticed.

    reached: the steady tests that run the body, with the lines each runs. most: tests selected. tried: mutants. compare: where
    tests were left out, run each mutant that the selected ones miss under all of them, and add what notices it.
    """
    chosen = select(reached, most)

    def run(body: str, tests: Sequence[str]) -> TestRun:
        return run_tests(project, tests, with_body(project, function, body), first=True, wall_s=wall_s)

    reference = run(reference_of(project, function), chosen)
    if not reference.passed:
        return Gate(f"its own body, put back, does not pass: {reference.message[:200]}")
    for stub in STUBS:
        if run(stub, chosen).passed:
            if len(chosen) == len(reached) or run(stub, list(reached)).passed:
                return Gate(f"a stub passes its tests: {stub.strip()}")
            chosen = list(reached)
    killed = compared = added = 0
    bodies = mutants(reference_of(project, function), tried)
    for body in bodies:
        ran = run(body, chosen)
        noticed = not ran.passed and not ran.ours
        if compare and len(chosen) < len(reached):
            compared += 1
            if not noticed:
                whole = run(body, list(reached))
                more = [
                    t
                    for t, result in whole.tests.items()
                    if t in reached and t not in chosen and result.end == "failed"
                ]
                noticed = bool(more)
                added += len(more[:1])
                chosen = [t for t in reached if t in {*chosen, *more[:1]}]
        killed += noticed
    if bodies and not killed:
        return Gate(f"none of {len(bodies)} mutants is noticed by its tests", tuple(chosen), len(bodies))
    return Gate("", tuple(chosen), len(bodies), killed, compared, added)
