"""Runs one cell at a time: in this process, in a process of its own, or inside a Ray actor; always the same code."""

from __future__ import annotations

import math
import os
import signal
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from steelyard import catalog
from steelyard.core.errors import MissingError, SteelyardError
from steelyard.core.interfaces import Outcome, Replay, join_outputs
from steelyard.core.spec import Spec, parse_spec
from steelyard.core.words import Case, Status
from steelyard.probe import machine


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker needs to build its benchmark and contenders by itself.

    timing: keep to one CPU, and warm each contender up. memory_bytes: how much address space the process may add to
    what it has at its start, so that a contender that floods memory gets a MemoryError and the machine stays up.
    """

    benchmark: str
    data: str | None
    interface: str
    timing: bool
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Weight:
    """One cell's result: the outcome, the wall time it took (seconds) and when it began (seconds since the epoch).

    machine: the fingerprint (JSON) of where it was taken; "" means here.
    """

    outcome: Outcome
    duration_s: float
    started_at: float
    machine: str = ""


@dataclass
class Worker:
    """Holds a benchmark, its cases and contenders, built at first use and kept."""

    job: Job
    bench: Any = None
    things: dict[str, Any] = field(default_factory=dict)
    cases: dict[str, Case] = field(default_factory=dict)
    _warm: set[tuple[str, str]] = field(default_factory=set)
    _refused: dict[str, Outcome] = field(default_factory=dict)

    def run(self, case_id: str, contender: str, trial: int, output: str | None = None) -> Weight:
        """Measure one cell. Whatever the contender does short of killing the process becomes an Outcome.

        output: what the contender gave, where that is known already (the joint output of a model).
        """
        started = time.time()
        begin = time.perf_counter()
        try:
            outcome = self._measure(case_id, contender, trial, output)
        except MissingError as error:
            if self.job.interface == "generator":
                raise  # no sandbox, no library of the benchmark: nothing can be weighed, so nothing is recorded
            outcome = Outcome({}, Status.UNSUPPORTED, str(error))
        except SteelyardError:
            raise
        except MemoryError:
            outcome = Outcome({}, Status.FAILED, "MemoryError: more memory than the limit of the run (--memory)")
        except (Exception, SystemExit) as error:  # a contender that calls exit() must not end the run
            outcome = Outcome({}, Status.FAILED, _explain(error), artifacts={"log": traceback.format_exc()})
        return Weight(outcome, time.perf_counter() - begin, started)

    def prepare(self) -> None:
        """Load the benchmark and its cases, which no contender is to be charged for."""
        if self.bench is None:
            from steelyard.weigh.plan import load_benchmark

            self.bench = load_benchmark(parse_spec(self.job.benchmark))[1]
        if not self.cases:
            self.cases = {case.id: case for case in self.bench.cases(self.job.data)}

    def _measure(self, case_id: str, contender: str, trial: int, output: str | None) -> Outcome:
        self.prepare()
        case = self.cases[case_id]
        if output is not None:
            return _checked(self._score(case, output))
        if contender in self._refused:
            return self._refused[contender]
        spec = parse_spec(contender)
        if contender not in self.things:
            self.things[contender] = catalog.make_contender(spec, self.job.interface)
            if reason := getattr(self.things[contender], "supported", str)():
                self._refused[contender] = Outcome({}, Status.UNSUPPORTED, reason)
                return self._refused[contender]
        thing = self.things[contender]
        if self.job.interface == "generator":
            return _checked(self._generate(thing, spec, case, trial))
        if self.job.timing and (contender, case_id) not in self._warm:
            getattr(self.bench, "warm", lambda t, c: self.bench.measure(t, c, 0))(thing, case)
            self._warm.add((contender, case_id))
        return _checked(self.bench.measure(thing, case, trial))

    def _generate(self, thing: Any, spec: Spec, case: Case, trial: int) -> Any:
        """A generator without a language model: its answer, then the benchmark's score of it.

        A reference or a replay that is an Outcome already stands for itself.
        """
        if isinstance(thing, Replay):
            output = self.bench.replay(thing.name, case, trial, **thing.options)
        elif case.parts or spec.name != "gold":
            output = self._answer(thing, spec, case, trial)
        else:
            output = self.bench.reference(case)
        if not isinstance(output, str):
            return output
        whole = hasattr(thing, "score_options") and not case.parts
        return self._score(case, output, **(thing.score_options(case, trial) if whole else {}))

    def _answer(self, thing: Any, spec: Spec, case: Case, trial: int) -> str:
        if case.parts:
            return join_outputs({part.id: self._answer(thing, spec, part, trial) for part in case.parts})
        return str(self.bench.reference(case) if spec.name == "gold" else thing.answer(case, trial))

    def _score(self, case: Case, output: str, **options: Any) -> Outcome:
        result = self.bench.score(case, output, **options)
        kept = dict(result.artifacts) if isinstance(result, Outcome) else {}
        kept.setdefault("output", output)
        if isinstance(result, Outcome):
            return replace(result, artifacts=kept)
        return Outcome(result, artifacts=kept)


def _checked(result: Outcome | Mapping[str, float]) -> Outcome:
    """An Outcome whose numbers are all finite; NaN and infinities make it a failure that says which they were."""
    outcome = result if isinstance(result, Outcome) else Outcome(dict(result))
    values = {name: float(value) for name, value in outcome.metrics.items()}
    bad = [f"{name} is {value}" for name, value in values.items() if not math.isfinite(value)]
    if outcome.status is Status.OK and bad:
        good = {name: value for name, value in values.items() if math.isfinite(value)}
        return replace(outcome, metrics=good, status=Status.FAILED, error=f"not a number: {', '.join(bad)}")
    return replace(outcome, metrics=values)


def _explain(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1] if frames else None
    place = f" ({os.path.basename(last.filename)}:{last.lineno})" if last else ""
    return f"{type(error).__name__}: {error}{place}"


def confine(job: Job) -> None:
    """Hold this process to the job's CPU and memory."""
    machine()  # looked at (and kept) before this process sees one core only
    if job.timing and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # the first core serves most interrupts
    if job.memory_bytes is not None:
        import resource

        with open("/proc/self/statm") as file:
            held = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (held + job.memory_bytes,) * 2)


def serve(fd: int) -> None:
    """The loop of a worker process: a Job (answered when all is ready), then cells, over the file descriptor `fd`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    connection = Connection(fd)
    job: Job = connection.recv()
    confine(job)
    worker = Worker(job)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what contenders print is not part of the table
    act: Callable[[], Weight | None] = worker.prepare
    while True:
        try:
            reply: object = act()
        except SteelyardError as error:
            reply = error
        connection.send(reply)
        try:
            act = partial(worker.run, *connection.recv())
        except (EOFError, ConnectionResetError):  # the run has ended, in order or not
            return
