"""Elastic Cache: the prompt's less attended entries are merged into the nearest kept one; later a fixed slot is emptied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from steelyard.contenders.caches import eviction
from steelyard.contenders.caches.eviction import Budget
from steelyard.core.contender import contender
from steelyard.core.errors import InputError
from steelyard.lab.attention import Attention
from steelyard.lab.cache import KVCache, LayerCache
from steelyard.lab.forward_pass import rotate, rotations

RELEASED_LENGTH = 2049  # tokens for which the release has scores


@contender("elastic", interface="cache", source="arXiv:2407.18121, section 3; code: liuzuyan/ElasticCache")
@dataclass(frozen=True)
class Elastic(Budget):
    """Anchors are the most attended positions of a layer, by all prompt queries and heads. ratio: the share dropped.

    start, protect: first and newest tokens that are neither merged nor anchors. distance: the slot that is emptied in
    generation: an index, or so many entries from the end of the compressed prompt.
    merge: `mean` of an anchor and what is nearest to it; `pre-rope`, keys turned to one position before; `values` (ours),
    anchors keep their keys, and values are averaged by the attention they got; `off`, dropped.
    score: `frequency`, summed attention; `normalised` by how many queries see a key.
    prompt, generation: which policy is used in which stage. positions: of new tokens, `true` ones or their place in the
    compressed cache (as released). variant: `released` has the defects of the code (see the card).
    """

    protect: int = 1
    distance: int = -25
    merge: Literal["mean", "pre-rope", "values", "off"] = "mean"
    score: Literal["frequency", "normalised"] = "frequency"
    prompt: Literal["frequency", "distance"] = "frequency"
    generation: Literal["distance", "frequency"] = "distance"
    positions: Literal["true", "compressed"] = "true"
    variant: Literal["paper", "released"] = "paper"

    @property
    def depends_on(self) -> tuple[object, ...]:
        return (eviction,)

    def turns(self, cache: KVCache, positions: Tensor) -> Tensor:
        if self.positions == "true" or not cache.seen:
            return positions
        length = max(layer.length for layer in cache.layers)  # layers with a window hold less
        return positions - (cache.seen - length)

    def after_prefill(self, layer: LayerCache, attention: Attention) -> None:
        drop = self.surplus(layer, attention.queries.shape[2])
        scores = self._scores(layer, attention)
        layer.state["slot"] = self.distance if self.distance > 0 else layer.length - drop + self.distance
        if self.generation == "frequency":
            layer.state["scores"] = scores
        if drop > 0 and self.variant == "released":
            self._released(layer, attention, scores, drop)
        elif drop > 0 and self.prompt == "distance":
            self._empty(layer, drop)
        elif drop > 0:
            self._merge_least(layer, attention, scores, drop)
        self.note(layer)

    def after_step(self, layer: LayerCache, attention: Attention) -> None:
        drop = self.surplus(layer, attention.queries.shape[2])
        if self.generation == "frequency":
            fresh, before = self._scores(layer, attention), layer.state["scores"]
            fresh[:, : before.shape[1]] += before
            layer.state["scores"] = fresh
        if drop > 0 and self.variant == "released":
            if drop > 1:
                raise InputError(
                    f"layer {layer.index}: the released code stops here, with {drop} entries to drop at once.",
                    "variant=paper handles prompts that leave fewer than 25 entries.",
                )
            if layer.state["slot"] >= 0:
                self._empty(layer, drop)
        elif drop > 0 and self.generation == "frequency":
            self._merge_least(layer, attention, layer.state["scores"], drop)
        elif drop > 0:
            self._empty(layer, drop)
        self.note(layer)

    def figures(self, cache: KVCache) -> Mapping[str, float]:
        """length_error: see Budget. anchor_overlap, of variant=released: share of anchors that are among the most attended."""
        shares = [layer.state["overlap"] for layer in cache.layers if "overlap" in layer.state]
        return {**super().figures(cache), **({"anchor_overlap": sum(shares) / len(shares)} if shares else {})}

    def _scores(self, layer: LayerCache, attention: Attention) -> Tensor:
        """(B, n); of padding -1."""
        sums = attention.column_sums().mean(1)
        if self.score == "normalised":
            seen = attention.visible().sum(2).float().mean(1)
            sums = sums / seen.clamp(min=1)
        return sums.masked_fill(layer.positions[:, 0] < 0, -1.0)

    def _protected(self, layer: LayerCache, rows: int) -> Tensor:
        """(B, n): the first real tokens, and the newest."""
        at = layer.positions[:, 0].expand(rows, -1)
        newest = torch.arange(layer.length, device=at.device) >= layer.length - self.protect
        return (at >= 0) & (at < self.start) | newest

    def _merge_least(self, layer: LayerCache, attention: Attention, scores: Tensor, drop: int) -> None:
        """Candidates with the highest scores become anchors; each other one goes to its nearest, the left of two."""
        protected = self._protected(layer, len(scores))
        count = layer.length - drop - int(protected[0].sum())
        if count < 1:
            raise InputError(f"layer {layer.index}: no anchor is left of {layer.length}.", "Give a smaller ratio.")
        ranked = scores.masked_fill(protected, float("-inf")).topk(count, dim=-1).indices
        anchors = ranked.sort(dim=-1).values
        places = torch.arange(layer.length, device=scores.device).expand(len(scores), -1)
        joins = (~protected & (layer.positions[:, 0] >= 0)).to(layer.keys.dtype)
        if self.merge == "values":
            joins = joins * scores.clamp(min=0).to(joins.dtype)
        self._join(layer, attention, anchors, places, joins)
        kept = torch.cat([anchors, protected.nonzero()[:, 1].view(len(scores), -1)], dim=-1).sort(dim=-1).values
        self._keep(layer, kept)

    def _released(self, layer: LayerCache, attention: Attention, scores: Tensor, drop: int) -> None:
        """As the code does it: the output of argsort taken for ranks, one entry fewer, dropped places without `start`."""
        if layer.length > RELEASED_LENGTH or len(scores) > 1:
            raise InputError(
                f"the released code fails at {len(scores)} prompts of {layer.length} tokens.",
                f"It has scores for one of {RELEASED_LENGTH} tokens; variant=paper has no limit.",
            )
        inner = scores[0, self.start : layer.length - 1]
        order = inner.argsort(stable=True)
        anchors = (order > drop).nonzero()[:, 0] + self.start
        if not len(anchors):
            raise InputError("the released code keeps no anchor here.", "Give a smaller ratio, or variant=paper.")
        top = inner.topk(len(anchors)).indices + self.start
        layer.state["overlap"] = float(torch.isin(anchors, top).float().mean())
        dropped = (order <= drop).nonzero()[:, 0]
        places = torch.cat([anchors, dropped])[None]
        self._join(layer, attention, anchors[None], places, torch.ones_like(places, dtype=layer.keys.dtype))
        newest = torch.tensor([layer.length - 1], device=anchors.device)
        self._keep(layer, torch.cat([torch.arange(self.start, device=anchors.device), anchors, newest])[None])

    def _join(self, layer: LayerCache, attention: Attention, anchors: Tensor, places: Tensor, joins: Tensor) -> None:
        """Put into each anchor (B, A) the mean of the places (B, p) nearest to it, itself among them, weighed by joins (B, p)."""
        if self.merge == "off":
            return
        right = torch.searchsorted(anchors, places.contiguous()).clamp(max=anchors.shape[1] - 1)
        left = (right - 1).clamp(min=0)
        nearer = (places - anchors.gather(1, left)).abs() <= (anchors.gather(1, right) - places).abs()
        owner = torch.where(nearer, left, right)
        members = torch.zeros_like(anchors, dtype=joins.dtype).scatter_add(1, owner, joins).clamp(min=1e-6)
        keys = layer.keys
        if self.merge == "pre-rope":
            at = layer.positions[:, 0]
            keys = rotate(keys, rotations(attention.lab, keys, -at)[layer.index])

        def mean(x: Tensor) -> Tensor:
            wide = lambda index: index[:, None, :, None].expand(-1, x.shape[1], -1, x.shape[3])  # noqa: E731
            taken = x.gather(2, wide(places)) * joins[:, None, :, None]
            sums = x.new_zeros(*x.shape[:2], anchors.shape[1], x.shape[3]).scatter_add(2, wide(owner), taken)
            return x.scatter(2, wide(anchors), sums / members[:, None, :, None])

        layer.keys, layer.values = keys if self.merge == "values" else mean(keys), mean(layer.values)
        if self.merge == "pre-rope":
            layer.keys = rotate(layer.keys, rotations(attention.lab, layer.keys, at)[layer.index])

    def _empty(self, layer: LayerCache, drop: int) -> None:
        """Delete at the slot; behind the protected start and before the newest entry, where it would lie outside."""
        slot = max(self.start, min(layer.state["slot"], layer.length - drop - 1))
        index = torch.arange(layer.length - drop, device=layer.keys.device)
        self._keep(layer, torch.where(index < slot, index, index + drop)[None])

    def _keep(self, layer: LayerCache, kept: Tensor) -> None:
        """(1 or B, m) indices."""
        if self.generation == "frequency":
            scores = layer.state["scores"]
            layer.state["scores"] = scores.gather(1, kept.expand(len(scores), -1))
        layer.keep(kept[0] if len(kept) == 1 else kept[:, None].expand(-1, layer.keys.shape[1], -1))
