"""The softmax race: rows in L1, in L2, in the last cache and beyond it; accuracy; edge cases."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from steelyard.benchmarks.kernels.softmax import stream
from steelyard.benchmarks.kernels.softmax.accuracy import ELEMENTS, ROWS, accuracy, accuracy_case
from steelyard.benchmarks.kernels.softmax.edges import EDGES, edge_case_failures
from steelyard.core.errors import InputError
from steelyard.core.interfaces import Outcome
from steelyard.core.words import Case
from steelyard.probe import machine

OFFICIAL = (128, 154, 512, 2048, 8192, 10_000, 100_000, 1_000_000)
ROUND_BYTES = 1 << 21  # short rows are called again until about so much was read, and the median call counts
MOST_CALLS = 200


@dataclass
class Field:
    """The buffers of one case: the input row and the rotating output rows, cut from one block."""

    case: str
    x: np.ndarray
    block: np.ndarray
    stride: int
    rows: int
    turn: int = 0
    trial: int = -1
    stream: dict[str, float] | None = None

    def out(self) -> np.ndarray:
        """The output row that was written longest ago."""
        self.turn = (self.turn + 1) % self.rows
        return self.block[self.turn * self.stride : self.turn * self.stride + self.x.size]


class Softmax:
    """sizes: `knee`, `sweep`, `official`, or lengths such as `4096+1000000`. range: the input is uniform on +-range, or
    normal(0, 10) with input=normal. max_bytes: the longest row by knee and sweep (at least twice the knee is kept)."""

    def __init__(
        self, sizes: str = "knee", max_bytes: int = 192 << 20, input: str = "uniform", range: float = 1000.0
    ) -> None:
        if input not in ("uniform", "normal"):
            raise InputError(f"softmax: input is {input!r}.", "It may be 'uniform' or 'normal'.")
        self.sizes, self.max_bytes, self.input, self.range = str(sizes), int(max_bytes), input, float(range)
        self._field: Field | None = None

    def cases(self, data: str | None) -> list[Case]:
        """Timed rows, then accuracy rows, then edge cases. Measures the last cache's knee the first time (seconds)."""
        if data is not None:
            raise InputError(f"softmax has no data to read ({data}).", "Leave --data out; --option sizes=... chooses.")
        self.knee = stream.knee()
        caches = dict(machine().caches)
        self.l1, self.l2 = caches.get("L1d", 32 << 10), caches.get("L2", 1 << 20)
        room = stream.available_bytes()
        cases = []
        for n in self._lengths():
            if (needed := self._bytes(n)) > room:
                raise InputError(
                    f"softmax: a row of {n} elements needs {needed:,} bytes with its outputs; {room:,} are free.",
                    "Choose shorter rows with --option sizes=... or max_bytes=...",
                )
            cases.append(Case(f"row-{n}", n, self._attributes("time", n)))
        cases += [
            Case(f"accuracy-{k}", k, self._attributes("accuracy", ELEMENTS) | {"case": k}, "accuracy") for k in ROWS
        ]
        return cases + [Case(k, k, self._attributes("edge", 0) | {"case": k}, "edge") for k in EDGES]

    def warm(self, contender: Any, case: Case) -> None:
        """One discarded call, into an output that the timed call will not use next."""
        if case.attributes["kind"] == "time":
            field = self._ready(case)
            contender(field.x, field.out())

    def measure(self, contender: Any, case: Case, trial: int) -> dict[str, float] | Outcome:
        """One interleaved round of one contender; see the card for the metrics."""
        kind = case.attributes["kind"]
        if kind == "time":
            return self._time(contender, self._ready(case), trial)
        self._field = None
        if kind == "edge":
            return {"edge_case_failures": edge_case_failures(contender, case.payload)}
        x, truth = accuracy_case(case.payload)
        y = np.empty_like(x)
        contender(x, y)
        return accuracy(y, truth)

    def _time(self, contender: Any, field: Field, trial: int) -> Outcome:
        n, bytes_ = field.x.size, field.x.nbytes
        with _cores(getattr(contender, "threads", 1)):
            t = _timed(contender, field)
        metrics = {"time": t, "bandwidth": 2 * bytes_ / t}
        streams = getattr(contender, "streams", None)
        if streams is None:
            return Outcome(metrics)
        reads, writes = streams
        stores = getattr(contender, "stores", "normal")
        metrics["traffic"] = (reads + writes) * bytes_ / t
        metrics["traffic_allocating"] = (reads + (2 if stores == "normal" else 1) * writes) * bytes_ / t
        if bytes_ <= self.knee or getattr(contender, "threads", 1) > 1:
            return Outcome(metrics)  # the STREAM kernels run from memory, on one thread
        if field.stream is None or field.trial != trial:
            field.trial, field.stream = trial, stream.stream_seconds(field.x, field.out())
        read, copy = field.stream["read"], field.stream[stores]
        metrics["stream_share"] = (writes * copy + (reads - writes) * read) / t
        shares = {
            name: (copy if w else read) / _timed(call, field)
            for name, call, _, w in getattr(contender, "passes", list)()
        }
        if shares:
            metrics["slowest_pass_stream_share"] = min(shares.values())
        return Outcome(metrics, artifacts={"passes": json.dumps({"elements": n, "stream_share": shares})})

    def _lengths(self) -> list[int]:
        if self.sizes == "official":
            return list(OFFICIAL)
        if self.sizes in ("knee", "sweep"):
            longest = max(self.max_bytes, 2 * self.knee)
            inside = [self.l1 // 2, self.l2 // 2, max(self.l2, self.knee // 4)]
            if self.sizes == "sweep":
                inside = [1 << k for k in range(10, self.knee.bit_length() - 1)]
            beyond = [self.knee << k for k in range(1, 40) if self.knee << k <= longest]
            return [b // 4 for b in inside + beyond]
        try:
            lengths = [int(float(part)) for part in self.sizes.split("+")]
        except ValueError:
            lengths = []
        if not lengths or min(lengths) < 1:
            raise InputError(
                f"softmax: sizes is {self.sizes!r}.",
                "It may be knee, sweep, official, or row lengths in elements joined by '+', such as 4096+1000000.",
            )
        return lengths

    def _rows(self, n: int) -> int:
        """Output rows that rotate, so that each is cold when its turn comes: 1 + ceil(last cache / row)."""
        return 1 + -(-self.knee // (4 * n))

    def _bytes(self, n: int) -> int:
        return 4 * n + self._rows(n) * 4 * (-(-n // 16) * 16)

    def _attributes(self, kind: str, n: int) -> dict[str, Any]:
        sizes = {"l1_bytes": self.l1, "l2_bytes": self.l2, "llc_bytes": self.knee}
        return {"kind": kind, "elements": n, "bytes": 4 * n, **sizes, "cpu": stream.cpu_family()}

    def _ready(self, case: Case) -> Field:
        """The case's buffers, on huge pages where there are any; the last case's are released first."""
        if self._field is None or self._field.case != case.id:
            self._field = None
            n, kernels = case.payload, stream.native()
            stride = -(-n // 16) * 16
            x, rng = kernels.buffer(n), np.random.default_rng(23)
            for at in range(0, n, 1 << 22):  # by parts: no second row of float64
                part = x[at : at + (1 << 22)]
                drawn = rng.normal(0, 10, part.size) if self.input == "normal" else rng.uniform(-1, 1, part.size)
                part[:] = drawn if self.input == "normal" else drawn * self.range
            self._field = Field(case.id, x, kernels.buffer(stride * self._rows(n)), stride, self._rows(n))
        return self._field


def _timed(call: Any, field: Field) -> float:
    """Seconds of one call into a cold output after the input was touched; the median of several for short rows."""
    kernels, times = stream.native(), []
    for _ in range(min(MOST_CALLS, max(1, ROUND_BYTES // field.x.nbytes))):
        out = field.out()
        kernels.run_pass("read", field.x)  # as warm as its size allows
        begin = time.perf_counter_ns()
        call(field.x, out)
        times.append(time.perf_counter_ns() - begin)
    return max(1, median(times)) / 1e9


@contextmanager
def _cores(threads: int) -> Iterator[None]:
    """Give a contender of several threads every core for one call; the worker itself is pinned to one."""
    if threads == 1 or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
        yield
    finally:
        os.sched_setaffinity(0, before)
