"""The attention of one layer in one pass: what it sees, what comes out, and what a policy may ask about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from steelyard.lab.opening import LabModel

ROWS = 256  # queries whose weights are computed at a time where all are summed: memory stays linear


@dataclass
class Attention:
    """Queries against keys, of one layer. B sequences, Q query heads, q new tokens, n keys, D channels.

    lab, index: the model and which of its layers. hidden: (B, q, width), the normed input of the projections.
    queries: (B, Q, q, D); keys, values: (B, H, n, D), as the layer's policy reads them back; all after rotation.
    query_positions: (B or 1, q). key_positions: (B or 1, H or 1, n). cos, sin: (B or 1, q, D), the rotation of q.
    allowed: (B or 1, Q or 1, q, n) booleans, what a policy lets each query see; None for no restriction but causality.
    """

    lab: LabModel
    index: int
    hidden: Tensor
    queries: Tensor
    keys: Tensor
    values: Tensor
    query_positions: Tensor
    key_positions: Tensor
    cos: Tensor
    sin: Tensor
    window: int | None = None
    allowed: Tensor | None = None

    @property
    def module(self) -> Any:
        """The library's attention module."""
        return self.lab.layers[self.index].self_attn

    @property
    def groups(self) -> int:
        """Query heads that share a key head."""
        return self.queries.shape[1] // self.keys.shape[1]

    def causal(self, last: int | None = None) -> Tensor:
        """(B or 1, H or 1, q, n): keys at or before each of the `last` queries, and inside the window."""
        queries = self.query_positions[:, None, -last if last else None :, None]
        keys = self.key_positions[:, :, None, :]
        seen = (keys <= queries) & (keys >= 0) | (keys == queries)  # padding may see padding: no row is empty
        return seen & (queries - keys < self.window) if self.window else seen

    def visible(self, last: int | None = None) -> Tensor:
        """The same within what the policy allows."""
        seen = _per_query_head(self.causal(last), self.queries.shape[1])
        return seen if self.allowed is None else seen & self.allowed[..., -last if last else None :, :]

    def weights(self, last: int | None = None, *, restricted: bool = True) -> Tensor:
        """(B, Q, q, n) attention weights in fp32 of the `last` queries, all by default.

        restricted: as they were computed; else over everything that is causally there.
        """
        seen = self.visible(last) if restricted else _per_query_head(self.causal(last), self.queries.shape[1])
        return self._weights(self.queries[:, :, -last if last else None :], seen)

    def column_sums(self) -> Tensor:
        """(B, Q, n): the attention that each key gets from all queries together; memory grows with n only."""
        total = torch.zeros(*self.queries.shape[:2], self.keys.shape[2], device=self.keys.device)
        seen = self.visible()
        for at in range(0, self.queries.shape[2], ROWS):
            part = self._weights(self.queries[:, :, at : at + ROWS], seen[..., at : at + ROWS, :])
            total += part.sum(dim=2)
        return total

    def _weights(self, queries: Tensor, seen: Tensor) -> Tensor:
        keys = self.keys.repeat_interleave(self.groups, 1)
        scores = (queries @ keys.transpose(2, 3)).float() * self.module.scaling
        return scores.masked_fill(~seen, float("-inf")).softmax(dim=-1)

    def output(self) -> tuple[Tensor, int]:
        """(B, q, Q * D), and how many (query head, query, key) triples were looked at.

        The kernel is called as the library calls it, so that the results are the same to the last bit.
        """
        (batch, heads, count, _), n = self.queries.shape, self.keys.shape[2]
        attended = batch * heads * count * (n - count) + batch * heads * (count * (count + 1) // 2)
        fits = self.window is None or n < self.window
        whole = self.allowed is None and fits and (count == 1 or n == count)
        if whole and bool(self.causal()[..., -1:, :].all()):
            mixed = F.scaled_dot_product_attention(
                self.queries, self.keys, self.values, is_causal=count > 1, scale=self.module.scaling, enable_gqa=True
            )
        else:
            seen = self.visible()
            attended = int(seen.expand(batch, heads, count, n).sum())
            keys, values = (x.repeat_interleave(self.groups, 1) for x in (self.keys, self.values))
            mixed = F.scaled_dot_product_attention(
                self.queries, keys, values, attn_mask=seen, scale=self.module.scaling
            )
        return mixed.transpose(1, 2).reshape(batch, count, -1), attended


def _per_query_head(mask: Tensor, heads: int) -> Tensor:
    """(B, H, ...) per key head to (B, Q, ...); one that all heads share stays as it is."""
    return mask if mask.shape[1] == 1 else mask.repeat_interleave(heads // mask.shape[1], 1)
