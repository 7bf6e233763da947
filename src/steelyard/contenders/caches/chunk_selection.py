"""Which tokens of reused chunks to recompute: the published choice, ours, and those that they must beat."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from steelyard.lab.attention import Attention

BY_DEVIATION = ("hkvd", "attended")  # weighed again at every layer; the others keep their first order


def deviation(stored: Tensor, fresh: Tensor) -> Tensor:
    """(n,): sum over heads and channels of the squared difference of values, (H, n, D) each."""
    return (stored.float() - fresh.float()).square().sum(dim=(0, 2))


def weights(
    select: str, context: int, chunks: Sequence[int], attention: Attention, seed: int, oracle: Callable[[], Tensor]
) -> Tensor:
    """(context,) by which the context's tokens are chosen; of BY_DEVIATION what the deviation is multiplied by.

    chunks: lengths, from the beginning. attention: of the check layer, all tokens. oracle: the error left at the end.
    """
    device = attention.queries.device
    if select == "random":
        return torch.rand(context, generator=torch.Generator().manual_seed(seed)).to(device)
    if select == "oracle":
        return oracle()[:context]
    if select == "chunk-heads":
        return -torch.cat([torch.arange(n, device=device) for n in chunks]).float()[:context]
    if select == "attended":
        asked = attention.queries.shape[2] - context
        looked = asked * attention.queries.shape[1] * attention.keys.shape[2]
        attention.lab.counts.attended += looked
        attention.lab.counts.flops += 2 * attention.queries.shape[3] * looked
        return attention.weights(last=asked).sum(dim=(0, 1, 2)).sqrt()[:context]
    return torch.ones(context, device=device)
