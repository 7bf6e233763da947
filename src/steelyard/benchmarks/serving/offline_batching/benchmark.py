"""Offline serving: how fast, and with how much computed twice, does a scheduler serve a job that is known as a whole?"""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from steelyard.benchmarks.serving.offline_batching import workloads
from steelyard.benchmarks.serving.offline_batching.model import Model, open_by_name
from steelyard.benchmarks.serving.offline_batching.workloads import Workload
from steelyard.core.errors import InputError
from steelyard.core.interfaces import Outcome
from steelyard.core.words import Case, Provenance, Status
from steelyard.lab.serving.batching import Served
from steelyard.lab.serving.clock import Clock
from steelyard.lab.serving.figures import figures
from steelyard.lab.serving.job import Job, Limits, Request, job_of, read_requests
from steelyard.lab.serving.prefix_tree import PrefixTree, build_tree

TOKENS, REQUESTS, BLOCK = 2048, 256, 16  # vLLM's: tokens and requests of a step, tokens of a block
SWEPT = ("grid-2000x16", "snippets", "two-level")


@dataclass(frozen=True)
class Load:
    """What a case serves. source: a made-up workload or a file. capacity: blocks of the cache over those that the whole
    job fills when nothing stands twice; 0 for as many as all requests fill without sharing."""

    source: Workload | Path
    shuffled: bool
    capacity: float
    timed: bool


class OfflineBatching:
    """A contender has serve(job, machine); see lab.serving.

    model: what timed cases run: `tiny` (random, made on the spot) or `smollm2`. part: simulated and timed machines take
    1/part of the tokens and requests that vLLM takes in a step; the simulated one is that part of an A100. seed: of the
    workloads. checked: requests of a timed case whose output is compared with that of the request served alone.
    """

    def __init__(self, model: str = "tiny", part: int = 8, seed: int = 0, checked: int = 16) -> None:
        if model not in ("tiny", "smollm2"):
            raise InputError(f"offline-batching: model is {model!r}.", "It may be 'tiny' or 'smollm2'.")
        if not 1 <= part <= REQUESTS or checked < 1:
            raise InputError(f"offline-batching: part={part}, checked={checked}.", "1 <= part <= 256, checked >= 1.")
        self.model_name, self.part, self.seed, self.checked = model, part, seed, checked
        self._loaded: tuple[Load, Job, PrefixTree] | None = None
        self._counted: dict[tuple[str, str], Outcome] = {}
        self._alone: dict[tuple[str, str], list[int]] = {}

    def cases(self, data: str | None) -> Iterator[Case]:
        """Jobs served by a model (timed), and jobs served on a simulated machine, over capacities and arrival orders."""
        if data is not None:
            for file in _files(Path(data)):
                for timed in (True, False):
                    for capacity in (0.25, 0.0):
                        yield self._case(Load(file, False, capacity, timed), file.stem)
            return
        own = workloads.at_small_length() if self.model_name == "tiny" else workloads.for_language_model()
        for workload in own:
            yield self._case(Load(workload, True, 0.25, timed=True), workload.name)
        for workload in workloads.at_full_length():
            yield self._case(Load(workload, True, 0.25, timed=False), workload.name)
        for workload in workloads.at_full_length():
            if workload.name in SWEPT:
                for capacity in (0.125, 0.5, 0.0):
                    yield self._case(Load(workload, True, capacity, timed=False), workload.name)
                yield self._case(Load(workload, False, 0.25, timed=False), workload.name)

    def warm(self, contender: Any, case: Case) -> None:
        """Four requests, served and thrown away."""
        if case.payload.timed:
            job, _ = self._load(case.payload)
            contender.serve(replace(job, requests=job.requests[:4]), self._machine(job.limits))

    def measure(self, contender: Any, case: Case, trial: int) -> Outcome:
        """Serve the whole job once; see the card for the metrics. What is simulated is the same in every round."""
        if case.payload.timed:
            return self._timed(contender, case.payload)
        key = (repr(contender), case.id)
        if key not in self._counted:
            self._counted[key] = self._simulated(contender, case.payload)
        return self._counted[key]

    def _case(self, load: Load, name: str) -> Case:
        kind = load.source.kind if isinstance(load.source, Workload) else name
        order = "shuffled" if load.shuffled else "grouped" if isinstance(load.source, Workload) else "given"
        room = f"{load.capacity:g}" if load.capacity else "unlimited"
        about = {
            "kind": "timed" if load.timed else "simulated", "workload": kind, "order": order, "capacity": load.capacity,
            "unlimited": not load.capacity, "varied": isinstance(load.source, Workload) and load.source.varied,
        }  # fmt: skip
        return Case(f"{about['kind']}/{name}/{order}/{room}", load, about, name)

    def _load(self, load: Load) -> tuple[Job, PrefixTree]:
        """The job of a case and the prefix tree of the requests that are served. The last one is kept."""
        if self._loaded is None or self._loaded[0] != load:
            requests = list(self._requests(load))
            limits = Limits(1 << 40, BLOCK, TOKENS // self.part, max(1, REQUESTS // self.part))
            room = [limits.blocks_of(len(r.prompt) + r.max_new) + 1 for r in requests]
            if load.capacity:
                once = build_tree(requests).once + sum(r.new for r in requests)
                # of our own jobs every request is served; of given ones what does not fit is rejected by name
                least = max(room) if isinstance(load.source, Workload) else 1
                limits = replace(limits, blocks=max(least, limits.blocks_of(load.capacity * once)))
            else:
                limits = replace(limits, blocks=sum(room))
            job = job_of(requests, limits)
            self._loaded = load, job, build_tree(job.requests)
        return self._loaded[1:]

    def _requests(self, load: Load) -> Iterator[Request]:
        if isinstance(load.source, Workload):
            vocabulary = self._model.vocabulary if load.timed else 50_000
            yield from workloads.make(load.source, vocabulary=vocabulary, shuffled=load.shuffled, seed=self.seed)
            return
        for r in read_requests(load.source, lambda text: self._model.encode(text)):
            if load.timed and (odd := int(r.prompt.max())) >= self._model.vocabulary:
                raise InputError(
                    f"{load.source}, request {r.id!r}: token {odd} is none of the {self._model.vocabulary} that the model "
                    f"{self.model_name} knows.", "Use --option model=smollm2, or simulate: --where \"kind == 'simulated'\".",
                )  # fmt: skip
            yield r

    @property
    def _model(self) -> Model:
        return open_by_name(self.model_name)

    def _machine(self, limits: Limits) -> Any:
        from steelyard.lab.serving.engine import TorchMachine

        return TorchMachine(self._model.lab, limits)

    def _timed(self, contender: Any, load: Load) -> Outcome:
        job, tree = self._load(load)
        machine = self._machine(job.limits)
        gc.disable()  # and no collection before: it takes as long as a small job
        try:
            began = time.perf_counter()
            served = contender.serve(job, machine)
            seconds = time.perf_counter() - began
        finally:
            gc.enable()
        if why := _lost(job, served):
            return Outcome({}, Status.FAILED, why)
        metrics = figures(job, served, tree, machine.kv_bytes, seconds)
        looked_at = job.requests[:: max(1, len(job.requests) // self.checked)]
        same = [served.outputs[r.id] == self._served_alone(r) for r in looked_at]
        metrics["identical_outputs"] = sum(same) / len(same)
        return Outcome(metrics, artifacts=_kept(job, served))

    def _simulated(self, contender: Any, load: Load) -> Outcome:
        job, tree = self._load(load)
        clock = Clock(part=self.part)
        served = contender.serve(job, clock)
        if why := _lost(job, served):
            return Outcome({}, Status.FAILED, why, provenance=Provenance.SIMULATED)
        metrics = figures(job, served, tree, clock.kv_bytes, clock.seconds, self.part) | {"kv_tokens_read": clock.read}
        return Outcome(metrics, artifacts=_kept(job, served), provenance=Provenance.SIMULATED)

    def _served_alone(self, request: Request) -> list[int]:
        """What the model generates for one request by itself, with a cache of its own."""
        from steelyard.lab import CachePolicy, Session

        key = (request.id, str(self.seed))
        if key not in self._alone:
            session = Session(self._model.lab, CachePolicy())
            session.prefill(request.prompt.tolist())
            self._alone[key] = session.generate(request.new)
        return self._alone[key]


def _files(path: Path) -> Sequence[Path]:
    """A workload file, or those of a folder. Raises InputError where there is none."""
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise InputError(f"no workload at {path}.", "Give a .jsonl file, or a folder of them; `show` tells the fields.")
    return files


def _lost(job: Job, served: Served) -> str:
    """Which request came back without its output or with one of another length; "" for none."""
    for r in job.requests:
        if len(served.outputs.get(r.id, ())) != r.new:
            got = f"{len(served.outputs[r.id])} tokens" if r.id in served.outputs else "nothing"
            return f"request {r.id} got {got} instead of {r.new} tokens"
    return ""


def _kept(job: Job, served: Served) -> dict[str, str]:
    """Outputs by request and the size of every step; equal outputs are one and the same file of the pool."""
    kept = {"output": json.dumps(served.outputs, sort_keys=True)}
    if served.steps:
        kept["steps"] = json.dumps([s.tokens for s in served.steps])
    if job.rejected:
        kept["rejected"] = json.dumps(job.rejected, sort_keys=True)
    return kept
