"""Weighs: plans, measures what the pool lacks, records as it goes, and says what was left out and why."""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from steelyard.core.errors import InputError
from steelyard.core.interfaces import Outcome, join_outputs
from steelyard.core.spec import Spec
from steelyard.core.words import GATES, Case, Direction, Kind, Measurement, Metric, Status
from steelyard.weigh import executors, joint
from steelyard.weigh.plan import Cell, Plan, Weighed, make_plan, order, own
from steelyard.weigh.progress import Progress, Silent
from steelyard.weigh.worker import Job, Weight, Worker

if TYPE_CHECKING:
    from steelyard.pool import Pool
    from steelyard.weigh.cluster import Cluster

# What a language model spends, beside whatever its benchmark measures.
COST = {
    m.name: m
    for m in (
        Metric("wall_time", "s", Direction.LOWER, Kind.DURATION),
        Metric("output_tokens", "token", Direction.LOWER, Kind.COUNT),
        Metric("input_tokens", "token", Direction.LOWER, Kind.COUNT),
        Metric("model_calls", "call", Direction.LOWER, Kind.COUNT),
    )
}


@dataclass
class Weighing:
    """What one call of `weigh` did.

    measured: cells taken now, by status. done: cells the pool had. excluded: case id -> why the gate refused it.
    left: cells not measured because the time budget ended or the user stopped.
    """

    run: str
    plan: Plan
    measured: dict[Status, int] = field(default_factory=dict)
    done: int = 0
    excluded: dict[str, str] = field(default_factory=dict)
    left: int = 0
    stopped: bool = False


@dataclass(frozen=True)
class Budget:
    """Limits of a run. time_s: start no cell after so many seconds. cell_timeout_s: give up on one cell after so many.

    workers: processes for quality cells (timings always run alone); 0 measures in this process.
    memory_bytes: address space that each worker process may add to what it has at its start, None for no limit.
    """

    time_s: float | None = None
    cell_timeout_s: float = 300.0
    workers: int | None = None
    memory_bytes: int | None = None
    retry_failed: bool = False


def weigh(
    benchmark: str | Spec,
    contenders: Sequence[str | Spec] | Mapping[str, Any] = (),
    *,
    pool: Pool,
    data: str | None = None,
    where: Callable[[Mapping[str, Any]], bool] | None = None,
    limit: int | None = None,
    trials: int | None = None,
    seed: int = 0,
    budget: Budget | None = None,
    on: str = "",
    progress: Progress | None = None,
) -> Weighing:
    """Measure every contender on every case for every trial, except what the pool has already.

    contenders: specs, or a mapping from a name to a Python object that offers the benchmark's interface.
    on: "" for this machine, "ray" or "ray://host:port" for a cluster.

    Ctrl-C ends the run early: what was measured stays and `stopped` is set. Raises InputError and MissingError before
    anything is measured when a name, an option or a library is wrong.
    """
    budget = budget or Budget()
    progress = progress or Silent()
    objects = {name: own(name, thing) for name, thing in contenders.items()} if isinstance(contenders, Mapping) else {}
    plan, bench = make_plan(
        benchmark, list(objects.values() or contenders), data=data, where=where, limit=limit, trials=trials
    )
    if on and objects:
        raise InputError(
            "Python objects are weighed in this process.", "Leave `on` out, or put them in a file.py:name."
        )
    with closing(_cluster(on)) if on else nullcontext() as cluster:
        return _Session(plan, bench, pool, budget, progress, seed, cluster, _run_id()).weigh()


class _Session:
    """The state of one run."""

    def __init__(
        self, plan: Plan, bench: Any, pool: Pool, budget: Budget, progress: Progress, seed: int,
        cluster: Cluster | None, run: str,
    ) -> None:  # fmt: skip
        from steelyard.probe import machine

        self.plan, self.bench, self.pool, self.budget = plan, bench, pool, budget
        self.progress, self.seed, self.cluster = progress, seed, cluster
        self.report = Weighing(run, plan)
        self.deadline = time.monotonic() + budget.time_s if budget.time_s is not None else None
        self.machine = cluster.machine() if cluster and plan.card.timing else machine().to_json()
        # of timings whole rounds count instead, and only on the machine they were taken on: see _whole_rounds
        self.have = set() if plan.card.timing else pool.done(plan.card.name, retry_failed=budget.retry_failed)

    def weigh(self) -> Weighing:
        plan = self.plan
        gate = [name for name in plan.contenders if name in GATES and self._gated]
        rest = [name for name in plan.contenders if name not in gate]
        gate_plan = [Cell(case, name, 0) for case in plan.cases for name in gate]
        total = len(gate_plan) + len(plan.cases) * plan.trials * len(rest)
        self._check_models(rest)
        with self.progress.over(f"{plan.spec}", total):
            try:
                self._measure(gate_plan)
                if gate:
                    self._exclude()
                kept = [case for case in plan.cases if case.id not in self.report.excluded]
                self.progress.skip(len(self.report.excluded) * plan.trials * len(rest))
                local = [name for name in rest if plan.contenders[name].maker != "model"]
                if local:
                    self._measure(list(order(plan, local, kept)))
                for name in rest:
                    if plan.contenders[name].maker == "model":
                        cells = [Cell(case, name, t) for t in range(plan.trials) for case in kept]
                        self._measure([cell for cell in cells if not cell.case.parts])
                        self._joint([cell for cell in cells if cell.case.parts])
            except KeyboardInterrupt:
                self.report.stopped = True
            finally:
                self.pool.flush()
        counted = sum(self.report.measured.values()) + self.report.done
        self.report.left = max(0, total - counted - len(self.report.excluded) * plan.trials * len(rest))
        return self.report

    def _check_models(self, names: list[str]) -> None:
        """Before anything is measured: can every model that has something to do be asked at all?"""
        from steelyard import llm

        plan = self.plan
        for who in (plan.contenders[name] for name in names if plan.contenders[name].maker == "model"):
            cells = (Cell(case, who.name, trial) for case in plan.cases for trial in range(plan.trials))
            if any(plan.key(cell) not in self.have for cell in cells):
                llm.check(who.spec, plan.card)

    @property
    def _gated(self) -> bool:
        return hasattr(self.bench, "reference")

    def _measure(self, cells: list[Cell]) -> None:
        """Measure the cells the pool lacks, in their order, and record each as it ends."""
        if self.plan.card.timing:
            whole = self._whole_rounds({cell.contender for cell in cells})
            todo = [cell for cell in cells if (cell.case.id, cell.trial) not in whole]
        else:
            todo = [cell for cell in cells if self.plan.key(cell) not in self.have]
        self.report.done += len(cells) - len(todo)
        self.progress.skip(len(cells) - len(todo))
        if not todo:
            return
        if self.plan.contenders[todo[0].contender].maker == "model" and todo[0].output is None:
            self._models(todo)
            return
        with closing(self._execute(todo)) as results:
            for cell, weight in results:
                self._record(cell, weight)
                if self.deadline is not None and time.monotonic() > self.deadline:
                    return

    def _whole_rounds(self, names: set[str]) -> set[tuple[str, int]]:
        """The rounds (case id, trial) that one run took of all `names`: only what was timed side by side is compared."""
        versions = {(n, self.plan.contenders[n].config, self.plan.code_version(self.plan.contenders[n])) for n in names}
        sql = """
            SELECT run, "case", trial, contender, contender_config, code_version FROM measurements
            WHERE benchmark = $benchmark AND benchmark_version = $version AND machine = $machine GROUP BY ALL
        """
        if self.budget.retry_failed:
            sql += " HAVING NOT bool_or(status IN ('failed', 'timeout'))"
        wanted = {"benchmark": self.plan.card.name, "version": self.plan.version, "machine": self.machine}
        taken: dict[tuple[str, str, int], int] = {}
        for r in self.pool.query(sql, wanted).to_pylist():
            if (r["contender"], r["contender_config"], r["code_version"]) in versions:
                at = (r["run"], r["case"], r["trial"])
                taken[at] = taken.get(at, 0) + 1
        return {(case, trial) for (_, case, trial), count in taken.items() if count == len(names)}

    def _execute(self, cells: list[Cell]) -> Generator[executors.Done, None, None]:
        plan, budget = self.plan, self.budget
        timing = plan.card.timing
        objects = {w.name: w.thing for w in plan.contenders.values() if w.maker == "object"}
        job = Job(str(plan.spec), plan.data, plan.card.interface, timing, budget.memory_bytes)
        if self.cluster:
            return self.cluster.run(job, cells, budget.cell_timeout_s)
        if objects or budget.workers == 0:
            cases = {case.id: case for case in plan.cases}
            return executors.inline(Worker(job, self.bench, dict(objects), cases), cells)
        count = 1 if timing else min(budget.workers or os.cpu_count() or 1, len(cells))
        return executors.processes([job] * count, cells, budget.cell_timeout_s)

    def _models(self, cells: list[Cell]) -> None:
        """Language models go through Inspect, which runs samples of its own accord and reports each as it ends."""
        from steelyard import llm

        who = self.plan.contenders[cells[0].contender]
        by_key = {(cell.case.id, cell.trial): cell for cell in cells}

        def record(case: Case, trial: int, outcome: Outcome, duration_s: float, started_at: float) -> None:
            self._record(by_key[case.id, trial], Weight(outcome, duration_s, started_at))

        left = None if self.deadline is None else max(0.0, self.deadline - time.monotonic())
        llm.run_model(
            self.plan.card,
            self.bench,
            who.spec,
            [(cell.case, cell.trial) for cell in cells],
            record,
            log_dir=_log_folder(self.pool),
            seed=self.seed,
            time_s=left,
            cell_timeout_s=self.budget.cell_timeout_s,
        )

    def _joint(self, cells: list[Cell]) -> None:
        """Score what a model gave for the parts of each case, now or in an earlier run; it is not asked again."""
        if self.deadline is not None and time.monotonic() > self.deadline:
            return  # the parts may not have been asked for yet
        ready = []
        for cell in cells:
            if self.plan.key(cell) in self.have:
                ready.append(replace(cell, output=""))  # counted, and not measured again
                continue
            given = joint.outputs(self.pool, self.plan, cell)
            if lacking := [part.id for part in cell.case.parts if part.id not in given]:
                why = f"has no output of {lacking[0]}, which is a part of {cell.case.id}"
                self._record(cell, Weight(Outcome({}, Status.FAILED, why), 0.0, time.time()))
            else:
                ready.append(replace(cell, output=join_outputs(given)))
        self._measure(ready)

    def _record(self, cell: Cell, weight: Weight) -> None:
        self.pool.append(self._rows(cell, weight))
        status = weight.outcome.status
        self.report.measured[status] = self.report.measured.get(status, 0) + 1
        self.progress.advance(cell.contender, cell.case.id, status)

    def _rows(self, cell: Cell, weight: Weight) -> Iterator[Measurement]:
        """One row a metric; a failure is a row of the primary metric with its reason."""
        plan, outcome = self.plan, weight.outcome
        who = plan.contenders[cell.contender]
        artifacts = {role: self.pool.put_blob(text) for role, text in outcome.artifacts.items()}
        metrics = dict(outcome.metrics)
        if outcome.status is not Status.OK or not metrics:
            metrics.setdefault(plan.card.primary.name, float("nan"))
        for name, value in metrics.items():
            lost = value != value
            fact = plan.card.metric.get(name) or COST.get(name)
            yield Measurement(
                benchmark=plan.card.name,
                benchmark_version=plan.version,
                case=cell.case.id,
                contender=who.name,
                metric=name,
                value=value,
                unit=fact.unit if fact else "1",
                trial=cell.trial,
                seed=self.seed + cell.trial,
                status=outcome.status if lost else Status.OK,
                error=outcome.error or ("no value was returned" if lost else ""),
                duration_s=weight.duration_s,
                case_attributes=json.dumps(dict(cell.case.attributes), sort_keys=True, default=str),
                case_group=cell.case.group,
                contender_config=who.config,
                run=self.report.run,
                started_at=weight.started_at,
                provenance=outcome.provenance,
                machine=weight.machine or self.machine,
                code_version=plan.code_version(who),
                artifacts=json.dumps(artifacts, sort_keys=True),
            )

    def _exclude(self) -> None:
        """The gate: a reference must score at the ceiling and the empty answer at the floor, else the case is out.

        A case whose reference is unsupported (only verdicts of it were published, or its program cannot run here) has no
        gate: whoever would have to be judged on it is unsupported too.
        """
        metric = self.plan.card.primary
        sql = """
            SELECT contender, "case", value, status, error FROM latest WHERE benchmark = $benchmark AND metric = $metric
            AND benchmark_version = $version AND contender IN ('gold', 'empty') AND list_contains($code, code_version)
        """
        code = [self.plan.code_version(self.plan.contenders[name]) for name in GATES if name in self.plan.contenders]
        wanted = {"benchmark": self.plan.card.name, "version": self.plan.version, "metric": metric.name, "code": code}
        rows = self.pool.query(sql, wanted).to_pylist()
        seen = {(r["contender"], r["case"]): (r["value"], r["error"]) for r in rows}
        ungated = {r["case"] for r in rows if r["contender"] == "gold" and r["status"] == Status.UNSUPPORTED}
        for case in self.plan.cases:
            if case.id in ungated:
                continue
            gold, why = seen.get(("gold", case.id), (float("nan"), "was not measured"))
            empty, _ = seen.get(("empty", case.id), (float("nan"), ""))
            if gold != 1.0:
                self.report.excluded[case.id] = (
                    f"its own reference does not pass: {why or f'{metric.name} is {gold:g}'}"
                )
            elif empty > 0.0:
                self.report.excluded[case.id] = f"an empty answer scores {empty:g}"
        if len(self.report.excluded) == len(self.plan.cases):
            first = next(iter(self.report.excluded.items()))
            raise InputError(
                f"{self.plan.spec}: no case passes its own gate (first: {first[0]}, {first[1]}).",
                "The reference of a case must pass its tests, and an empty answer must fail them.",
            )


def _log_folder(pool: Pool) -> str:
    """Inspect's logs: beside the measurements of a local pool, else in the user's data folder."""
    import platformdirs

    remote = "://" in pool.path
    return str(platformdirs.user_data_path("steelyard") / "logs") if remote else os.path.join(pool.path, "_logs")


def _cluster(on: str) -> Cluster:
    from steelyard.weigh.cluster import Cluster

    return Cluster(on)


def _run_id() -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()) + "-" + secrets.token_hex(3)


__all__ = ["Budget", "Weighed", "Weighing", "weigh"]
