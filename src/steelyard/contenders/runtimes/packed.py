"""Frozen weights kept in 8 or 4 bits and multiplied out when they are used, forward and backward."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from steelyard.contenders.runtimes.lora import linears

# NormalFloat: quantiles of a normal distribution, scaled to [-1, 1], zero among them (QLoRA, arXiv:2305.14314, appendix E)
NF4 = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)  # fmt: skip
BLOCK = 64  # weights that share a scale


def to_nf4(weights: Tensor) -> tuple[Tensor, Tensor]:
    """Codes, two a byte (n / 2,), and the largest magnitude of each block (n / 64,), of weights of any shape.

    The number of weights must be a multiple of the block. Each weight goes to its nearest level.
    """
    blocks = weights.detach().float().reshape(-1, BLOCK)
    scales = blocks.abs().amax(dim=1).clamp_min(torch.finfo(torch.float32).tiny)
    levels = torch.tensor(NF4, device=weights.device)
    codes = torch.bucketize((blocks / scales[:, None]).flatten(), (levels[1:] + levels[:-1]) / 2).to(torch.uint8)
    return codes[::2] << 4 | codes[1::2], scales


def from_nf4(codes: Tensor, scales: Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """The weights again, up to rounding."""
    levels = torch.tensor(NF4, device=codes.device)
    pairs = torch.stack([codes >> 4, codes & 15], dim=1).flatten().int()
    return (levels[pairs].view(-1, BLOCK) * scales[:, None]).view(shape).to(dtype)


def to_int8(weights: Tensor) -> tuple[Tensor, Tensor]:
    """Codes (out, in) in [-127, 127] and the scale of each row (out,)."""
    scales = weights.detach().float().abs().amax(dim=1).clamp_min(torch.finfo(torch.float32).tiny) / 127
    return (weights.detach().float() / scales[:, None]).round().to(torch.int8), scales


class PackedLinear(nn.Module):
    """A linear layer whose weights stand in `kind` (int8 or nf4); they get no gradient."""

    def __init__(self, layer: nn.Linear, kind: str) -> None:
        super().__init__()
        self.in_features, self.out_features, self.kind = layer.in_features, layer.out_features, kind
        codes, scales = (to_nf4 if kind == "nf4" else to_int8)(layer.weight)
        self.register_buffer("codes", codes)
        self.register_buffer("scales", scales)
        self.bias = layer.bias

    def weight(self, dtype: torch.dtype) -> Tensor:
        """(out, in), multiplied out."""
        if self.kind == "nf4":
            return from_nf4(self.codes, self.scales, (self.out_features, self.in_features), dtype)
        return (self.codes * self.scales[:, None]).to(dtype)

    def forward(self, x: Tensor) -> Tensor:
        y = _Multiplied.apply(x, self)
        return y if self.bias is None else y + self.bias


class _Multiplied(torch.autograd.Function):
    """x W^T, where the backward pass multiplies W out again instead of keeping it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: PackedLinear) -> Tensor:
        ctx.layer = layer
        return x @ layer.weight(x.dtype).T

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0] @ ctx.layer.weight(grads[0].dtype), None


def pack(model: nn.Module, kind: str) -> None:
    """Put the layers' linear weights into int8 or nf4, in place; embeddings, norms and the output layer stay."""
    for parent, name, layer in [*linears(model)]:
        setattr(parent, name, PackedLinear(layer, kind))
    # one view of a mapped checkpoint holds all of it in memory, what was packed included
    for kept in model.parameters():
        kept.data = kept.detach().clone()
