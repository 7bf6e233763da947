"""StreamingLLM: the first tokens and the newest ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from steelyard.core.contender import contender
from steelyard.lab.attention import Attention
from steelyard.lab.cache import KVCache, LayerCache
from steelyard.lab.forward_pass import rotate, rotations
from steelyard.lab.policy import CachePolicy, entries


@contender("streaming-llm", interface="cache", source="arXiv:2309.17453, section 3.2")
@dataclass(frozen=True)
class StreamingLLM(CachePolicy):
    """Keep the first `sinks` entries, which soak up attention, and the newest ones; drop what lies between.

    keep: entries kept, as a share of the prompt up to 1, above that as a number of tokens. sinks: tokens at the start.
    evict: `once`, after the prompt (as SCBench measures it), or `always`, so that the cache never grows again.
    positions: `true`, or `cache`: entries are numbered by their place in the cache (as published), keys turned to fit.
    """

    keep: float = 0.25
    sinks: int = 4
    evict: Literal["once", "always"] = "once"
    positions: Literal["true", "cache"] = "true"

    identity: ClassVar[Mapping[str, Any]] = {"keep": 1.0}

    def turns(self, cache: KVCache, positions: Tensor) -> Tensor:
        if self.positions == "true" or not cache.seen:
            return positions
        return positions - (cache.seen - cache.layers[0].length)

    def after_prefill(self, layer: LayerCache, attention: Attention) -> None:
        layer.state["capacity"] = entries(self.keep, layer.length)
        self._evict(layer, attention)

    def after_step(self, layer: LayerCache, attention: Attention) -> None:
        if self.evict == "always":
            self._evict(layer, attention)

    def _evict(self, layer: LayerCache, attention: Attention) -> None:
        length, capacity = layer.length, layer.state["capacity"]
        if length <= capacity:
            return
        sinks = min(self.sinks, capacity)
        index = torch.cat([torch.arange(sinks), torch.arange(length - capacity + sinks, length)])
        layer.keep(index.to(layer.keys.device))
        if self.positions == "cache":
            back = torch.tensor([[capacity - length]], device=layer.keys.device)
            turn = rotations(attention.lab, layer.keys, back)[layer.index]
            moved = rotate(layer.keys[:, :, sinks:], turn)
            layer.keys = torch.cat([layer.keys[:, :, :sinks], moved], dim=2)

    def one_by_one(self) -> bool:
        return self.evict == "always"
