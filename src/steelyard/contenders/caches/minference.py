"""MInference-style prefill: each head follows the sparse pattern that fits its own attention best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from steelyard.core.contender import contender
from steelyard.lab.attention import Attention
from steelyard.lab.cache import LayerCache
from steelyard.lab.policy import CachePolicy, entries


@contender("minference", interface="cache", source="arXiv:2407.02490, section 3")
@dataclass(frozen=True)
class MInference(CachePolicy):
    """Build an A-shape, a vertical-slash and a block-sparse mask for each head, and take the one that covers most of the
    attention of the last queries. All keys and values are kept.

    keep: keys a query may see in the mean, as a share of the prompt up to 1, above that as a number of tokens.
    last: queries at the end whose attention is estimated (tokens). block: side of a block (tokens).
    """

    keep: float = 0.25
    last: int = 64
    block: int = 16

    identity: ClassVar[Mapping[str, Any]] = {"keep": 1.0}

    def pattern(self, layer: LayerCache, attention: Attention) -> Tensor | None:
        length = layer.length
        budget = entries(self.keep, length)
        if budget >= length:
            return None
        last = min(self.last, length)
        weights = attention.weights(last=last, restricted=False)  # (B, Q, last, T)
        masks = torch.stack(
            [self._a_shape(weights, budget), self._vertical_slash(weights, budget), self._blocks(attention, budget)]
        )
        covered = (weights * masks[..., -last:, :]).sum(dim=(-1, -2))  # (3, B, Q)
        best = covered.argmax(dim=0)[None, ..., None, None].expand(1, -1, -1, length, length)
        return masks.gather(0, best)[0] | torch.eye(length, dtype=torch.bool, device=weights.device)

    def _a_shape(self, weights: Tensor, budget: int) -> Tensor:
        """The first eighth of the budget at the start, the rest next to the query."""
        at = torch.arange(weights.shape[-1], device=weights.device)
        first = budget // 8
        mask = (at < first) | (at[:, None] - at < budget - first)
        return mask.expand(*weights.shape[:2], -1, -1)

    def _vertical_slash(self, weights: Tensor, budget: int) -> Tensor:
        """Half of the budget in the columns, half in the diagonals that get most attention."""
        last, length = weights.shape[-2:]
        columns = weights.sum(dim=2).topk(budget // 2, dim=-1).indices
        at = torch.arange(length, device=weights.device)
        apart = (length - last + at[:last, None] - at).clamp(min=0)  # query minus key
        slashes = torch.zeros_like(weights[:, :, 0]).scatter_add_(
            -1, apart.flatten().expand(*weights.shape[:2], -1), weights.flatten(2)
        )
        chosen = slashes.topk(budget - budget // 2, dim=-1).indices
        vertical = torch.zeros_like(slashes, dtype=torch.bool).scatter(-1, columns, True)
        slash = torch.zeros_like(slashes, dtype=torch.bool).scatter(-1, chosen, True)
        return vertical[:, :, None, :] | slash[..., (at[:, None] - at).clamp(min=0)]

    def _blocks(self, attention: Attention, budget: int) -> Tensor:
        """For each block of queries the blocks of keys whose means fit best, as many as the budget has room for."""
        length = attention.queries.shape[2]
        queries = self._means(attention.queries)
        keys = self._means(attention.keys.repeat_interleave(attention.groups, 1))
        scores = queries @ keys.transpose(2, 3)
        future = torch.ones_like(scores[0, 0], dtype=torch.bool).triu(1)
        scores = scores.masked_fill(future, float("-inf"))
        most = min(max(1, budget // self.block), scores.shape[-1])
        chosen = torch.zeros_like(scores, dtype=torch.bool).scatter(-1, scores.topk(most, dim=-1).indices, True)
        wide = chosen.repeat_interleave(self.block, 2).repeat_interleave(self.block, 3)
        return wide[..., :length, :length]

    def _means(self, x: Tensor) -> Tensor:
        padded = F.pad(x, (0, 0, 0, -x.shape[2] % self.block))
        return padded.unflatten(2, (-1, self.block)).mean(dim=3)
