"""Requests in their order of arrival over a cache that finds full blocks again by content; and the same without it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from steelyard.core.contender import contender
from steelyard.lab import serving
from steelyard.lab.serving.batching import Machine, Served, run_batches
from steelyard.lab.serving.job import Job
from steelyard.lab.serving.paging import HashedBlocks, Run
from steelyard.lab.serving.prefix_tree import order_of

LONGEST_QUEUE = 128  # SGLang sorts the waiting requests only while they are so few


@contender("lru-prefix", interface="engine", source="vLLM, automatic prefix caching; SGLang, arXiv:2312.07104")
@dataclass(frozen=True)
class LRUPrefix:
    """Continuous batching with chunked prefill; blocks that are full are found again by their tokens and all before them,
    and the least recently used one that nobody refers to is evicted.

    order: first come first served (`arrival`), prompts `sorted` by their tokens, or the `longest-match` in the cache
        first (SGLang; among at most 128 waiting requests).
    batching: admit by `count` of requests, or by the `memory` they will need.
    kernel: `shared` reads what requests have in common once, `separate` for each.
    """

    order: Literal["arrival", "sorted", "longest-match"] = "arrival"
    batching: Literal["count", "memory"] = "count"
    kernel: Literal["shared", "separate"] = "shared"
    depends_on: ClassVar[tuple[Any, ...]] = serving.sources()

    def serve(self, job: Job, machine: Machine) -> Served:
        """See lab.serving."""
        books = HashedBlocks(job)

        def longest_match_first(waiting: deque[Run]) -> None:
            if len(waiting) <= LONGEST_QUEUE:
                ordered = sorted(waiting, key=lambda run: -books.cached(run))
                waiting.clear()
                waiting.extend(ordered)

        prompts = [r.prompt for r in job.requests]
        return run_batches(
            job, machine, books, order_of(prompts) if self.order == "sorted" else range(len(prompts)),
            by_memory=self.batching == "memory", shared=self.kernel == "shared",
            reorder=longest_match_first if self.order == "longest-match" else None,
        )  # fmt: skip


@contender(
    "no-prefix-cache", interface="engine", source="Orca, OSDI 2022 (continuous batching); vLLM, arXiv:2309.06180"
)
@dataclass(frozen=True)
class NoPrefixCache:
    """The same continuous batching over a paged cache where every prompt is computed in full.

    batching: admit by `count` of requests, or by the `memory` they will need.
    """

    batching: Literal["count", "memory"] = "count"
    depends_on: ClassVar[tuple[Any, ...]] = serving.sources()

    def serve(self, job: Job, machine: Machine) -> Served:
        """See lab.serving."""
        books = HashedBlocks(job, reuse=False)
        return run_batches(job, machine, books, range(len(job.requests)), by_memory=self.batching == "memory")
