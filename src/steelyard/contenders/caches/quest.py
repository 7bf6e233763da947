"""Quest: while decoding, load only the pages of keys that this query could care about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from steelyard.core.contender import contender
from steelyard.lab.attention import Attention
from steelyard.lab.cache import LayerCache, bytes_of
from steelyard.lab.policy import CachePolicy, entries


@contender("quest", interface="cache", source="arXiv:2406.10774, section 3.3")
@dataclass(frozen=True)
class Quest(CachePolicy):
    """A page's score is the most any of its keys could get: sum over channels of max(q * lowest, q * highest).

    keep: keys attended to, as a share of the cache up to 1, above that as a number of tokens. page: tokens of a page.
    dense: layers at the bottom that see everything. The page of the newest token always counts. Nothing is dropped.
    """

    keep: float = 0.25
    page: int = 16
    dense: int = 2

    identity: ClassVar[Mapping[str, Any]] = {"keep": 1.0}

    def after_prefill(self, layer: LayerCache, attention: Attention) -> None:
        layer.state["bounds"] = self._bounds(layer.keys)

    def select(self, layer: LayerCache, attention: Attention) -> Tensor | None:
        length, page = layer.length, self.page
        wanted = max(3, entries(self.keep, length) // page)
        pages = -(-length // page)
        if layer.index < self.dense or wanted >= pages or self.keep == 1:
            return None
        self._update(layer)
        lowest, highest = (b.repeat_interleave(attention.groups, 1)[:, :, None] for b in layer.state["bounds"])
        query = attention.queries[:, :, :, None]  # (B, Q, q, 1, D) against (B, Q, 1, pages, D)
        scores = torch.maximum(query * lowest, query * highest).sum(-1)
        scores[..., -1] = float("inf")
        chosen = torch.zeros_like(scores, dtype=torch.bool).scatter(-1, scores.topk(wanted, dim=-1).indices, True)
        return chosen.repeat_interleave(page, dim=-1)[..., :length]

    def _update(self, layer: LayerCache) -> None:
        """Bounds of the pages that new tokens have filled or begun."""
        whole = (layer.length - 1) // self.page  # pages that were full before the newest token
        known = min(layer.state["bounds"][0].shape[2] - 1, whole)
        fresh = self._bounds(layer.keys[:, :, known * self.page :])
        layer.state["bounds"] = tuple(
            torch.cat([old[:, :, :known], new], dim=2) for old, new in zip(layer.state["bounds"], fresh, strict=True)
        )

    def _bounds(self, keys: Tensor) -> tuple[Tensor, Tensor]:
        """(B, H, pages, D) least and greatest value of each channel; a page that is not full is padded by its end."""
        short = -keys.shape[2] % self.page
        padded = F.pad(keys.transpose(2, 3).flatten(1, 2), (0, short), mode="replicate") if short else None
        if padded is not None:
            keys = padded.unflatten(1, (keys.shape[1], -1)).transpose(2, 3)
        paged = keys.unflatten(2, (-1, self.page))
        return paged.amin(dim=3), paged.amax(dim=3)

    def bytes(self, layer: LayerCache) -> int:
        return bytes_of([layer.keys, layer.values, layer.state.get("bounds", ())])
