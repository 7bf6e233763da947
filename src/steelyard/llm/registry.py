"""What Inspect finds through its entry point: our models, sandbox, hook, solvers, and a task a language benchmark."""

from __future__ import annotations

from typing import Any

from inspect_ai import Task, task
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.solver import Solver, solver

from steelyard import catalog
from steelyard.core.contender import build
from steelyard.core.errors import InputError
from steelyard.core.spec import Spec
from steelyard.llm import bridge, lab_provider, provider, scripted
from steelyard.sandbox import inspect_provider

__all__ = ["bridge", "inspect_provider", "lab_provider", "provider", "scripted"]


def _task(name: str) -> None:
    @task(name=name.replace("-", "_"))
    def benchmark_task(data: str | None = None, limit: int | None = None, **options: Any) -> Task:
        """One of Steelyard's benchmarks. Options are the benchmark's, and those it lets a model have (prompt, route)."""
        card = catalog.benchmark(name).card
        scopes = {o.name: o.scope for o in card.options}
        own = {k: v for k, v in options.items() if scopes.get(k) != "contender"}
        try:
            bench = build(catalog.benchmark(name).load(), own, name)
        except InputError as error:
            raise PrerequisiteError(str(error)) from error
        prompting = {k: v for k, v in options.items() if scopes.get(k) == "contender"}
        chosen = bridge.Chosen("", {}, {}, prompting, (), "")
        cases = [case for case in bench.cases(data) if not case.parts][:limit]
        return bridge.make_task(card, bench, cases, chosen, str(Spec(name, own)))

    globals()[name.replace("-", "_")] = benchmark_task


def _solver(name: str) -> None:
    @solver(name=name)
    def contender_solver(**options: Any) -> Solver:
        """One of Steelyard's solvers; its options are those of `steelyard show NAME`."""
        made: Solver = build(catalog.find(name).load(), options, name).solver()
        return made


for _entry in catalog.contenders("solver"):
    _solver(_entry.name)
for _entry in catalog.benchmarks():
    if _entry.interface == "generator":
        _task(_entry.name)
