"""A machine that computes nothing: it counts what a step would read and calculate, and how long a declared GPU would take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from steelyard.lab.serving.batching import Work
from steelyard.lab.serving.spans import Spans


@dataclass(frozen=True)
class Profile:
    """A model on a machine. parameters: of all matrices. heads, kv_heads, size, layers: of its attention.

    bytes: of a number. peak: FLOP/s and bandwidth: B/s that are reached, not those of a data sheet. overhead: s a step.
    """

    name: str
    parameters: float
    layers: int
    heads: int
    kv_heads: int
    size: int
    bytes: int
    peak: float
    bandwidth: float
    overhead: float

    @property
    def kv_bytes(self) -> int:
        """Keys and values of one token."""
        return 2 * self.layers * self.kv_heads * self.size * self.bytes

    def seconds(self, tokens: int, attended: int, read: int) -> float:
        """Of one step: tokens computed, (query, key) pairs attended to, cached tokens read.

        The roofline: max(FLOPs / peak, (weights + keys and values) / bandwidth) + overhead.
        """
        flops = 2 * self.parameters * tokens + 4 * self.layers * self.heads * self.size * attended
        moved = self.parameters * self.bytes + self.kv_bytes * (read + tokens)
        return max(flops / self.peak, moved / self.bandwidth) + self.overhead


# Llama 3 8B in bfloat16 on an A100 with 80 GB: 60 % of 312 TFLOP/s, 80 % of 2.039 TB/s; 2 ms a step are an assumption.
A100_8B = Profile("llama-3-8b on a100-80gb", 8.03e9, 32, 32, 8, 128, 2, 0.6 * 312e12, 0.8 * 2.039e12, 2e-3)


class Clock:
    """A simulated machine. seconds: so far. read: cached tokens read, those that requests share once. attended: (query, key) pairs.

    part: it takes 1/part of the profile's machine, which serves 1/part of the tokens in the same time: what is counted
    for a small job then gives the time of one that is `part` times as large. The tokens it gives are numbers of their
    own, so that no two requests generate the same.
    """

    def __init__(self, profile: Profile = A100_8B, part: int = 1) -> None:
        self.profile, self.part = profile, part
        self.seconds, self.read, self.attended = 0.0, 0, 0
        self._spans, self._last = Spans(), 0

    @property
    def kv_bytes(self) -> int:
        return self.profile.kv_bytes

    def step(self, works: Sequence[Work], *, shared: bool) -> list[int]:
        """See batching.Machine."""
        read = sum(len(s.slots) for s in self._spans.of(works, shared=shared))
        attended = sum((w.start + w.stop + 1) * (w.stop - w.start) // 2 for w in works)
        tokens = sum(w.stop - w.start for w in works)
        self.seconds += self.profile.seconds(self.part * tokens, self.part * attended, self.part * read)
        self.read, self.attended = self.read + read, self.attended + attended
        self._last += len(works)
        return list(range(self._last - len(works), self._last))
