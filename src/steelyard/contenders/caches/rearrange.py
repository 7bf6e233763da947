"""Folds an order and a scale of key channels into a model's weights: the same logits, at no cost when it runs."""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from steelyard.core.errors import InputError
from steelyard.lab.cache import LayerCache
from steelyard.lab.forward_pass import empty_cache, forward
from steelyard.lab.opening import LabModel
from steelyard.lab.policy import CachePolicy
from steelyard.lab.recall import WordTokenizer, make
from steelyard.lab.texts import calibration

SEED = 2403
TOKENS = 512  # of calibration


@dataclass(frozen=True)
class Statistics:
    """Of one layer, over calibration tokens after rotation: mean and second moment of keys, second moment of queries.

    Each (H, D); queries are averaged over the heads that share a key head.
    """

    mean: Tensor
    square: Tensor
    queries: Tensor


@dataclass(frozen=True)
class _Watch(CachePolicy):
    seen: list[Statistics] = field(default_factory=list)

    def enter(self, layer: LayerCache, queries: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        groups = queries.unflatten(1, (keys.shape[1], -1))[0].float()
        k = keys[0].float()
        self.seen.append(Statistics(k.mean(1), k.square().mean(1), groups.square().mean((1, 2))))
        return queries, keys, values


def calibrate(lab: LabModel) -> list[Statistics]:
    """Of each layer, on prose held apart (sessions for the recall model; random tokens where nothing can be read)."""
    rng = random.Random(SEED)
    if lab.tokenizer is None:
        ids = [rng.randrange(lab.config.vocab_size) for _ in range(TOKENS)]
    elif isinstance(lab.tokenizer, WordTokenizer):
        ids = lab.encode(
            " ".join(f"{text} {q[0].input} {q[0].answer}" for text, q in (make("kv", 250, rng) for _ in "ab"))
        )
    else:
        ids = lab.encode(calibration()[: 8 * TOKENS])
    watch, counts = _Watch(), lab.counts.copy()
    tokens = torch.tensor([ids[: min(TOKENS, lab.context)]], device=lab.device)
    forward(lab, empty_cache(lab), tokens, watch, prompt=True)
    vars(lab.counts).update(vars(counts))  # done once, before anything is measured
    return watch.seen


def order_of(layer: Any, sort: str, *, pairwise: bool, heads: int, seen: Statistics | None) -> Tensor:
    """(H, D): the channel that goes to each place, by rising magnitude.

    sort: row_norm: of the row of W_k that makes the channel (arXiv:2403.20137); pair_norm: of both rows that a rotation
    mixes; calibrated: root mean square of the cached channel; reverse: row_norm, falling; random, seeded; none.
    pairwise: whole pairs are moved, and both members stay in their halves.
    """
    size = layer.self_attn.head_dim
    if sort == "none":
        return torch.arange(size, device=layer.self_attn.k_proj.weight.device).expand(heads, -1)
    norm = _magnitude(layer, heads) if seen is None or sort != "calibrated" else seen.square.sqrt()
    pair = norm.unflatten(-1, (2, -1)).norm(dim=1)
    if sort == "random":
        shape = pair.shape if pairwise else norm.shape
        norm = pair = torch.rand(shape, generator=torch.Generator().manual_seed(SEED)).to(norm.device)
    if pairwise:
        order = pair.argsort(dim=-1, stable=True, descending=sort == "reverse")
        return torch.cat([order, order + size // 2], dim=-1)
    if sort == "pair_norm":
        norm = pair.repeat(1, 2)
    return norm.argsort(dim=-1, stable=True, descending=sort == "reverse")


def balance_of(seen: Statistics, centred: bool) -> Tensor:
    """(H, D) factors of the key channels, one for both members of a pair, so that rotation does not see them.

    A block's step grows with its key channels, and the error of a logit with the step times the query channels. By
    Cauchy and Schwarz sum(s^2 k^2) * sum(q^2 / s^2) is least at s^2 = q / k, root mean squares of queries and keys.
    """
    keys = seen.square - seen.mean.square() if centred else seen.square
    pair = lambda x: x.unflatten(-1, (2, -1)).sum(1)  # noqa: E731
    factor = (pair(seen.queries) / pair(keys).clamp(min=1e-12)).clamp(min=1e-12) ** 0.25
    return (factor / factor.log().mean(-1, keepdim=True).exp()).repeat(1, 2)


def fold(lab: LabModel, orders: list[Tensor], factors: list[Tensor] | None = None) -> LabModel:
    """A model with the same logits whose keys have channels in these orders, times these factors, each (H, D).

    Only the matrices of queries and keys are new; all else is shared with `lab`, counts too.
    """
    if hasattr(lab.layers[0].self_attn, "qkv_proj"):
        raise InputError(
            "queries, keys and values come from one fused matrix.", "Split it before channels are rearranged."
        )
    shared = {id(p): p for p in (*lab.model.parameters(), *lab.model.buffers())}
    model = copy.deepcopy(lab.model, shared)
    for index, layer in enumerate(model.model.layers):
        part, order = layer.self_attn, orders[index]
        factor = torch.ones_like(order, dtype=torch.float32) if factors is None else factors[index]
        groups = part.q_proj.weight.shape[0] // part.head_dim // order.shape[0]
        _rearrange(part, "k", order, factor)
        _rearrange(part, "q", *(x.repeat_interleave(groups, 0) for x in (order, 1 / factor)))
    return LabModel(lab.name, model, lab.tokenizer, lab.counts, orders)


def _rearrange(part: Any, which: str, order: Tensor, factor: Tensor) -> None:
    """Of the projection `k` or `q`; a norm behind it undoes factors of the matrix, so there they go into its weight."""
    projection, norm = getattr(part, f"{which}_proj"), getattr(part, f"{which}_norm", None)
    heads, size = order.shape
    rows = (order + torch.arange(heads, device=order.device)[:, None] * size).flatten()
    scale = factor.flatten() if norm is None else torch.ones_like(factor.flatten())
    fresh = lambda x: Parameter(x, requires_grad=False)  # noqa: E731
    projection.weight = fresh((projection.weight.float() * scale[:, None])[rows].to(projection.weight.dtype))
    if projection.bias is not None:
        projection.bias = fresh((projection.bias.float() * scale)[rows].to(projection.bias.dtype))
    if norm is not None:
        one = 1 if "Gemma" in type(norm).__name__ else 0  # Gemma's norms keep their weight less one
        weight = (norm.weight.float() + one) * factor
        norm.weight = fresh((weight.gather(-1, order) - one).to(norm.weight.dtype))


def _magnitude(layer: Any, heads: int) -> Tensor:
    """(H, D): what the weights alone say of a key channel's size."""
    part = layer.self_attn
    if hasattr(part, "k_norm"):
        weight = part.k_norm.weight.float()
        return (weight + 1 if "Gemma" in type(part.k_norm).__name__ else weight).abs().expand(heads, -1)
    square = part.k_proj.weight.float().square().sum(-1)
    if part.k_proj.bias is not None:
        square = square + part.k_proj.bias.float().square()
    return square.sqrt().view(heads, -1)
