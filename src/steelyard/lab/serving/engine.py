"""A real model behind the steps: prefill and decode tokens of many requests in one pass, over a paged cache."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from steelyard.core.errors import InputError
from steelyard.lab.forward_pass import embed, finish, logits_of, project, rotate, rotations
from steelyard.lab.opening import LabModel
from steelyard.lab.serving.attention import attend, parts_of
from steelyard.lab.serving.batching import Work
from steelyard.lab.serving.job import Limits
from steelyard.lab.serving.spans import Spans


class TorchMachine:
    """One model with a paged cache of limits.blocks blocks; greedy decoding.

    keys, values: one tensor a layer, (heads, slots, D). Raises InputError for a model whose layers see a window only.
    """

    def __init__(self, lab: LabModel, limits: Limits) -> None:
        if any(lab.windows):
            raise InputError(f"{lab.name} has layers with a sliding window.", "The paged engine serves full attention.")
        self.lab, self.limits = lab, limits
        attention = lab.layers[0].self_attn
        shape = (lab.config.num_key_value_heads, limits.blocks * limits.block, attention.head_dim)
        self.keys = [torch.zeros(shape, dtype=lab.dtype, device=lab.device) for _ in lab.layers]
        self.values = [torch.zeros_like(k) for k in self.keys]
        self._spans = Spans()

    @property
    def kv_bytes(self) -> int:
        """Keys and values of one token, in all layers."""
        heads, _, size = self.keys[0].shape
        return int(2 * len(self.keys) * heads * size * self.keys[0].element_size())

    @torch.no_grad()
    def step(self, works: Sequence[Work], *, shared: bool) -> list[int]:
        """See batching.Machine."""
        lab = self.lab
        ids = np.concatenate([w.run.tokens[w.start : w.stop] for w in works]).astype(np.int64)
        places = np.concatenate([np.arange(w.start, w.stop) for w in works])
        fresh = torch.from_numpy(np.concatenate([w.run.slots[w.start : w.stop] for w in works])).to(lab.device)
        width = 2 * self.keys[0].shape[0] * self.keys[0].shape[2]
        parts = parts_of(works, self._spans.of(works, shared=shared), width, lab.device)
        hidden = embed(lab, torch.from_numpy(ids)[None].to(lab.device))
        turns = rotations(lab, hidden, torch.from_numpy(places)[None].to(lab.device))
        for layer, kept_keys, kept_values, turn in zip(lab.layers, self.keys, self.values, turns, strict=True):
            _, queries, keys, values = project(layer, hidden)
            kept_keys[:, fresh] = rotate(keys, turn)[0]
            kept_values[:, fresh] = values[0]
            mixed = attend(rotate(queries, turn)[0], kept_keys, kept_values, parts, layer.self_attn.scaling)
            hidden = finish(layer, hidden, mixed[None])
        self._count(works)
        last = np.cumsum([w.stop - w.start for w in works]) - 1
        asked = [i for i, w in enumerate(works) if w.asks]
        following = [-1] * len(works)
        if asked:
            logits = logits_of(lab, hidden[:, torch.from_numpy(last[asked]).to(lab.device)])
            for i, token in zip(asked, logits[0].argmax(-1).tolist(), strict=True):
                following[i] = token
        return following

    def _count(self, works: Sequence[Work]) -> None:
        lab, counts = self.lab, self.lab.counts
        tokens = sum(w.stop - w.start for w in works)
        pairs = sum((w.start + w.stop + 1) * (w.stop - w.start) // 2 for w in works)
        attended = pairs * lab.config.num_attention_heads * len(lab.layers)
        counts.forward_passes += 1
        counts.tokens_computed += tokens
        counts.attended += attended
        counts.flops += lab.flops_per_token * tokens + 4 * lab.layers[0].self_attn.head_dim * attended
