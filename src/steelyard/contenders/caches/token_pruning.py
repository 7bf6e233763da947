"""Token pruning: the model reads some of the prompt's tokens only, chosen blindly or by what the last token attends to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from steelyard.core.contender import contender
from steelyard.core.errors import InputError
from steelyard.lab.attention import Attention
from steelyard.lab.cache import KVCache
from steelyard.lab.forward_pass import embed, finish, forward, logits_of, project, rotate, rotations
from steelyard.lab.opening import LabModel
from steelyard.lab.policy import CachePolicy, entries


@contender(
    "token-pruning",
    interface="cache",
    source="arXiv:2410.08391, section 4 (baselines); by=attention: arXiv:2407.14057 (LazyLLM), section 3",
)
@dataclass(frozen=True)
class TokenPruning(CachePolicy):
    """Tokens left out are never computed, in no layer, or not after the layer that chose; the others keep their positions.

    keep: tokens kept, as a share of the prompt up to 1, above that as a number. The last token always stays.
    by: random; first, or last; ends, half of them from either end; attention, of the last token to each, mean over heads,
    at the layer `at`, before which all are computed. seed: of random.
    """

    keep: float = 0.5
    by: Literal["random", "first", "last", "ends", "attention"] = "random"
    at: int = 1
    seed: int = 0

    identity: ClassVar[Mapping[str, Any]] = {"keep": 1.0}

    def prefill(self, lab: LabModel, cache: KVCache, ids: Tensor, positions: Tensor) -> Tensor | None:
        """Raises InputError for a layer that the model has not."""
        length = ids.shape[1]
        wanted = entries(self.keep, length)
        if wanted == length:
            return None
        if self.by == "attention":
            return self._by_attention(lab, cache, ids, wanted)
        chosen = self._blindly(length, wanted).to(ids.device)
        logits = forward(lab, cache, ids[:, chosen], CachePolicy(), prompt=True, positions=positions[:, chosen])
        cache.seen = length
        return logits

    def _blindly(self, length: int, wanted: int) -> Tensor:
        """Ascending places, the last one among them."""
        others, rest = torch.arange(length - 1), wanted - 1
        if self.by == "random":
            others = torch.randperm(length - 1, generator=torch.Generator().manual_seed(self.seed))[:rest].sort().values
        elif self.by == "ends":
            others = torch.cat([others[: rest - rest // 2], others[length - 1 - rest // 2 :]])
        else:
            others = others[:rest] if self.by == "first" else others[length - 1 - rest :]
        return torch.cat([others, torch.tensor([length - 1])])

    @torch.no_grad()
    def _by_attention(self, lab: LabModel, cache: KVCache, ids: Tensor, wanted: int) -> Tensor:
        if not 0 <= self.at < len(lab.layers):
            raise InputError(f"token-pruning: layer {self.at} of {len(lab.layers)} is to choose.", f"Give at=0 to {len(lab.layers) - 1}.")  # fmt: skip
        size = lab.layers[0].self_attn.head_dim
        rows = torch.arange(ids.shape[1], device=ids.device)
        hidden = embed(lab, ids)
        for layer, kept in zip(lab.layers, cache.layers, strict=True):
            turn = rotations(lab, hidden, rows[None])[kept.index]
            normed, queries, keys, values = project(layer, hidden)
            kept.add(rotate(keys, turn), values, rows[None])
            seen = Attention(lab, kept.index, normed, rotate(queries, turn), kept.keys, kept.values, rows[None], kept.positions, *turn, kept.window)  # fmt: skip
            mixed, attended = seen.output()
            hidden = finish(layer, hidden, mixed)
            lab.counts.attended += attended
            lab.counts.flops += 4 * size * attended + lab.flops_per_token // len(lab.layers) * len(rows)
            if kept.index == self.at:
                weight = seen.weights(last=1)[0, :, 0].mean(0)
                weight[-1] = float("inf")
                chosen = weight.topk(wanted).indices.sort().values
                rows, hidden = rows[chosen], hidden[:, chosen]
            if kept.window is not None and kept.length >= kept.window:
                kept.keep(torch.arange(kept.length - kept.window + 1, kept.length, device=ids.device))
        cache.seen = ids.shape[1]
        lab.counts.forward_passes += 1
        lab.counts.tokens_computed += len(rows)
        return logits_of(lab, hidden[:, -1:])
