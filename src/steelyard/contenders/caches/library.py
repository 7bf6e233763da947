"""The cache classes of transformers, driven by the library's own forward pass: dynamic, static, quantised."""

from __future__ import annotations

import copy
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from steelyard.core.contender import contender
from steelyard.lab.cache import KVCache, LayerCache, bytes_of
from steelyard.lab.opening import LabModel
from steelyard.lab.policy import CachePolicy


@contender("library", interface="cache", source="transformers, cache_utils")
@dataclass(frozen=True)
class Library(CachePolicy):
    """The library runs every pass with a cache of its own.

    kind: dynamic grows; static is allocated whole; quanto and hqq quantise with the package of that name.
    room: tokens a static cache has beyond the prompt. bits: of a quantised number.
    group, residual: numbers that share a scale, and newest tokens in full precision, of a quantised cache.
    """

    kind: Literal["dynamic", "static", "quanto", "hqq"] = "dynamic"
    room: int = 256
    bits: int = 4
    group: int = 32
    residual: int = 128

    identity: ClassVar[Mapping[str, Any]] = {"kind": "dynamic"}

    def supported(self) -> str:
        package = {"quanto": "optimum.quanto", "hqq": "hqq"}.get(self.kind, "transformers")
        if importlib.util.find_spec(package.partition(".")[0]) is None:
            return f"the package {package} is not installed"
        return ""

    def prefill(self, lab: LabModel, cache: KVCache, ids: Tensor, positions: Tensor) -> Tensor | None:
        cache.state["held"] = self._make(lab, ids.shape[1])
        return self._run(lab, cache, ids, positions)

    def step(self, lab: LabModel, cache: KVCache, ids: Tensor, positions: Tensor) -> Tensor | None:
        return self._run(lab, cache, ids, positions)

    def on_reuse(self, cache: KVCache) -> None:
        cache.state["held"] = copy.deepcopy(cache.state["held"])
        self._show(cache)

    def bytes(self, layer: LayerCache) -> int:
        held = layer.state.get("held")
        parts = [getattr(held, name, None) for name in ("keys", "values")]
        quantised = [getattr(held, name, None) for name in ("_quantized_keys", "_quantized_values")]
        return bytes_of([p for p in parts if isinstance(p, Tensor)]) + sum(map(_quantised_bytes, quantised))

    def one_by_one(self) -> bool:
        return self.kind not in ("dynamic", "static")

    def _make(self, lab: LabModel, length: int) -> Any:
        from transformers import DynamicCache, QuantizedCache, StaticCache

        if self.kind == "dynamic":
            return DynamicCache(config=lab.config)
        if self.kind == "static":
            return StaticCache(config=lab.config, max_cache_len=length + self.room)
        return QuantizedCache(
            self.kind, lab.config, nbits=self.bits, q_group_size=self.group, residual_length=self.residual
        )

    def _run(self, lab: LabModel, cache: KVCache, ids: Tensor, positions: Tensor) -> Tensor:
        logits = lab.model(ids, past_key_values=cache.state["held"], cache_position=positions[0]).logits
        count, seen = ids.shape[1], cache.seen
        attended = len(lab.layers) * lab.config.num_attention_heads * (count * seen + count * (count + 1) // 2)
        lab.counts.forward_passes += 1
        lab.counts.tokens_computed += count
        lab.counts.attended += attended
        lab.counts.flops += lab.flops_per_token * count + 4 * lab.layers[0].self_attn.head_dim * attended
        lab.counts.flops += 2 * count * lab.config.hidden_size * lab.config.vocab_size
        cache.seen += count
        self._show(cache)
        return logits

    def _show(self, cache: KVCache) -> None:
        for layer, held in zip(cache.layers, cache.state["held"].layers, strict=True):
            layer.state["held"] = held


def _quantised_bytes(thing: Any) -> int:
    """Of what a backend returns: a tensor class with inner tensors, or (tensor, facts)."""
    if thing is None:
        return 0
    if hasattr(thing, "__tensor_flatten__"):
        return sum(_quantised_bytes(getattr(thing, name)) for name in thing.__tensor_flatten__()[0])
    if isinstance(thing, tuple):
        return sum(map(_quantised_bytes, thing))
    if isinstance(thing, dict):
        return sum(map(_quantised_bytes, thing.values()))
    return bytes_of(thing) if isinstance(thing, torch.Tensor) else 0
