"""Prompt compression: leave out the tokens of the context that the model itself could have guessed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from steelyard.core.contender import contender
from steelyard.lab.cache import KVCache
from steelyard.lab.forward_pass import empty_cache, forward
from steelyard.lab.opening import LabModel
from steelyard.lab.policy import CachePolicy, entries


@contender("prompt-compression", interface="cache", source="arXiv:2310.06201 (Selective Context), section 3")
@dataclass(frozen=True)
class PromptCompression(CachePolicy):
    """Read the prompt once, keep its tokens of highest self-information, -log p(token | what precedes it), read those.

    keep: tokens kept, as a share of the prompt up to 1, above that as a number. The first token and the question at the
    end stay. The shortened prompt is an ordinary prompt: its tokens are numbered anew, and its cache is full.
    """

    keep: float = 0.33

    identity: ClassVar[Mapping[str, Any]] = {"keep": 1.0}

    def prefill(self, lab: LabModel, cache: KVCache, ids: Tensor, positions: Tensor) -> Tensor | None:
        length, question = ids.shape[1], int(cache.state.get("question", 0))
        wanted = entries(self.keep, length)
        if wanted >= length:
            return None
        logits = forward(lab, empty_cache(lab), ids, CachePolicy(), prompt=True, every=True)[0, :-1].float()
        surprise = -logits.log_softmax(-1).gather(-1, ids[0, 1:, None])[:, 0]
        surprise = torch.cat([surprise.new_tensor([float("inf")]), surprise])
        if question:
            surprise[-question:] = float("inf")
        chosen = surprise.topk(max(wanted, question + 1)).indices.sort().values
        return forward(lab, cache, ids[:, chosen], CachePolicy(), prompt=True)
