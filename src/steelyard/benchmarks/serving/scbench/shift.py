"""Do the cached tokens that matter stay the same while a long answer is generated? (SCBench: attention shift)"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from steelyard.lab import Attention, CachePolicy, LabModel, LayerCache, Session

TOP = 0.1


@dataclass(frozen=True)
class _Watch(CachePolicy):
    """The full cache, which notes which context keys the newest query of each layer attends to most."""

    context: int = 0
    seen: dict[int, Tensor] = field(default_factory=dict, compare=False)

    def after_prefill(self, layer: LayerCache, attention: Attention) -> None:
        weights = attention.weights(last=1)[0, :, 0, : self.context].sum(0)
        self.seen[layer.index] = weights.topk(max(1, int(TOP * self.context))).indices

    def after_step(self, layer: LayerCache, attention: Attention) -> None:
        self.after_prefill(layer, attention)


def top_key_overlap(lab: LabModel, ids: list[int], context: int, generated: int) -> float:
    """Share of the top tenth of the first `context` keys, by attention summed over heads, at the end of the prompt that
    are still in it after `generated` greedy tokens; mean over layers. 1 for none."""
    watch = _Watch(context)
    session = Session(lab, watch)
    session.prefill(ids)
    before = dict(watch.seen)
    if generated:
        session.generate(generated + 1)  # the last token is not fed
    same = [torch.isin(watch.seen[i], before[i]).float().mean() for i in before]
    return float(torch.stack(same).mean())
