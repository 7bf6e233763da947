"""What a model has cached: for each layer keys, values and the true position of every entry."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

ABSENT = -1  # the position of an entry that nobody may attend to: padding, or one that a head has dropped


@dataclass
class LayerCache:
    """One layer's entries. B sequences, H heads (key heads, or as many as there are query heads), n entries, D channels.

    keys, values: (B, H, n, D), keys after the rotation to their true positions.
    positions: (B or 1, H or 1, n) integers; ABSENT hides an entry. They are never renumbered when entries are dropped.
    window: of a sliding-window layer, in tokens. state: what a policy keeps here (codes, scales, scores, bounds).

    Tensors are replaced, never written into: copies of a cache share them.
    """

    index: int
    keys: Tensor
    values: Tensor
    positions: Tensor
    window: int | None = None
    state: dict[str, Any] = field(default_factory=dict)

    @property
    def length(self) -> int:
        return self.positions.shape[-1]

    def add(self, keys: Tensor, values: Tensor, positions: Tensor) -> None:
        """Append entries (B, heads, q, D) at `positions` (B or 1, q)."""
        heads = self.positions.shape[1]
        batch = max(self.positions.shape[0], positions.shape[0])
        fresh = positions[:, None, :].expand(batch, heads, -1)
        self.positions = torch.cat([self.positions.expand(batch, heads, -1), fresh], dim=-1)
        groups = self.keys.shape[1] // keys.shape[1]  # a policy may hold a set of its own for each query head
        self.keys = torch.cat([self.keys, keys.repeat_interleave(groups, 1)], dim=2)
        self.values = torch.cat([self.values, values.repeat_interleave(groups, 1)], dim=2)

    def spread(self, heads: int) -> None:
        """Give every query head a copy of its own of the entries it reads."""
        groups = heads // self.keys.shape[1]
        self.keys, self.values = self.keys.repeat_interleave(groups, 1), self.values.repeat_interleave(groups, 1)
        if self.positions.shape[1] > 1:
            self.positions = self.positions.repeat_interleave(groups, 1)

    def keep(self, index: Tensor) -> None:
        """Keep the entries at `index`: (m,), or (B, H, m) where each head keeps its own."""
        if index.dim() == 1:
            self.keys, self.values = self.keys[:, :, index], self.values[:, :, index]
            self.positions = self.positions[:, :, index]
            return
        batch, heads = index.shape[:2]
        wide = index[..., None].expand(-1, -1, -1, self.keys.shape[-1])
        self.keys, self.values = self.keys.gather(2, wide), self.values.gather(2, wide)
        self.positions = self.positions.expand(batch, heads, -1).gather(2, index)


@dataclass
class KVCache:
    """All layers. seen: tokens of the sequence so far, dropped ones too, so the next token's position.

    state: what a policy keeps for the whole model.
    """

    layers: list[LayerCache]
    seen: int = 0
    state: dict[str, Any] = field(default_factory=dict)

    def copy(self) -> KVCache:
        """A cache that may grow by itself; what is there already is shared."""
        return KVCache([replace(x, state=dict(x.state)) for x in self.layers], self.seen, dict(self.state))


def bytes_of(thing: Any) -> int:
    """Bytes of every tensor in a tensor, or in a list, tuple or mapping of them."""
    if isinstance(thing, Tensor):
        return thing.numel() * thing.element_size()
    if isinstance(thing, dict):
        return sum(map(bytes_of, thing.values()))
    return sum(map(bytes_of, thing)) if isinstance(thing, list | tuple) else 0
