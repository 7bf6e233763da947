"""A-shape and Tri-shape: fixed sparse patterns of the prompt; every key and value is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from steelyard.core.contender import contender
from steelyard.lab.attention import Attention
from steelyard.lab.cache import LayerCache
from steelyard.lab.policy import CachePolicy, entries


@contender("a-shape", interface="cache", source="arXiv:2407.02490, figure 3; arXiv:2412.10319")
@dataclass(frozen=True)
class AShape(CachePolicy):
    """Each query of the prompt sees the first tokens and its nearest ones.

    keep: keys a query may see, as a share of the prompt up to 1, above that as a number of tokens.
    first: of these, tokens at the start.
    """

    keep: float = 0.25
    first: int = 8

    identity: ClassVar[Mapping[str, Any]] = {"keep": 1.0}

    def pattern(self, layer: LayerCache, attention: Attention) -> Tensor | None:
        seen = entries(self.keep, layer.length)
        if seen >= layer.length:
            return None
        queries = attention.query_positions[:, None, :, None]
        keys = attention.key_positions[:, :, None, :]
        first = min(self.first, seen - 1)
        return (keys < first) | (queries - keys < seen - first)


@contender("tri-shape", interface="cache", source="arXiv:2412.10319, section 3")
@dataclass(frozen=True)
class TriShape(AShape):
    """As A-shape, but the last queries see everything.

    last: how many do, as a share of the prompt up to 1, above that as a number of tokens. The others: see a-shape.
    """

    last: float = 0.1

    def pattern(self, layer: LayerCache, attention: Attention) -> Tensor | None:
        mask = super().pattern(layer, attention)
        if mask is None:
            return None
        end = attention.query_positions[:, -1:]
        dense = attention.query_positions > end - entries(self.last, layer.length)
        return mask | dense[:, None, :, None]
