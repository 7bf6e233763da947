"""What a case serves: a made-up or given workload, in an order of arrival, with so much room in the cache."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from steelyard.benchmarks.serving.offline_batching.workloads import Workload, make
from steelyard.core.errors import InputError
from steelyard.core.words import Case
from steelyard.lab.serving.batching import Served
from steelyard.lab.serving.job import Job, Limits, Request, job_of, read_requests
from steelyard.lab.serving.prefix_tree import PrefixTree, build_tree

TOKENS, REQUESTS, BLOCK = 2048, 256, 16  # vLLM's: tokens and requests of a step, tokens of a block
Encode = Callable[[str], Sequence[int]]


@dataclass(frozen=True)
class Load:
    """source: a made-up workload or a file. capacity: blocks of the cache over those that the whole job fills when nothing
    stands twice; 0 for as many as all requests fill without sharing."""

    source: Workload | Path
    shuffled: bool
    capacity: float

    @property
    def made_up(self) -> bool:
        return isinstance(self.source, Workload)

    def case(self) -> Case:
        """The case, with the attributes that claims filter by."""
        if isinstance(self.source, Workload):
            name, kind, varied = self.source.name, self.source.kind, self.source.varied
        else:
            name, kind, varied = self.source.stem, self.source.stem, False
        order = "shuffled" if self.shuffled else "grouped" if self.made_up else "given"
        about = {
            "workload": kind, "order": order, "capacity": self.capacity, "unlimited": not self.capacity, "varied": varied,
        }  # fmt: skip
        return Case(f"{name}/{order}/{self.capacity or 'unlimited'}", self, about, name)

    def requests(self, vocabulary: int, encode: Encode, seed: int) -> list[Request]:
        """In their order of arrival. Raises InputError for a file with a bad line, naming it."""
        if isinstance(self.source, Workload):
            return make(self.source, vocabulary=vocabulary, shuffled=self.shuffled, seed=seed)
        return list(read_requests(self.source, encode))

    def job(self, requests: Sequence[Request], part: int) -> tuple[Job, PrefixTree]:
        """The job on a machine that takes 1/part of vLLM's tokens and requests a step, and the prefix tree of what is
        served. Of made-up workloads every request fits; of given ones those that do not are rejected by name."""
        limits = Limits(1 << 40, BLOCK, max(1, TOKENS // part), max(1, REQUESTS // part))
        room = [limits.blocks_of(len(r.prompt) + r.max_new) + 1 for r in requests]
        if self.capacity:
            once = build_tree(requests).once + sum(r.new for r in requests)
            least = max(room) if self.made_up else 1
            limits = replace(limits, blocks=max(least, limits.blocks_of(self.capacity * once)))
        else:
            limits = replace(limits, blocks=sum(room))
        job = job_of(requests, limits)
        return job, build_tree(job.requests)


def files(data: str) -> Sequence[Path]:
    """A workload file, or those of a folder. Raises InputError where there is none."""
    path = Path(data)
    found = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    if not found or not found[0].is_file():
        raise InputError(f"no workload at {path}.", "Give a .jsonl file, or a folder of them; `show` tells the fields.")
    return found


def lost(job: Job, served: Served) -> str:
    """Which request came back without its output or with one of another length; "" for none."""
    for r in job.requests:
        if len(served.outputs.get(r.id, ())) != r.new or r.id not in served.outputs:
            got = f"{len(served.outputs[r.id])} tokens" if r.id in served.outputs else "nothing"
            return f"request {r.id} got {got} instead of {r.new} tokens"
    return ""


def kept(job: Job, served: Served) -> dict[str, str]:
    """Outputs by request and the size of every step; equal outputs are one and the same file of the pool."""
    texts = {"output": json.dumps(served.outputs, sort_keys=True)}
    if served.steps:
        texts["steps"] = json.dumps([s.tokens for s in served.steps])
    if job.rejected:
        texts["rejected"] = json.dumps(job.rejected, sort_keys=True)
    return texts
