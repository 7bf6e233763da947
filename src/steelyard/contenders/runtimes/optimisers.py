"""AdamW whose moments rest between steps where the user wants them: on the host, in a file, or in 8 bits."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

BLOCK = 256  # numbers that share a scale in 8 bits


class Store(Protocol):
    """Keeps two moments of each parameter. device: where they are worked on."""

    device: torch.device

    def load(self, index: int) -> tuple[Tensor, Tensor]:
        """First and second moment (n,) of one parameter, fp32."""
        ...

    def save(self, index: int, first: Tensor, second: Tensor) -> None: ...

    def rest(self) -> None:
        """A step has ended."""
        ...

    def tensors(self, index: int) -> dict[str, Tensor]:
        """What it holds in memory of one parameter."""
        ...


class HostStore:
    """In the memory of the host (ZeRO-Offload, arXiv:2101.06840): gradients go there, updates come back."""

    device = torch.device("cpu")

    def __init__(self, sizes: Sequence[int]) -> None:
        self.moments = [(torch.zeros(n), torch.zeros(n)) for n in sizes]

    def load(self, index: int) -> tuple[Tensor, Tensor]:
        return self.moments[index]

    def save(self, index: int, first: Tensor, second: Tensor) -> None:
        """They were changed in place."""

    def rest(self) -> None:
        """Nothing to do."""

    def tensors(self, index: int) -> dict[str, Tensor]:
        return dict(zip(("first", "second"), self.moments[index], strict=True))


class DiskStore(HostStore):
    """In one memory-mapped file of the folder for temporary files, which has no name and goes with the process.

    cold: after each step everything is written and dropped from the page cache, so that the next one reads the disk.
    """

    def __init__(self, sizes: Sequence[int], cold: bool) -> None:
        self.cold = cold
        self.file = tempfile.TemporaryFile(prefix="steelyard-moments-")
        self.file.truncate(8 * sum(sizes))
        self.map = mmap.mmap(self.file.fileno(), 8 * sum(sizes))
        whole, self.moments, at = torch.frombuffer(self.map, dtype=torch.float32), [], 0
        for n in sizes:
            self.moments.append((whole[at : at + n], whole[at + n : at + 2 * n]))
            at += 2 * n

    def rest(self) -> None:
        if self.cold:
            self.map.flush()
            self.map.madvise(mmap.MADV_DONTNEED)
            os.posix_fadvise(self.file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def tensors(self, index: int) -> dict[str, Tensor]:
        return {}


class EightBitStore:
    """In 8 bits with a scale for each block: the first moment linearly, the second by its square root, rounded up, so
    that none becomes 0 (after arXiv:2110.02861, with levels of our own)."""

    def __init__(self, sizes: Sequence[int], device: torch.device) -> None:
        self.device, self.sizes = device, sizes
        blocks = [-(-n // BLOCK) for n in sizes]
        self.first = [(torch.zeros(b, BLOCK, dtype=torch.int8, device=device), torch.zeros(b, 1, device=device)) for b in blocks]  # fmt: skip
        self.second = [(torch.zeros(b, BLOCK, dtype=torch.uint8, device=device), torch.zeros(b, 1, device=device)) for b in blocks]  # fmt: skip

    def load(self, index: int) -> tuple[Tensor, Tensor]:
        (a, scale_a), (b, scale_b), n = self.first[index], self.second[index], self.sizes[index]
        return (a * scale_a).flatten()[:n], (b * scale_b).square().flatten()[:n]

    def save(self, index: int, first: Tensor, second: Tensor) -> None:
        for moment, limit, (codes, scales) in (
            (first, 127, self.first[index]),
            (second.sqrt(), 255, self.second[index]),
        ):
            blocks = torch.nn.functional.pad(moment, (0, codes.numel() - moment.numel())).view(-1, BLOCK)
            scales.copy_(blocks.abs().amax(dim=1, keepdim=True) / limit)
            levels = blocks / scales.clamp_min(torch.finfo(torch.float32).tiny)
            codes.copy_((levels.round() if limit == 127 else levels.ceil()).clamp(-limit, limit))

    def rest(self) -> None:
        """Nothing to do."""

    def tensors(self, index: int) -> dict[str, Tensor]:
        pairs = (*self.first[index], *self.second[index])
        return dict(zip(("first", "first_scale", "second", "second_scale"), pairs, strict=True))


class StoredAdamW:
    """AdamW (arXiv:1711.05101, algorithm 2, with bias correction) over a store of moments."""

    def __init__(
        self, parameters: Iterable[Tensor], store: Store, lr: float, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0.01,
    ) -> None:  # fmt: skip
        self.parameters, self.store = [*parameters], store
        self.lr, self.betas, self.eps, self.weight_decay, self.steps = lr, betas, eps, weight_decay, 0

    @property
    def state(self) -> dict[Any, dict[str, Tensor]]:
        """As an optimiser of the library has it: what is held in memory."""
        return {p: self.store.tensors(i) for i, p in enumerate(self.parameters)}

    @torch.no_grad()
    def step(self) -> None:
        self.steps += 1
        beta1, beta2 = self.betas
        for index, p in enumerate(self.parameters):
            if p.grad is None:
                continue
            g = p.grad.to(self.store.device, torch.float32).flatten()
            m, v = self.store.load(index)
            m.mul_(beta1).add_(g, alpha=1 - beta1)
            v.mul_(beta2).addcmul_(g, g, value=1 - beta2)
            change = (m / (1 - beta1**self.steps)) / ((v / (1 - beta2**self.steps)).sqrt_() + self.eps)
            p.mul_(1 - self.lr * self.weight_decay)
            p.add_(change.view(p.shape).to(p.device, p.dtype), alpha=-self.lr)
            self.store.save(index, m, v)
        self.store.rest()

    def zero_grad(self) -> None:
        for p in self.parameters:
            p.grad = None
