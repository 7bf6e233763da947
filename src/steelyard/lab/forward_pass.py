"""The one explicit forward pass: the library's modules in the library's order, with a policy where the cache is used.

Its logits equal the library's to the last bit. Methods that need another order of things (a selective recomputation,
keys predicted by another model) build their own pass from `embed`, `rotations`, `project`, `finish` and `logits_of`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from steelyard.core.errors import InputError
from steelyard.lab.attention import Attention
from steelyard.lab.cache import KVCache, LayerCache
from steelyard.lab.opening import LabModel
from steelyard.lab.policy import CachePolicy

Rotation = tuple[Tensor, Tensor]


def empty_cache(lab: LabModel, batch: int = 1) -> KVCache:
    """A cache without entries."""
    layers = []
    for index, layer in enumerate(lab.layers):
        heads, size = lab.config.num_key_value_heads, layer.self_attn.head_dim
        nothing = torch.zeros(batch, heads, 0, size, dtype=lab.dtype, device=lab.device)
        nowhere = torch.zeros(1, 1, 0, dtype=torch.long, device=lab.device)
        layers.append(LayerCache(index, nothing, nothing, nowhere, lab.windows[index]))
    return KVCache(layers)


def embed(lab: LabModel, ids: Tensor) -> Tensor:
    """(B, q) token ids to (B, q, width)."""
    return lab.model.model.embed_tokens(ids)


def rotations(lab: LabModel, hidden: Tensor, positions: Tensor) -> list[Rotation]:
    """For each layer (cos, sin), each (B or 1, q, D), at `positions` (B or 1, q)."""
    rotary, kinds = lab.model.model.rotary_emb, getattr(lab.config, "layer_types", None)
    if lab.config.model_type != "gemma3_text":
        return [rotary(hidden, positions)] * len(lab.layers)
    made = {kind: rotary(hidden, positions, kind) for kind in set(kinds)}
    return [made[kind] for kind in kinds]


def rotate(x: Tensor, rotation: Rotation, order: Tensor | None = None) -> Tensor:
    """Turn (B, H, q, D) to its positions; the two halves of the channels are the pairs.

    order: (heads, D), which channel of the model stands at each place of a head, where they were rearranged.
    """
    cos, sin = (part[:, None] for part in rotation)
    if order is not None:
        order = order.repeat_interleave(x.shape[1] // order.shape[0], 0)
        half = order.shape[-1] // 2
        partner = order.argsort(-1).gather(-1, (order + half) % (2 * half))
        cos, sin = (part[:, 0][..., order].transpose(1, 2) for part in (cos, sin))
        other = x.gather(-1, partner[None, :, None].expand_as(x))
        return x * cos + torch.where(order[:, None] < half, -other, other) * sin
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


def project(layer: Any, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The normed input (B, q, width), then queries, keys and values (B, heads, q, D), before rotation."""
    normed, queries, keys, values = project_raw(layer, hidden)
    attention = layer.self_attn
    if hasattr(attention, "q_norm"):
        queries, keys = attention.q_norm(queries), attention.k_norm(keys)
    return normed, queries.transpose(1, 2), keys.transpose(1, 2), values.transpose(1, 2)


def project_raw(layer: Any, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The same before the norms of queries and keys that some families have, and with heads last: (B, q, heads, D)."""
    attention = layer.self_attn
    normed = layer.input_layernorm(hidden)
    queries, keys, values = (
        part(normed).view(*normed.shape[:2], -1, attention.head_dim)
        for part in (attention.q_proj, attention.k_proj, attention.v_proj)
    )
    return normed, queries, keys, values


def normalise_keys(layer: Any, keys: Tensor) -> Tensor:
    """The norm of keys (..., D) of the families that have one."""
    return layer.self_attn.k_norm(keys) if hasattr(layer.self_attn, "k_norm") else keys


def uncached(
    lab: LabModel, ids: Tensor, given: Sequence[tuple[Tensor, Tensor]] = ()
) -> tuple[list[tuple[Tensor, Tensor]], Tensor]:
    """Whole sequences (B, T) without a cache, through which gradients flow.

    For each layer its own keys, before norm and rotation, and values, (B, H, T, D) each; and the last layer's output
    (B, T, width). given: keys and values of the same kind for each layer, which are attended to instead of its own.
    """
    made: list[tuple[Tensor, Tensor]] = []
    positions = torch.arange(ids.shape[1], device=ids.device)[None]
    hidden = embed(lab, ids)
    for index, (layer, turn) in enumerate(zip(lab.layers, rotations(lab, hidden, positions), strict=True)):
        normed, queries, *own = project_raw(layer, hidden)
        made.append((own[0].transpose(1, 2), own[1].transpose(1, 2)))
        if hasattr(layer.self_attn, "q_norm"):
            queries = layer.self_attn.q_norm(queries)
        keys, values = given[index] if given else made[-1]
        queries, keys = rotate(queries.transpose(1, 2), turn), rotate(normalise_keys(layer, keys), turn)
        seen = Attention(
            lab, index, normed, queries, keys, values, positions, positions[:, None], *turn, lab.windows[index]
        )
        mixed, attended = seen.output()
        hidden = finish(layer, hidden, mixed)
        lab.counts.attended += attended
        lab.counts.flops += 4 * queries.shape[3] * attended
    lab.counts.forward_passes += 1
    lab.counts.tokens_computed += ids.numel()
    lab.counts.flops += lab.flops_per_token * ids.numel()
    return made, hidden


def finish(layer: Any, hidden: Tensor, mixed: Tensor) -> Tensor:
    """From the heads' outputs (B, q, Q * D) to the layer's output: projection, residuals, feed-forward."""
    out = layer.self_attn.o_proj(mixed)
    if hasattr(layer, "pre_feedforward_layernorm"):  # Gemma norms what each part puts out, too
        hidden = hidden + layer.post_attention_layernorm(out)
        return hidden + layer.post_feedforward_layernorm(layer.mlp(layer.pre_feedforward_layernorm(hidden)))
    hidden = hidden + out
    return hidden + layer.mlp(layer.post_attention_layernorm(hidden))


def logits_of(lab: LabModel, hidden: Tensor) -> Tensor:
    """(B, q, width) of the last layer to (B, q, V)."""
    lab.counts.flops += 2 * hidden.shape[0] * hidden.shape[1] * hidden.shape[2] * lab.config.vocab_size
    logits = lab.model.lm_head(lab.model.model.norm(hidden))
    cap = getattr(lab.config, "final_logit_softcapping", None)
    return logits if cap is None else torch.tanh(logits / cap) * cap


@torch.no_grad()
def forward(
    lab: LabModel, cache: KVCache, ids: Tensor, policy: CachePolicy, *, prompt: bool, every: bool = False,
    rows: int = 1, positions: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Run new tokens (B, q) through the model; `cache` grows by them, as the policy wishes.

    prompt: this is the prompt (`pattern`, `after_prefill`), not a follow-up (`select`, `after_step`).
    every: logits (B, q, V) of all tokens, else of the last `rows`, (B, rows, V). positions: (B or 1, q) where they are not the
    next ones; ABSENT for padding. Raises InputError where no token is given.
    """
    batch, count = ids.shape
    if count == 0:
        raise InputError("a pass of the model needs at least one token.", "The prompt is empty.")
    if positions is None:
        positions = torch.arange(cache.seen, cache.seen + count, device=ids.device)[None]
    hidden = embed(lab, ids)
    turns = rotations(lab, hidden, policy.turns(cache, positions))
    size = lab.layers[0].self_attn.head_dim
    for layer, kept, turn in zip(lab.layers, cache.layers, turns, strict=True):
        normed, queries, keys, values = project(layer, hidden)
        order = lab.orders[kept.index] if lab.orders else None
        queries, keys, values = policy.enter(kept, rotate(queries, turn, order), rotate(keys, turn, order), values)
        policy.append(kept, keys, values, positions)
        held = policy.read(kept)
        seen = Attention(lab, kept.index, normed, queries, *held, positions, kept.positions, *turn, kept.window)
        if kept.window is None:
            seen.allowed = policy.pattern(kept, seen) if prompt else policy.select(kept, seen)
        mixed, attended = seen.output()
        hidden = finish(layer, hidden, mixed)
        if kept.window is None:
            (policy.after_prefill if prompt else policy.after_step)(kept, seen)
        elif kept.length >= kept.window:  # as the library does: what leaves the window is gone
            kept.keep(torch.arange(kept.length - kept.window + 1, kept.length, device=ids.device))
        lab.counts.attended += attended
        lab.counts.flops += 4 * size * attended
    cache.seen += count
    lab.counts.forward_passes += 1
    lab.counts.tokens_computed += batch * count
    lab.counts.flops += lab.flops_per_token * batch * count
    return logits_of(lab, hidden if every else hidden[:, -rows:])
