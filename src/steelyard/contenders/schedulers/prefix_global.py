"""The shared prefixes of a whole job found ahead, their requests scheduled together, decode-heavy ones first."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from steelyard.core.contender import contender
from steelyard.lab import serving
from steelyard.lab.serving.batching import Machine, Served, run_batches
from steelyard.lab.serving.job import Job, Request
from steelyard.lab.serving.prefix_tree import Segment, all_levels, build_tree, by_rule, one_level
from steelyard.lab.serving.segments import SharedSegments


@contender("prefix-global", interface="engine", source="arXiv:2412.03594")
@dataclass(frozen=True)
class PrefixGlobal:
    """Reduce the prefix tree of all prompts to groups with one common prefix; run group after group, the one with the
    most decoding for its prefill first; admit requests as long as the memory they will need is there.

    order: of the groups: `decode-ratio`, `reversed` (the least decoding first), or `none` (of arrival).
    batching: admit by `memory`, or by `count` of requests.
    level: `single` is one prefix for each request, `multi` every edge of the tree.
    choice: the single level's prefixes: those that save most (`optimal`), or by the paper's `rule`.
    lengths: of outputs, as `expected` or as they will be (`oracle`, which nobody has).
    kernel: `shared` reads what requests have in common once, `separate` for each.
    """

    order: Literal["decode-ratio", "reversed", "none"] = "decode-ratio"
    batching: Literal["memory", "count"] = "memory"
    level: Literal["single", "multi"] = "single"
    choice: Literal["optimal", "rule"] = "optimal"
    lengths: Literal["expected", "oracle"] = "expected"
    kernel: Literal["shared", "separate"] = "shared"
    depends_on: ClassVar[tuple[Any, ...]] = serving.sources()

    def serve(self, job: Job, machine: Machine) -> Served:
        """See lab.serving."""
        began = time.perf_counter()
        tree = build_tree(job.requests)
        if self.level == "multi":
            segments = all_levels(tree)
        else:
            segments = one_level(tree) if self.choice == "optimal" else by_rule(tree)
        groups = list(_groups(job.requests, segments))
        if self.order != "none":
            groups.sort(key=lambda g: self.decode_ratio(g, job.requests), reverse=self.order == "decode-ratio")
        books = SharedSegments(job, segments)
        planned = time.perf_counter() - began
        served = run_batches(
            job, machine, books, [n for _, members in groups for n in members],
            by_memory=self.batching == "memory", predicted=self.predicted, shared=self.kernel == "shared",
        )  # fmt: skip
        served.planning_s = planned
        return served

    def predicted(self, request: Request) -> float:
        """Tokens that a request will generate, as far as this scheduler knows."""
        return request.new if self.lengths == "oracle" else request.expected

    def decode_ratio(self, group: tuple[Sequence[Segment], Sequence[int]], requests: Sequence[Request]) -> float:
        """Tokens to generate for each prompt token that has to be computed."""
        segments, members = group
        used = dict.fromkeys(members, 0)
        for segment in segments:  # parents first
            used |= dict.fromkeys(segment.members, segment.end)
        prefill = sum(s.end - s.start for s in segments) + sum(len(requests[n].prompt) - used[n] for n in members)
        return sum(self.predicted(requests[n]) for n in members) / prefill


def _groups(
    requests: Sequence[Request], segments: Sequence[Segment]
) -> Iterator[tuple[Sequence[Segment], Sequence[int]]]:
    """Requests under one topmost segment with all segments they use, in order of arrival; lone requests by themselves.

    Members stand as they do in the tree, so that those of an inner segment follow each other.
    """
    family: dict[Segment, list[Segment]] = {}
    top: dict[Segment, Segment] = {}
    for segment in sorted(segments, key=lambda s: s.start):
        top[segment] = top[segment.parent] if segment.parent else segment
        family.setdefault(top[segment], []).append(segment)
    home = {n: s for s in family for n in s.members}
    done: set[Segment] = set()
    for number in range(len(requests)):
        if number not in home:
            yield (), (number,)
        elif home[number] not in done:
            done.add(home[number])
            yield family[home[number]], home[number].members
