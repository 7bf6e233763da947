"""KIVI: keys quantised per channel, values per token, the newest ones left as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from steelyard.core.contender import contender
from steelyard.core.errors import InputError
from steelyard.lab.attention import Attention
from steelyard.lab.cache import LayerCache, bytes_of
from steelyard.lab.policy import CachePolicy

Codes = tuple[Tensor, Tensor, Tensor]


def quantise(x: Tensor, bits: int) -> Codes:
    """Codes of groups (..., g), packed 8 / bits to a byte, with each group's step and minimum (..., 1).

    A group whose values are all the same has step 0 and is its minimum (the release divides by nought there).
    """
    low, high = x.amin(-1, keepdim=True), x.amax(-1, keepdim=True)
    step = (high - low) / (2**bits - 1)
    codes = ((x - low) / torch.where(step > 0, step, 1)).round().clamp(0, 2**bits - 1).to(torch.uint8)
    shifts = torch.arange(0, 8, bits, device=x.device)
    packed = (codes.unflatten(-1, (-1, 8 // bits)) << shifts).sum(-1).to(torch.uint8)
    return packed, step, low


def restore(codes: Codes, bits: int) -> Tensor:
    """The values that codes stand for, (..., g)."""
    packed, step, low = codes
    shifts = torch.arange(0, 8, bits, device=packed.device, dtype=torch.uint8)
    return ((packed[..., None] >> shifts) & (2**bits - 1)).flatten(-2) * step + low


@contender("kivi", interface="cache", source="arXiv:2402.02750, section 3")
@dataclass(frozen=True)
class KIVI(CachePolicy):
    """Asymmetric quantisation, x = code * step + minimum: of keys along tokens, of values along channels.

    bits: of a code. group: numbers that share step and minimum (tokens for keys, channels for values).
    residual: so many of the newest tokens gather in full precision before they are quantised together.
    """

    bits: Literal[2, 4, 8] = 2
    group: int = 32
    residual: int = 32

    identity: ClassVar[Mapping[str, Any]] = {"residual": 1 << 20}

    def append(self, layer: LayerCache, keys: Tensor, values: Tensor, positions: Tensor) -> None:
        layer.add(keys, values, positions)
        if layer.length > keys.shape[2] and layer.window is None:  # the prompt is attended to in full precision
            self._flush(layer)

    def after_prefill(self, layer: LayerCache, attention: Attention) -> None:
        if self.residual % self.group or layer.values.shape[-1] % min(self.group, layer.values.shape[-1]):
            raise InputError(
                f"kivi: groups of {self.group} do not fit {self.residual} tokens and heads of {layer.values.shape[-1]}.",
                "residual must be a multiple of group, and the head's size too.",
            )
        self._flush(layer)

    def _flush(self, layer: LayerCache) -> None:
        """Quantise whole runs of `residual` tokens."""
        fresh = layer.keys.shape[2]
        count = fresh - fresh % self.residual
        if not count:
            return
        keys = layer.keys[:, :, :count].unflatten(2, (-1, self.group)).transpose(3, 4)  # (B, H, runs, D, group)
        channels = min(self.group, layer.values.shape[-1])
        values = layer.values[:, :, :count].unflatten(3, (-1, channels))  # (B, H, n, D / group, group)
        for name, part in (("keys", keys), ("values", values)):
            made = quantise(part, self.bits)
            old = layer.state.get(name)
            layer.state[name] = made if old is None else tuple(torch.cat(p, dim=2) for p in zip(old, made, strict=True))
        layer.keys, layer.values = layer.keys[:, :, count:], layer.values[:, :, count:]

    def read(self, layer: LayerCache) -> tuple[Tensor, Tensor]:
        if "keys" not in layer.state:
            return layer.keys, layer.values
        keys = restore(layer.state["keys"], self.bits).transpose(3, 4).flatten(2, 3)
        values = restore(layer.state["values"], self.bits).flatten(3)
        return torch.cat([keys, layer.keys], dim=2), torch.cat([values, layer.values], dim=2)

    def bytes(self, layer: LayerCache) -> int:
        return bytes_of([layer.keys, layer.values, layer.state.get("keys", ()), layer.state.get("values", ())])
