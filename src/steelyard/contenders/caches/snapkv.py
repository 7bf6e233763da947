"""SnapKV: each head keeps what the last queries of the prompt look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch.nn import functional as F

from steelyard.core.contender import contender
from steelyard.lab.attention import Attention
from steelyard.lab.cache import LayerCache
from steelyard.lab.policy import CachePolicy, entries


@contender("snapkv", interface="cache", source="arXiv:2404.14469, section 4")
@dataclass(frozen=True)
class SnapKV(CachePolicy):
    """Sum the attention of the last `window` queries on each earlier key, smooth it, keep the top and the window.

    keep: entries kept, as a share of the prompt up to 1, above that as a number of tokens.
    window: queries that vote (tokens), at most half of what is kept. kernel: width of the average pooling, odd.
    heads: `query`, as released: each query head keeps a set of its own, so keys are held once for each; `key`: one set
    for the query heads that share a key head, by their mean vote.
    """

    keep: float = 0.25
    window: int = 32
    kernel: int = 5
    heads: Literal["query", "key"] = "query"

    identity: ClassVar[Mapping[str, Any]] = {"keep": 1.0}

    def after_prefill(self, layer: LayerCache, attention: Attention) -> None:
        capacity = self.capacity(layer, attention)
        if layer.length <= capacity:
            return
        window = max(1, min(self.window, capacity // 2))
        votes = attention.weights(last=window)[..., :-window].sum(dim=2)
        votes = F.avg_pool1d(votes, self.kernel, stride=1, padding=self.kernel // 2)
        if self.heads == "query":
            layer.spread(votes.shape[1])
        else:
            votes = votes.unflatten(1, (layer.keys.shape[1], -1)).mean(dim=2)
        top = votes.topk(capacity - window, dim=-1).indices.sort(dim=-1).values
        newest = torch.arange(layer.length - window, layer.length, device=top.device)
        layer.keep(torch.cat([top, newest.expand(*top.shape[:2], -1)], dim=-1))

    def capacity(self, layer: LayerCache, attention: Attention) -> int:
        """Entries this layer keeps for each head."""
        return entries(self.keep, layer.length)
