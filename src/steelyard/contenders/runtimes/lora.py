"""Low-rank adapters (LoRA): frozen linear layers, each with a small trained product beside it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

TARGETS = {
    "qv": ("q_proj", "v_proj"),
    "all": ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
}


class LoRALinear(nn.Module):
    """y = W x + (alpha / r) B A x, with B = 0 at the start (arXiv:2106.09685, section 4.1).

    base: any layer with in_features and out_features; it stays as it is.
    """

    def __init__(self, base: Any, rank: int, alpha: float, dtype: torch.dtype) -> None:
        super().__init__()
        self.base, self.scale = base, alpha / rank
        self.down = nn.Parameter(torch.empty(rank, base.in_features, dtype=dtype))
        self.up = nn.Parameter(torch.zeros(base.out_features, rank, dtype=dtype))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + self.scale * (x @ self.down.T @ self.up.T)


def linears(model: nn.Module, names: tuple[str, ...] = TARGETS["all"]) -> Iterator[tuple[nn.Module, str, Any]]:
    """(parent, name, layer) of the linear layers, packed or not, that are called one of `names`."""
    for parent in [*model.modules()]:
        for name, layer in [*parent.named_children()]:
            if name in names and hasattr(layer, "in_features"):
                yield parent, name, layer


def adapt(model: nn.Module, rank: int, targets: str = "qv", alpha: float = 16.0) -> None:
    """Freeze the model and put adapters of that rank on its targets (`qv` or `all` linear layers), in place."""
    dtype = next(p.dtype for p in model.parameters() if p.is_floating_point())
    model.requires_grad_(False)
    for parent, name, layer in [*linears(model, TARGETS[targets])]:
        setattr(parent, name, LoRALinear(layer, rank, alpha, dtype))
