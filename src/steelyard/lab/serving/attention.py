"""Attention of one step over the paged cache: what several requests share is read once for all of them, parts are merged.

Every request sees its own tokens and those before them, nothing else; results equal those of one request alone up to
rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from steelyard.lab.serving.batching import Work
from steelyard.lab.serving.spans import Span

SMALL = 1 << 15  # numbers of keys and values below which single decodes are looked at together, padded to the longest


@dataclass(frozen=True)
class Part:
    """Queries against some keys. rows: (r,) of the step's tokens, or a slice. slots: (n,) or a slice; (r, n) where every
    row has keys of its own. hidden: True where a row must not look, (r, n), None for nowhere.
    """

    rows: Tensor | slice
    slots: Tensor | slice
    hidden: Tensor | None


def parts_of(works: Sequence[Work], spans: Sequence[Span], width: int, device: torch.device) -> list[Part]:
    """How a step is looked at. width: keys and values of one token in one layer (numbers)."""
    first = np.cumsum([0, *(w.stop - w.start for w in works)])
    parts, small = [], []
    for span in spans:
        end = span.start + len(span.slots)
        # a member that computes this very stretch only asks with its tokens from here on
        rows = [np.arange(first[m] + max(0, span.start - works[m].start), first[m + 1]) for m in span.members]
        flat = np.concatenate(rows)
        if len(flat) == 1 and len(span.slots) * width < SMALL:
            small.append((int(flat[0]), span.slots))
            continue
        at = np.concatenate([np.arange(max(works[m].start, span.start), works[m].stop) for m in span.members])
        hidden = None
        if at.min() < end - 1:
            hidden = torch.from_numpy(np.arange(span.start, end)[None] > at[:, None]).to(device)
        parts.append(Part(_compact(flat, device), _compact(span.slots, device), hidden))
    return parts + _padded(small, device)


def _padded(small: list[tuple[int, np.ndarray]], device: torch.device) -> list[Part]:
    """Single rows with keys of their own, put together while the longest has at most twice as many as the shortest."""
    small.sort(key=lambda pair: len(pair[1]))
    parts = []
    while small:
        limit = 2 * len(small[0][1])
        count = next((i for i, (_, s) in enumerate(small) if len(s) > limit), len(small))
        batch, small = small[:count], small[count:]
        lengths = np.array([len(s) for _, s in batch])
        slots = np.zeros((count, lengths[-1]), np.int64)
        for line, (_, own) in zip(slots, batch, strict=True):
            line[: len(own)] = own
        hidden = None
        if lengths[0] < lengths[-1]:
            hidden = torch.from_numpy(np.arange(lengths[-1])[None] >= lengths[:, None]).to(device)
        parts.append(
            Part(_compact(np.array([r for r, _ in batch]), device), torch.from_numpy(slots).to(device), hidden)
        )
    return parts


def _compact(index: np.ndarray, device: torch.device) -> Tensor | slice:
    """A slice where the numbers follow each other, which copies nothing."""
    if len(index) and index[-1] - index[0] == len(index) - 1 and (np.diff(index) == 1).all():
        return slice(int(index[0]), int(index[-1]) + 1)
    return torch.from_numpy(np.ascontiguousarray(index)).to(device)


def attend(queries: Tensor, keys: Tensor, values: Tensor, parts: Sequence[Part], scale: float) -> Tensor:
    """(Q, T, D) queries of a step against the paged keys and values (H, slots, D) of a layer, to (T, Q * D).

    Parts are merged by their log-sum-exp: o = (exp(l1 - l) o1 + exp(l2 - l) o2), l = log(exp l1 + exp l2), in fp32.
    """
    heads, count, size = queries.shape
    shared = keys.shape[0]
    grouped = queries.view(shared, heads // shared, count, size)
    mixed = torch.zeros_like(grouped, dtype=torch.float32)
    total = torch.full((*grouped.shape[:3], 1), float("-inf"), device=queries.device)
    for part in parts:
        look = _each_its_own if isinstance(part.slots, Tensor) and part.slots.dim() == 2 else _all_alike
        out, weight = look(grouped[:, :, part.rows], keys[:, part.slots], values[:, part.slots], part.hidden, scale)
        before = total[:, :, part.rows]
        both = torch.logaddexp(before, weight)
        mixed[:, :, part.rows] = mixed[:, :, part.rows] * (before - both).exp() + out * (weight - both).exp()
        total[:, :, part.rows] = both
    return mixed.permute(2, 0, 1, 3).reshape(count, heads * size).to(queries.dtype)


def _all_alike(q: Tensor, k: Tensor, v: Tensor, hidden: Tensor | None, scale: float) -> tuple[Tensor, Tensor]:
    """(H, g, r, D) queries that all look at the same keys (H, n, D): one product for all rows and heads of a group.

    Returns the output (H, g, r, D) and the log-sum-exp (H, g, r, 1) of the scores.
    """
    shared, group, rows, size = q.shape
    scores = (q.reshape(shared, group * rows, size) @ k.transpose(1, 2)).view(shared, group, rows, -1).float() * scale
    if hidden is not None:
        scores.masked_fill_(hidden, float("-inf"))
    weight = scores.logsumexp(-1, keepdim=True)
    share = (scores - weight).exp_().to(v.dtype)
    return (share.view(shared, group * rows, -1) @ v).view(shared, group, rows, size), weight


def _each_its_own(q: Tensor, k: Tensor, v: Tensor, hidden: Tensor | None, scale: float) -> tuple[Tensor, Tensor]:
    """The same where each row has keys of its own, (H, r, n, D)."""
    scores = (q.transpose(1, 2) @ k.transpose(2, 3)).float() * scale  # (H, r, g, n)
    if hidden is not None:
        scores.masked_fill_(hidden[:, None], float("-inf"))
    weight = scores.logsumexp(-1, keepdim=True)
    out = (scores - weight).exp_().to(v.dtype) @ v
    return out.transpose(1, 2), weight.transpose(1, 2)
