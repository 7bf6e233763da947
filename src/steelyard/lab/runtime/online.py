"""A server in this process: continuous batching over a paged cache, for requests that arrive one after the other."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from steelyard.lab.opening import LabModel
from steelyard.lab.runtime.traces import Reply, Trace, reply
from steelyard.lab.serving.batching import Work, run_of
from steelyard.lab.serving.engine import TorchMachine
from steelyard.lab.serving.job import Job, Limits
from steelyard.lab.serving.job import Request as Served
from steelyard.lab.serving.paging import HashedBlocks, Run

STEP_TOKENS, BLOCK = 256, 16


@dataclass
class _Clients:
    """When requests come: at their times, or when the client's last one is answered. due: request number -> when."""

    trace: Trace
    now: Callable[[], float]
    due: dict[int, float] = field(default_factory=dict)
    sent: int = 0

    def arrived(self, idle: bool) -> list[int]:
        """Numbers of the requests that have come since the last call; with nothing else to do, waits for one."""
        requests, found = self.trace.requests, []
        if self.trace.clients:
            while self.sent < min(len(requests), self.trace.clients):
                found.append(self._send(self.now()))
            return found
        if idle and self.sent < len(requests):
            time.sleep(max(0.0, requests[self.sent].due - self.now()))
        while self.sent < len(requests) and requests[self.sent].due <= self.now():
            found.append(self._send(requests[self.sent].due))
        return found

    def answered(self) -> list[int]:
        """A client is free: what it sends next."""
        more = bool(self.trace.clients) and self.sent < len(self.trace.requests)
        return [self._send(self.now())] if more else []

    def _send(self, due: float) -> int:
        self.due[self.sent] = due
        self.sent += 1
        return self.sent - 1


@dataclass
class Server:
    """Serves a trace by one open model. slots: requests at a time. patience: seconds after which all is given up."""

    lab: LabModel
    slots: int
    patience: float

    @property
    def device(self) -> Any:
        return self.lab.device

    def serve(self, trace: Trace) -> list[Reply]:
        """Decoding goes before prompts, which are computed in chunks; no request is ever stopped, for all of them fit."""
        requests = tuple(
            Served(r.id, np.asarray(r.prompt, np.int32), r.new, float(r.new), r.new) for r in trace.requests
        )
        limits = Limits(1, BLOCK, STEP_TOKENS, self.slots)
        blocks = sum(limits.blocks_of(r.length) + 1 for r in requests)
        job = Job(requests, Limits(blocks, BLOCK, STEP_TOKENS, self.slots), {})
        machine, books = TorchMachine(self.lab, job.limits), HashedBlocks(job, reuse=False)
        began = time.perf_counter()
        clients = _Clients(trace, lambda: time.perf_counter() - began)
        waiting: deque[Run] = deque()
        running: list[Run] = []
        first: dict[int, float] = {}
        last: dict[int, float] = {}
        while len(last) < len(requests) and clients.now() < self.patience:
            waiting += (run_of(n, job) for n in clients.arrived(not (waiting or running)))
            works = _schedule(waiting, running, books, job.limits)
            following = machine.step(works, shared=False)
            now = clients.now()
            for work, token in zip(works, following, strict=True):
                run = work.run
                if not work.asks:
                    continue
                run.tokens[run.known] = token
                run.known += 1
                first.setdefault(run.number, now)
                if run.generated == run.request.new:
                    last[run.number] = now
                    running.remove(run)
                    books.end(run, finished=True)
                    waiting += (run_of(n, job) for n in clients.answered())
        return [reply(r, clients.due.get(n, r.due), first.get(n), last.get(n)) for n, r in enumerate(trace.requests)]


def _schedule(waiting: deque[Run], running: list[Run], books: HashedBlocks, limits: Limits) -> list[Work]:
    """What goes into the next step: a token of each that decodes, then as much of the prompts as there is room for."""
    works: list[Work] = []
    budget = limits.tokens
    while waiting and len(running) < limits.requests:
        run = waiting.popleft()
        books.begin(run)
        running.append(run)
    for run in sorted(running, key=lambda r: r.left > 1):
        count = min(run.left, budget)
        if count:
            start, run.computed = run.computed, run.computed + count
            books.room(run, run.computed)
            works.append(Work(run, start, run.computed))
            budget -= count
    return works
