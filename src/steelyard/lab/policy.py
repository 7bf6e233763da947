"""What a cache method may do, and when: the one interface of every policy. The defaults are the full cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor

from steelyard.core.errors import InputError
from steelyard.lab.cache import KVCache, LayerCache, bytes_of
from steelyard.lab.training import Fitted, Training

if TYPE_CHECKING:
    from steelyard.lab.attention import Attention
    from steelyard.lab.opening import LabModel


def entries(keep: float, length: int) -> int:
    """How many of `length` entries `keep` asks for: a share up to 1, above that a number of tokens.

    Raises InputError where it is not positive.
    """
    if keep <= 0:
        raise InputError(f"keep is {keep}.", "It is a share of the prompt in (0, 1], or a number of tokens above 1.")
    return min(length, max(1, int(keep * length)) if keep <= 1 else int(keep))


@dataclass(frozen=True)
class CachePolicy:
    """The full cache. A method overrides what it changes; its options are the fields of its dataclass.

    A policy holds options only: what it has to remember stands in `LayerCache.state` and `KVCache.state`, so that one
    policy serves many sequences and a cache can be copied. The order within a pass, for every layer:

        enter -> append -> read -> pattern (prompt) or select (afterwards) -> attention -> after_prefill or after_step

    Layers with a sliding window forget by themselves: of these only enter, append, read and bytes are asked.

    identity: options with which the method reproduces the full cache exactly; a test runs every policy so.
    """

    identity: ClassVar[Mapping[str, Any]] = {}

    def supported(self) -> str:
        """Why this policy cannot run here, or ""."""
        return ""

    def fit(self, lab: LabModel, training: Training) -> Fitted:
        """Learn from `training`: the model and the policy that are then to be used. Most have nothing to learn."""
        return Fitted(lab, self)

    def prefill(self, lab: LabModel, cache: KVCache, ids: Tensor, positions: Tensor) -> Tensor | None:
        """Take over the whole prompt (B, T) and fill `cache`; logits (B, 1 or T, V), or None for the usual pass."""

    def step(self, lab: LabModel, cache: KVCache, ids: Tensor, positions: Tensor) -> Tensor | None:
        """Take over a pass after the prompt; logits (B, q, V), or None for the usual pass."""

    def turns(self, cache: KVCache, positions: Tensor) -> Tensor:
        """To which positions new queries and keys are rotated; who may see whom goes by the true ones all the same."""
        return positions

    def enter(self, layer: LayerCache, queries: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Change what the new tokens bring, after rotation: (B, Q, q, D), (B, H, q, D), (B, H, q, D)."""
        return queries, keys, values

    def append(self, layer: LayerCache, keys: Tensor, values: Tensor, positions: Tensor) -> None:
        """Store new entries; a quantised cache does it in its own way."""
        layer.add(keys, values, positions)

    def read(self, layer: LayerCache) -> tuple[Tensor, Tensor]:
        """(B, H, n, D) keys and values as attention gets them; a quantised cache multiplies them out here."""
        return layer.keys, layer.values

    def pattern(self, layer: LayerCache, attention: Attention) -> Tensor | None:
        """What each query of the prompt may see beyond causality: (B or 1, Q or 1, T, n) booleans, None for all."""

    def select(self, layer: LayerCache, attention: Attention) -> Tensor | None:
        """The same for a pass after the prompt: which cached entries are loaded at all."""

    def after_prefill(self, layer: LayerCache, attention: Attention) -> None:
        """The prompt has gone through this layer: compress."""

    def after_step(self, layer: LayerCache, attention: Attention) -> None:
        """New tokens have gone through this layer."""

    def on_reuse(self, cache: KVCache) -> None:
        """Another request begins with a copy of this cache."""

    def figures(self, cache: KVCache) -> Mapping[str, float]:
        """Metric -> value of what only the method itself can tell about a cache, such as an error of its codes."""
        return {}

    def bytes(self, layer: LayerCache) -> int:
        """Bytes a layer holds: keys and values, and whatever a method needs beside them (codes, scales, indices)."""
        return bytes_of([layer.keys, layer.values])

    def one_by_one(self) -> bool:
        """Whether tokens after the prompt must be fed one at a time, as they would be decoded."""
        changed = ("step", "append", "read", "select", "after_step")
        return any(getattr(type(self), name) is not getattr(CachePolicy, name) for name in changed)
