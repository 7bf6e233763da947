"""Offline serving on a simulated machine: exact counts of jobs with full lengths, over capacities and arrival orders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from steelyard.benchmarks.serving.offline_batching import loads, workloads
from steelyard.benchmarks.serving.offline_batching.loads import Load
from steelyard.core.errors import InputError
from steelyard.core.interfaces import Outcome
from steelyard.core.words import Case, Provenance, Status
from steelyard.lab.serving.clock import Clock
from steelyard.lab.serving.figures import figures

SWEPT = ("grid-2000x16", "snippets", "two-level")
VOCABULARY = 50_000


class SimulatedBatching:
    """A contender has serve(job, machine); see lab.serving.

    part: machine and job are such a part (1/part) of an A100 and of a full job. seed: of the workloads.
    """

    def __init__(self, part: int = 8, seed: int = 0) -> None:
        if not 1 <= part <= loads.REQUESTS:
            raise InputError(f"offline-batching-simulated: part={part}.", "1 <= part <= 256.")
        self.part, self.seed = part, seed

    def cases(self, data: str | None) -> Iterator[Case]:
        """Every workload shuffled with a quarter of the job's cache; three also with other capacities, and grouped."""
        if data is not None:
            for file in loads.files(data):
                for capacity in (0.125, 0.25, 0.5, 0.0):
                    yield Load(file, False, capacity).case()
            return
        for workload in workloads.at_full_length():
            yield Load(workload, True, 0.25).case()
            if workload.name in SWEPT:
                for capacity in (0.125, 0.5, 0.0):
                    yield Load(workload, True, capacity).case()
                yield Load(workload, False, 0.25).case()

    def measure(self, contender: Any, case: Case, trial: int) -> Outcome:
        """Serve the whole job once; see the card for the metrics. A trial draws its workload with a seed of its own."""
        load: Load = case.payload
        requests = load.requests(VOCABULARY, lambda text: list(text.encode()), self.seed + trial)
        job, tree = load.job(requests, self.part)
        clock = Clock(part=self.part)
        served = contender.serve(job, clock)
        if why := loads.lost(job, served):
            return Outcome({}, Status.FAILED, why, provenance=Provenance.SIMULATED)
        metrics = figures(job, served, tree, clock.kv_bytes, clock.seconds, self.part)
        del metrics["planning_time"]  # real time has no place beside a simulated one
        metrics["kv_tokens_read"] = clock.read
        return Outcome(metrics, artifacts=loads.kept(job, served), provenance=Provenance.SIMULATED)
