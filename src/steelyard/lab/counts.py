"""What a computation cost, counted from shapes: exact, the same on every machine, and never a time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Counts:
    """forward_passes: calls of the network. tokens_computed: tokens that went through it (all layers).
    tokens_reused: tokens whose keys and values were taken from a cache that another request had paid for.
    flops: a multiplication and an addition are two; projections, feed-forward, scores and values, the output layer.
    attended: (query head, query, key) triples that were looked at, over all layers.
    """

    forward_passes: int = 0
    tokens_computed: int = 0
    tokens_reused: int = 0
    flops: int = 0
    attended: int = 0

    def __sub__(self, before: Counts) -> Counts:
        return Counts(**{k: v - getattr(before, k) for k, v in vars(self).items()})

    def copy(self) -> Counts:
        return Counts(**vars(self))
