"""Eviction to a share of all tokens, prompt and generated: StreamingLLM and H2O as Elastic Cache compares itself with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from steelyard.core.contender import contender
from steelyard.core.errors import InputError
from steelyard.lab.attention import Attention
from steelyard.lab.cache import KVCache, LayerCache
from steelyard.lab.forward_pass import forward
from steelyard.lab.opening import LabModel
from steelyard.lab.policy import CachePolicy


@dataclass(frozen=True)
class Budget(CachePolicy):
    """After every pass as many entries go as exceed the share 1 - ratio of the n tokens seen so far.

    ratio: share of the cache that is dropped, in [0, 1). start: first tokens that always stay.
    """

    ratio: float = 0.2
    start: int = 1

    identity: ClassVar[Mapping[str, Any]] = {"ratio": 0.0}

    def surplus(self, layer: LayerCache, fresh: int) -> int:
        """Entries to drop, int(L - n (1 - ratio)), when `fresh` tokens have come in.

        Raises InputError for a ratio that is no share, or where more would go than is not protected.
        """
        if not 0 <= self.ratio < 1:
            raise InputError(f"ratio is {self.ratio}.", "It is the share that is dropped: 0 or more, below 1.")
        layer.state["seen"] = layer.state.get("seen", 0) + fresh
        wanted = layer.state["seen"] * (1 - self.ratio)
        drop = int(layer.length - wanted)
        if drop > 0 and drop >= layer.length - self.start - 1:
            raise InputError(
                f"{drop} of {layer.length} entries are to go, and {self.start + 1} are protected: no anchor is left.",
                "Give a longer prompt, or a smaller ratio or start.",
            )
        return drop

    def note(self, layer: LayerCache) -> None:
        """How far the length is from what was asked for, at its worst."""
        off = abs(layer.length - layer.state["seen"] * (1 - self.ratio))
        layer.state["off"] = max(off, layer.state.get("off", 0.0))

    def figures(self, cache: KVCache) -> Mapping[str, float]:
        """length_error: the largest difference between entries held and asked for, after any pass."""
        return {"length_error": max((x.state["off"] for x in cache.layers if "off" in x.state), default=0.0)}

    def one_by_one(self) -> bool:
        return True


@contender("local", interface="cache", source="arXiv:2309.17453 as released with arXiv:2407.18121")
@dataclass(frozen=True)
class Local(Budget):
    """StreamingLLM at a share: what comes right after the first tokens goes. Options: see Budget (ratio, start)."""

    def after_prefill(self, layer: LayerCache, attention: Attention) -> None:
        drop = self.surplus(layer, attention.queries.shape[2])
        if drop > 0:
            index = torch.arange(layer.length - drop, device=layer.keys.device)
            layer.keep(torch.where(index < self.start, index, index + drop))
        self.note(layer)

    after_step = after_prefill


@contender("h2o", interface="cache", source="arXiv:2306.14048 as released with arXiv:2407.18121")
@dataclass(frozen=True)
class H2O(Budget):
    """What has got least attention so far, from prompt and generated queries, goes. ratio, start: see Budget.

    per_head: as H2O was published: each key head keeps its own, half of it the newest; else, as in Elastic Cache's
    comparison, one score for all layers and heads, and only the newest entry is safe.
    """

    per_head: bool = False

    def after_prefill(self, layer: LayerCache, attention: Attention) -> None:
        got = attention.column_sums().unflatten(1, (layer.keys.shape[1], -1)).mean(2)
        got = got.masked_fill(layer.positions < 0, -1.0)
        if not self.per_head:
            layer.state["got"] = got.mean(1)
            return
        before = layer.state.get("scores", got[..., :0])
        scores = got + torch.nn.functional.pad(before, (0, got.shape[-1] - before.shape[-1]))
        drop = self.surplus(layer, attention.queries.shape[2])
        if drop > 0:
            kept = _highest(scores, drop, 0, (layer.length - drop) // 2)
            layer.keep(kept)
            scores = scores.gather(-1, kept)
        layer.state["scores"] = scores
        self.note(layer)

    after_step = after_prefill

    def prefill(self, lab: LabModel, cache: KVCache, ids: Tensor, positions: Tensor) -> Tensor | None:
        logits = forward(lab, cache, ids, self, prompt=True)
        self._evict(cache, ids.shape[1], start=0)
        return logits

    def step(self, lab: LabModel, cache: KVCache, ids: Tensor, positions: Tensor) -> Tensor | None:
        logits = forward(lab, cache, ids, self, prompt=False, every=True)
        self._evict(cache, ids.shape[1], start=self.start)
        return logits

    def _evict(self, cache: KVCache, fresh: int, start: int) -> None:
        """By the mean over layers and heads. The prompt's own tokens are not protected at the start, as released."""
        layers = [layer for layer in cache.layers if "got" in layer.state]
        if not layers:
            return
        got = torch.stack([layer.state["got"] for layer in layers]).mean(0)
        before = cache.state.get("scores", got[:, :0])
        scores = got + torch.nn.functional.pad(before, (0, got.shape[-1] - before.shape[-1]))
        drops = [self.surplus(layer, fresh) for layer in layers]
        if drops[0] > 0:
            kept = _highest(scores, drops[0], start, 1)
            scores = scores.gather(-1, kept)
            for layer in layers:
                layer.keep(kept[0] if len(kept) == 1 else kept[:, None].expand(-1, layer.keys.shape[1], -1))
        cache.state["scores"] = scores
        for layer in layers:
            self.note(layer)


def _highest(scores: Tensor, drop: int, start: int, newest: int) -> Tensor:
    """Indices in order of all but `drop` of (..., n), the lowest; the first `start` and the `newest` stay."""
    n = scores.shape[-1]
    safe = torch.arange(n, device=scores.device)
    safe = (safe < start) | (safe >= n - newest)
    return scores.masked_fill(safe, float("inf")).topk(n - drop, dim=-1).indices.sort(dim=-1).values
