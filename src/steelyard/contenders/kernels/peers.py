"""Softmax as people have it installed: PyTorch, NumPy, SciPy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from steelyard.core.contender import contender


@contender("torch", interface="kernel", source="https://pytorch.org/docs/stable/generated/torch.softmax.html")
@dataclass(frozen=True)
class Torch:
    """torch.softmax over the last axis, written into `out`.

    threads: intra-operation threads of PyTorch.
    """

    threads: int = 1

    def __call__(self, x: np.ndarray, out: np.ndarray) -> None:
        import torch

        if torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        torch.softmax(torch.from_numpy(x), -1, out=torch.from_numpy(out))


@contender("numpy", interface="kernel", source="https://numpy.org")
@dataclass(frozen=True)
class Numpy:
    """Maximum, subtract, exp, sum and divide, each a NumPy call in place on `out`: no temporary of N floats."""

    def __call__(self, x: np.ndarray, out: np.ndarray) -> None:
        if x.size == 0:
            return
        with np.errstate(invalid="ignore", over="ignore"):
            np.subtract(x, x.max(axis=-1, keepdims=True), out=out)
            np.exp(out, out=out)
            np.multiply(out, np.float32(1) / out.sum(axis=-1, keepdims=True), out=out)


@contender("scipy", interface="kernel", source="https://docs.scipy.org/doc/scipy/reference/special.html")
@dataclass(frozen=True)
class Scipy:
    """scipy.special.softmax, then a copy into `out` (it has no out argument)."""

    def __call__(self, x: np.ndarray, out: np.ndarray) -> None:
        from scipy.special import softmax

        if x.size == 0:
            return
        with np.errstate(invalid="ignore", over="ignore"):
            out[...] = softmax(x, axis=-1)
