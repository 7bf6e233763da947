"""Block floating point: integers of few bits that share one exponent; encoded into bytes that are really packed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

SMALLEST = -100  # exponents below it are raised to it: their steps would be subnormal
BIAS = 127


@dataclass(frozen=True)
class BlockFormat:
    """n numbers with m-bit signed mantissas and one shared scale (OCP MX is n=32; MXINT8 has m=8).

    scale: `power`, an exponent of 8 bits, E = floor(log2(max |x|)), step 2^(E - m + 2); or `float`, a step in fp16.
    overflow: where the largest rounds up past the last mantissa, `clip` it, or `bump` the exponent.
    full_range: whether the mantissa -2^(m-1) is used.
    """

    m: int
    n: int
    scale: Literal["power", "float"] = "power"
    overflow: Literal["clip", "bump"] = "clip"
    full_range: bool = False

    def width(self, channels: int) -> int:
        """Bytes of a vector of so many numbers."""
        return (channels * self.m + 7) // 8 + channels // self.n * (1 if self.scale == "power" else 2)

    def encode(self, x: Tensor) -> Tensor:
        """(..., D) finite numbers to (..., bytes): mantissas in two's complement, lowest bit first, then the scales."""
        blocks = x.float().unflatten(-1, (-1, self.n))
        largest, top = blocks.abs().amax(-1), 2 ** (self.m - 1) - 1
        if self.scale == "power":
            exponent = self._exponent(largest)
            step, kept = _two_to(exponent - self.m + 2), (exponent + BIAS).to(torch.uint8)
        else:
            step = (largest / top).half()
            kept, step = step[..., None].view(torch.uint8).flatten(-2), step.float()
        codes = (blocks / torch.where(step > 0, step, 1)[..., None]).round()
        codes = codes.clamp(-top - self.full_range, top).flatten(-2).to(torch.int16)
        return torch.cat([_pack(codes, self.m), kept], dim=-1)

    def decode(self, packed: Tensor, channels: int) -> Tensor:
        """(..., bytes) to (..., D) in fp32."""
        size = (channels * self.m + 7) // 8
        codes, kept = _unpack(packed[..., :size], self.m, channels), packed[..., size:]
        if self.scale == "power":
            step = _two_to(kept.int() - BIAS - self.m + 2)
        else:
            step = kept.contiguous().view(torch.float16).float()
        return (codes.float().unflatten(-1, (-1, self.n)) * step[..., None]).flatten(-2)

    def _exponent(self, largest: Tensor) -> Tensor:
        exponent = torch.where(largest > 0, torch.frexp(largest).exponent - 1, SMALLEST).clamp(min=SMALLEST)
        if self.overflow == "bump":
            exponent += (largest / _two_to(exponent - self.m + 2)).round() > 2 ** (self.m - 1) - 1
        return exponent


def _two_to(exponent: Tensor) -> Tensor:
    return torch.ldexp(torch.ones_like(exponent, dtype=torch.float32), exponent)


def _pack(codes: Tensor, bits: int) -> Tensor:
    """(..., D) signed integers to (..., ceil(D * bits / 8)) bytes."""
    ones = (codes[..., None] >> torch.arange(bits, device=codes.device)).bitwise_and(1).flatten(-2)
    ones = F.pad(ones, (0, -ones.shape[-1] % 8)).unflatten(-1, (-1, 8))
    return (ones << torch.arange(8, device=codes.device)).sum(-1).to(torch.uint8)


def _unpack(packed: Tensor, bits: int, count: int) -> Tensor:
    ones = (packed[..., None].int() >> torch.arange(8, device=packed.device)).bitwise_and(1).flatten(-2)
    ones = ones[..., : count * bits].unflatten(-1, (count, bits))
    codes = (ones << torch.arange(bits, device=packed.device)).sum(-1)
    return codes - (codes >> (bits - 1) << bits)
