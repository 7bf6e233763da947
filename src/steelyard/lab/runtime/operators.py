"""Single operators of a model, replayed over its exact shapes: what they compute and move, and nothing around them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional as F

from steelyard.core.errors import InputError
from steelyard.lab.runtime.work import SHAPES, Work

COLLECTIVES = ("all-reduce", "all-gather", "broadcast")


@dataclass
class Operator:
    """step() runs it once. flops: of one run. bytes: that it must read and write at least (of a collective operation: of
    the message)."""

    run: Callable[[], Any]
    flops: int
    bytes: int
    device: torch.device

    @torch.no_grad()
    def step(self) -> float:
        self.run()
        return float("nan")


def operator(work: Work, dtype: torch.dtype, device: torch.device) -> Operator:
    """The operator `work.operator` of a model in SHAPES over batch x tokens rows; a collective sends `tokens` KiB.

    Raises InputError for a name or a model that is not known.
    """
    if work.model not in SHAPES:
        raise InputError(
            f"the shapes of {work.model!r} are not known.", f"Operators are replayed for {', '.join(SHAPES)}."
        )
    _, width, feed, heads, kv_heads, vocabulary = SHAPES[work.model]
    rows, size = work.batch * work.tokens, width // heads
    make = lambda *shape: torch.randn(*shape, device=device).to(dtype)  # noqa: E731
    products = {
        "qkv": (width, (heads + 2 * kv_heads) * size), "o": (heads * size, width), "gate-up": (width, 2 * feed),
        "down": (feed, width), "head": (width, vocabulary),
    }  # fmt: skip
    item = torch.finfo(dtype).bits // 8
    if work.operator in products:
        inner, outer = products[work.operator]
        a, b = make(rows, inner), make(outer, inner)
        return Operator(lambda: F.linear(a, b), 2 * rows * inner * outer, item * (rows * inner + inner * outer + rows * outer), device)  # fmt: skip
    if work.operator in COLLECTIVES:
        return _collective(work, device)
    x = make(work.batch, heads, work.tokens, work.tokens if work.operator == "softmax" else size)
    moved = 2 * x.nbytes
    if work.operator == "softmax":
        return Operator(lambda: x.softmax(-1), 0, moved, device)
    if work.operator == "rope":
        cos, sin = make(work.tokens, size), make(work.tokens, size)
        return Operator(
            lambda: x * cos + torch.cat([-x[..., size // 2 :], x[..., : size // 2]], -1) * sin, 0, moved, device
        )
    hidden, weight = make(rows, width), make(width)
    if work.operator == "rmsnorm":
        run = lambda: hidden * torch.rsqrt(hidden.square().mean(-1, keepdim=True) + 1e-5) * weight  # noqa: E731
        return Operator(run, 0, 2 * hidden.nbytes, device)
    if work.operator == "embedding":
        table, ids = make(vocabulary, width), torch.randint(0, vocabulary, (rows,), device=device)
        return Operator(lambda: F.embedding(ids, table), 0, 2 * hidden.nbytes, device)
    if work.operator == "copy":
        there = torch.empty_like(hidden, device="cpu") if device.type == "cuda" else torch.empty_like(hidden)
        return Operator(lambda: there.copy_(hidden), 0, 2 * hidden.nbytes, device)
    raise InputError(f"there is no operator {work.operator!r}.", f"Known: {', '.join([*products, *COLLECTIVES])}, softmax, rope, rmsnorm, embedding, copy.")  # fmt: skip


def _collective(work: Work, device: torch.device) -> Operator:
    from torch import distributed

    x = torch.zeros(work.tokens << 8, device=device)  # KiB of fp32
    gathered = torch.zeros(distributed.get_world_size() * len(x), device=device)
    runs = {
        "all-reduce": lambda: distributed.all_reduce(x), "broadcast": lambda: distributed.broadcast(x, 0),
        "all-gather": lambda: distributed.all_gather_into_tensor(gathered, x),
    }  # fmt: skip
    return Operator(runs[work.operator], 0, x.nbytes, device)
