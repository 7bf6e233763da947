"""One step of training or of inference, in parts that can be told apart: forward, loss, backward, optimiser."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from steelyard.lab.runtime.work import IGNORED, Work

Mark = Callable[[str], None]  # is told which part of a step begins


def unmarked(part: str) -> None:
    """A step that nobody takes apart."""


@dataclass
class Training:
    """Forward, backward and update over the rows of this process.

    optimiser: step(), zero_grad(), and `state` (parameter -> name -> tensor). ids, labels: (rows, tokens).
    accumulate: micro-batches of a step. ranks: processes that share the batch; gradients are averaged over them.
    around: entered around each forward pass (autocast). average: called after the backward passes, where processes hold
    copies and nothing else averages their gradients.
    """

    model: Any
    optimiser: Any
    ids: Tensor
    labels: Tensor
    accumulate: int = 1
    ranks: int = 1
    around: Callable[[], AbstractContextManager[Any]] = nullcontext
    average: Callable[[], None] | None = None
    counted: Tensor = field(init=False)

    @property
    def device(self) -> torch.device:
        return self.ids.device

    def __post_init__(self) -> None:
        self.counted = (self.labels != IGNORED).sum()
        if self.ranks > 1:
            torch.distributed.all_reduce(self.counted)

    def step(self, mark: Mark = unmarked) -> float:
        """One update; the loss before it, the mean over all labelled tokens of all processes."""
        total = torch.zeros((), device=self.ids.device)
        self.model.train()
        for ids, labels in zip(self.ids.chunk(self.accumulate), self.labels.chunk(self.accumulate), strict=True):
            with self.around():
                mark("forward")
                logits = self.model(input_ids=ids, use_cache=False).logits
                mark("loss")
                lost = F.cross_entropy(logits.float().flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="sum")  # fmt: skip
                lost = lost * (self.ranks / self.counted)
            mark("backward")
            lost.backward()
            total += lost.detach() / self.ranks
        if self.average is not None:
            self.average()
        mark("optimiser")
        self.optimiser.step()
        self.optimiser.zero_grad()
        mark("")
        if self.ranks > 1:
            torch.distributed.all_reduce(total)
        return float(total)


@dataclass
class Inference:
    """A prompt, or tokens after one. ids: (rows, tokens). new: tokens to generate, 0 for the prompt alone."""

    model: Any
    ids: Tensor
    new: int = 0
    around: Callable[[], AbstractContextManager[Any]] = nullcontext
    said: Tensor | None = None
    _cache: Any = None
    _first: Tensor | None = None

    @property
    def device(self) -> torch.device:
        return self.ids.device

    @torch.no_grad()
    def step(self, mark: Mark = unmarked) -> float:
        """One pass over the prompt, or `new` passes after it; NaN, for there is no loss. `said`: what was generated."""
        self.model.eval()
        with self.around():
            if self.new:
                self._decode(mark)
            else:
                mark("forward")
                logits = self.model(input_ids=self.ids, use_cache=True, logits_to_keep=1).logits
                self.said = logits[:, -1].argmax(-1, keepdim=True)
        mark("")
        return float("nan")

    def _decode(self, mark: Mark) -> None:
        if self._cache is None:
            first = self.model(input_ids=self.ids, use_cache=True, logits_to_keep=1)
            self._cache, self._first = first.past_key_values, first.logits[:, -1].argmax(-1, keepdim=True)
        mark("forward")
        token, said = self._first, []
        for _ in range(self.new):
            logits = self.model(input_ids=token, past_key_values=self._cache, use_cache=True).logits
            token = logits[:, -1].argmax(-1, keepdim=True)
            said.append(token)
        self.said = torch.cat(said, dim=1)
        mark("")
        self._cache.crop(self.ids.shape[1])


def rows_of(work: Work, vocabulary: int, rank: int = 0, ranks: int = 1) -> tuple[Tensor, Tensor]:
    """(rows, tokens) ids and labels of this process's share of the batch."""
    ids, labels = work.batch_of(vocabulary)
    return ids.chunk(ranks)[rank], labels.chunk(ranks)[rank]
