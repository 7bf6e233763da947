"""Offline serving by a real model: tokens per second of a scheduler whose job is known as a whole."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from steelyard.benchmarks.serving.offline_batching import loads, workloads
from steelyard.benchmarks.serving.offline_batching.loads import Load
from steelyard.benchmarks.serving.offline_batching.model import Model, open_by_name
from steelyard.core.errors import InputError
from steelyard.core.interfaces import Outcome
from steelyard.core.words import Case, Status
from steelyard.lab import CachePolicy, Session
from steelyard.lab.opening import DTYPES, check_device
from steelyard.lab.serving.figures import figures
from steelyard.lab.serving.job import Job, Limits, Request

if TYPE_CHECKING:
    from steelyard.lab.serving.engine import TorchMachine
    from steelyard.lab.serving.prefix_tree import PrefixTree


class OfflineBatching:
    """A contender has serve(job, machine); see lab.serving.

    model: `tiny` (random, made on the spot), or whatever the lab opens. lengths: of the workloads, `small` (auto for
    tiny), `language` (for a small language model, auto for others) or `full` (those of the simulated benchmark). part: the
    machine takes 1/part of the tokens and requests that vLLM takes in a step. seed: of the workloads. checked: requests of
    a case whose output is compared with that of the request served alone. dtype, device: of the model.
    """

    def __init__(
        self, model: str = "tiny", part: int = 8, seed: int = 0, checked: int = 16, lengths: str = "auto",
        dtype: str = "fp32", device: str = "cpu",
    ) -> None:  # fmt: skip
        if lengths not in ("auto", *workloads.LENGTHS) or dtype not in DTYPES:
            raise InputError(f"offline-batching: lengths={lengths}, dtype={dtype}.", f"auto, {', '.join(workloads.LENGTHS)}; {', '.join(DTYPES)}.")  # fmt: skip
        if not 1 <= part <= loads.REQUESTS or checked < 1:
            raise InputError(f"offline-batching: part={part}, checked={checked}.", "1 <= part <= 256, checked >= 1.")
        self.model_name, self.part, self.seed, self.checked = model, part, seed, checked
        self.dtype, self.device = dtype, device
        self.lengths = lengths if lengths != "auto" else "small" if model == "tiny" else "language"
        self._ready: tuple[Load, Job, PrefixTree] | None = None
        self._alone: dict[bytes, list[int]] = {}

    def cases(self, data: str | None) -> Iterator[Case]:
        """Every workload shuffled with a quarter of the job's cache; the first one, and given data, also with more."""
        check_device(self.device)
        if data is not None:
            for file in loads.files(data):
                for capacity in (0.25, 0.0):
                    yield Load(file, False, capacity).case()
            return
        own = workloads.LENGTHS[self.lengths]()
        for workload in own:
            yield Load(workload, True, 0.25).case()
        if self.lengths == "small":
            for capacity in (0.5, 0.0):
                yield Load(own[0], True, capacity).case()

    def warm(self, contender: Any, case: Case) -> None:
        """Four requests, served and thrown away."""
        job, _ = self._job(case.payload)
        contender.serve(replace(job, requests=job.requests[:4]), self._machine(job.limits))

    def measure(self, contender: Any, case: Case, trial: int) -> Outcome:
        """Serve the whole job once; see the card for the metrics."""
        job, tree = self._job(case.payload)
        machine = self._machine(job.limits)
        gc.disable()  # and no collection before: it takes as long as a small job
        try:
            began = time.perf_counter()
            served = contender.serve(job, machine)
            seconds = time.perf_counter() - began
        finally:
            gc.enable()
        if why := loads.lost(job, served):
            return Outcome({}, Status.FAILED, why)
        metrics = figures(job, served, tree, machine.kv_bytes, seconds)
        looked_at = job.requests[:: max(1, len(job.requests) // self.checked)]
        same = [served.outputs[r.id] == self._served_alone(r) for r in looked_at]
        metrics["identical_outputs"] = sum(same) / len(same)
        return Outcome(metrics, artifacts=loads.kept(job, served))

    def _job(self, load: Load) -> tuple[Job, PrefixTree]:
        """The last one is kept: rounds of a case follow each other."""
        if self._ready is None or self._ready[0] != load:
            model = self._model
            requests = load.requests(model.vocabulary, model.encode, self.seed)
            for r in requests:
                if (odd := int(r.prompt.max())) >= model.vocabulary:
                    raise InputError(
                        f"{load.source}, request {r.id!r}: token {odd} is none of the {model.vocabulary} that the model "
                        f"{self.model_name} knows.", "Run offline-batching[model=smollm2], or offline-batching-simulated.",
                    )  # fmt: skip
            self._ready = load, *load.job(requests, self.part)
        return self._ready[1:]

    @property
    def _model(self) -> Model:
        return open_by_name(self.model_name, self.dtype, self.device)

    def _machine(self, limits: Limits) -> TorchMachine:
        from steelyard.lab.serving.engine import TorchMachine

        return TorchMachine(self._model.lab, limits)

    def _served_alone(self, request: Request) -> list[int]:
        """What the model generates for one request by itself, with a cache of its own."""
        key = request.prompt.tobytes()
        if len(self._alone.get(key, ())) < request.new:
            session = Session(self._model.lab, CachePolicy())
            session.prefill(request.prompt.tolist())
            self._alone[key] = session.generate(request.new)
        return self._alone[key][: request.new]
