"""Continuous batching: which tokens of which requests go into each step, on any machine; exact counts of what it took."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from steelyard.core.errors import InputError
from steelyard.lab.serving.job import Job, Request
from steelyard.lab.serving.paging import Books, Run


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """Positions [start, stop) of one request, to be computed in a step; run.slots says where everything before stands."""

    run: Run
    start: int
    stop: int

    @property
    def asks(self) -> bool:
        """Whether the token after its last is wanted."""
        return self.stop == self.run.known


class Machine(Protocol):
    """What steps are run on: a model, or a clock that only counts."""

    def step(self, works: Sequence[Work], *, shared: bool) -> Sequence[int]:
        """Compute the works; the next token of each (of no meaning where it is not asked for).

        shared: keys and values that several requests have in common are read once for all of them.
        """
        ...


@dataclass(frozen=True, slots=True)
class Step:
    """Counts of one step. tokens: computed. decoded: of requests past their prompt. requests: that took part.

    held, referenced: blocks with contents, and those that running requests need, during the step.
    """

    tokens: int
    decoded: int
    requests: int
    held: int
    referenced: int


@dataclass
class Served:
    """What serving a job gave and took.

    outputs: request id -> generated tokens. finished: request id -> the step after which it was done (1 is the first).
    prompt_computed: prompt tokens that went through the model, a second time too. planning_s: spent before the first step.
    """

    outputs: dict[str, list[int]] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    finished: dict[str, int] = field(default_factory=dict)
    prompt_computed: int = 0
    preemptions: int = 0
    evictions: int = 0
    planning_s: float = 0.0


Reorder = Callable[[deque[Run]], None]


def run_batches(
    job: Job, machine: Machine, books: Books, order: Iterable[int], *, by_memory: bool = False,
    predicted: Callable[[Request], float] = lambda r: r.expected, shared: bool = True, reorder: Reorder | None = None,
) -> Served:  # fmt: skip
    """Serve the requests of a job, numbers in `order`, first come first served; prompts are computed in chunks.

    A step first takes the running requests in the order they began, then admits waiting ones while there are tokens left
    in the step, and: while fewer than limits.requests run (by_memory=False); or while what the running ones will still
    need, by `predicted` output lengths, leaves room for what the next one will need (by_memory=True). Where blocks run out,
    the request that began last is put back to the head of the queue and computed again later.
    reorder: may sort the waiting ones before each admission.
    """
    served = Served()
    waiting = deque(run_of(n, job) for n in order)
    running: list[Run] = []
    while waiting or running:
        works: list[Work] = []
        budget = _go_on(running, waiting, books, served, works, job.limits.tokens)
        if reorder is not None and waiting and budget:
            reorder(waiting)
        reserve = sum(_reserve(r, books, predicted) for r in running) if by_memory else 0
        while waiting and budget and (by_memory or len(running) < job.limits.requests):
            run = waiting[0]
            lacking = _reserve(run, books, predicted) if by_memory else 0
            if running and by_memory and books.available - reserve < lacking:
                break
            if not books.begin(run):
                if running:
                    break
                if not books.give_up() and not books.detach(run):
                    raise InputError(
                        f"request {run.request.id!r} finds no room in an empty cache.", "Give it more blocks."
                    )
                continue
            waiting.popleft()
            running.append(run)
            count = min(run.left, budget)
            books.room(run, run.computed + count)
            budget -= _schedule(run, count, books, served, works)
            reserve += _reserve(run, books, predicted) if by_memory else 0
        _compute(job, machine, books, running, works, served, shared)
    served.evictions = books.evictions
    return served


def run_of(number: int, job: Job) -> Run:
    """A request of a job before its first step."""
    request = job.requests[number]
    prompt = len(request.prompt)
    tokens = np.zeros(prompt + request.max_new, np.int32)
    tokens[:prompt] = request.prompt
    return Run(number, request, tokens, np.full(len(tokens) + job.limits.block, -1, np.int64), prompt)


def _reserve(run: Run, books: Books, predicted: Callable[[Request], float]) -> int:
    """Blocks that a request will still need by its predicted end."""
    return books.needed(run, max(run.known, round(len(run.request.prompt) + predicted(run.request))))


def _go_on(
    running: list[Run], waiting: deque[Run], books: Books, served: Served, works: list[Work], budget: int
) -> int:  # fmt: skip
    """Schedule what runs already; returns the tokens that are left in the step."""
    at = 0
    while at < len(running) and budget:
        run = running[at]
        count = min(run.left, budget)
        while not books.room(run, run.computed + count):
            if len(running) == 1 and books.give_up():
                continue
            victim = running.pop()
            books.end(victim, finished=False)
            waiting.appendleft(victim)
            served.preemptions += 1
            if victim is run:
                if not running:  # alone it must fit, so it is the segments that waste too much
                    books.detach(run)
                return budget
        budget -= _schedule(run, count, books, served, works)
        at += 1
    return budget


def _schedule(run: Run, count: int, books: Books, served: Served, works: list[Work]) -> int:
    start, prompt = run.computed, len(run.request.prompt)
    run.computed += count
    served.prompt_computed += max(0, min(run.computed, prompt) - start)
    books.wrote(run)
    works.append(Work(run, start, run.computed))
    return count


def _compute(
    job: Job, machine: Machine, books: Books, running: list[Run], works: list[Work], served: Served, shared: bool
) -> None:  # fmt: skip
    following = machine.step(works, shared=shared)
    tokens = sum(w.stop - w.start for w in works)
    decoded = sum(w.start >= len(w.run.request.prompt) for w in works)
    served.steps.append(Step(tokens, decoded, len(works), books.held, books.referenced))
    for work, token in zip(works, following, strict=True):
        run = work.run
        if not work.asks:
            continue
        if run.generated < run.request.new:
            run.tokens[run.known] = token
            run.known += 1
        if run.generated == run.request.new:
            running.remove(run)
            books.end(run, finished=True)
            served.outputs[run.request.id] = run.tokens[len(run.request.prompt) : run.known].tolist()
            served.finished[run.request.id] = len(served.steps)
