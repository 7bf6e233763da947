"""The predictor of KV Prediction: linear maps from an auxiliary model's keys and values to a base model's, and its loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from steelyard.core.errors import InputError
from steelyard.lab.forward_pass import normalise_keys, uncached
from steelyard.lab.opening import LabModel
from steelyard.lab.training import Batch, Training, cross_entropy

RIDGE = 1e-5  # of the mean square of the inputs
Pairs = Sequence[tuple[Tensor, Tensor]]


class Predictor(nn.Module):
    """For each layer of the base two linear maps with bias over merged heads; `layers` says which auxiliary layer feeds it."""

    def __init__(self, lab: LabModel, auxiliary: LabModel, layers: Sequence[int]) -> None:
        super().__init__()
        self.layers = list(layers)
        (self.into, self.size), (given, width) = ((m.config.num_key_value_heads, m.layers[0].self_attn.head_dim) for m in (lab, auxiliary))  # fmt: skip
        maps = [[nn.Linear(given * width, self.into * self.size) for _ in self.layers] for _ in "kv"]
        self.keys, self.values = (nn.ModuleList(each).to(lab.device, lab.dtype) for each in maps)

    def forward(self, pairs: Pairs) -> list[tuple[Tensor, Tensor]]:
        """Keys and values (B, H, T, D) of the auxiliary's layers, before norm and rotation, to those of the base's."""
        return [
            (self._mapped(key, pairs[j][0]), self._mapped(value, pairs[j][1]))
            for j, key, value in zip(self.layers, self.keys, self.values, strict=True)
        ]

    def _mapped(self, linear: nn.Module, x: Tensor) -> Tensor:
        return linear(merged(x)).unflatten(-1, (self.into, self.size)).transpose(1, 2)

    def flops(self, tokens: int) -> int:
        """Of so many tokens, without the biases."""
        return 2 * tokens * sum(p.numel() for p in self.parameters() if p.dim() == 2)

    @torch.no_grad()
    def be_identity(self) -> None:
        """Raises InputError where the shapes differ."""
        for linear in (*self.keys, *self.values):
            if linear.weight.shape[0] != linear.weight.shape[1]:
                raise InputError(f"a map from {linear.weight.shape[1]} to {linear.weight.shape[0]} channels is no identity.", "Take auxiliary=base or lp-*.")  # fmt: skip
            nn.init.eye_(linear.weight)
            nn.init.zeros_(linear.bias)


def merged(x: Tensor) -> Tensor:
    """(B, H, T, D) to (B, T, H * D)."""
    return x.transpose(1, 2).flatten(2)


@dataclass(frozen=True)
class Loss:
    """CE of the base on the predicted cache, plus CE of the auxiliary, plus L1 of keys and values, summed over layers.

    L1 is the mean over real tokens, heads and channels of a layer; of keys after their norm. Source: arXiv:2410.08391,
    section 3; defaults of its configurations.
    """

    base: float = 1.0
    auxiliary: float = 1.0
    kv: float = 1.0

    def __call__(self, lab: LabModel, auxiliary: LabModel, predictor: Predictor, batch: Batch) -> Tensor:
        pairs, read = uncached(auxiliary, batch.ids)
        predicted = predictor(pairs)
        _, hidden = uncached(lab, batch.ids, predicted)
        with torch.no_grad():
            true, _ = uncached(lab, batch.ids)
        apart = torch.stack([
            (normalise_keys(layer, ours[0]) - normalise_keys(layer, theirs[0])).abs().transpose(1, 2)[batch.real].mean()
            + (ours[1] - theirs[1]).abs().transpose(1, 2)[batch.real].mean()
            for layer, ours, theirs in zip(lab.layers, predicted, true, strict=True)
        ])  # fmt: skip
        return (
            self.base * cross_entropy(lab, hidden, batch)
            + self.auxiliary * cross_entropy(auxiliary, read, batch)
            + self.kv * apart.sum()
        )


@torch.no_grad()
def least_squares(
    lab: LabModel, auxiliary: LabModel, predictor: Predictor, training: Training, steps: Sequence[int]
) -> int:
    """Set the maps to the closed-form regression between the two models as they are; how many tokens were looked at."""
    tokens = 0
    sums: dict[tuple[int, int], list[Tensor]] = {}
    for step in steps:
        batch = training.batch(step)
        tokens += batch.tokens
        (ours, _), (theirs, _) = uncached(auxiliary, batch.ids), uncached(lab, batch.ids)
        for layer, j in enumerate(predictor.layers):
            for part in (0, 1):
                x = merged(ours[j][part])[batch.real].double()
                x = torch.cat([x, torch.ones_like(x[:, :1])], dim=1)
                y = merged(theirs[layer][part])[batch.real].double()
                held = sums.setdefault((layer, part), [0.0, 0.0])  # type: ignore[list-item]
                held[0], held[1] = held[0] + x.T @ x, held[1] + x.T @ y
    for (layer, part), (square, cross) in sums.items():
        ridge = RIDGE * square.diagonal()[:-1].mean() * torch.eye(len(square), dtype=square.dtype, device=square.device)
        ridge[-1, -1] = 0
        found = torch.linalg.solve(square + ridge, cross)
        linear = (predictor.keys, predictor.values)[part][layer]
        linear.weight.copy_(found[:-1].T)
        linear.bias.copy_(found[-1])
    return tokens
