"""Three-pass softmax, the common way: maximum, sum of exponentials, result. Two variants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from steelyard.contenders.kernels.native_softmax import NativeSoftmax
from steelyard.core.contender import contender


@contender("three-pass-recompute", interface="kernel", source="arXiv:2001.04438, algorithm 1")
@dataclass(frozen=True)
class ThreePassRecompute(NativeSoftmax):
    """max(x); sum of exp(x - max); y = exp(x - max) / sum, computing each exponential twice.

    Three reads and one write of N floats; the same polynomial and tuning as the two-pass kernel.
    """

    algorithm: ClassVar[str] = "three-pass-recompute"
    streams: ClassVar[tuple[int, int]] = (3, 1)
    pass_facts: ClassVar[tuple[tuple[str, int, int], ...]] = (("max", 1, 0), ("sum", 1, 0), ("write", 1, 1))


@contender("three-pass-reload", interface="kernel", source="arXiv:2001.04438, algorithm 2")
@dataclass(frozen=True)
class ThreePassReload(NativeSoftmax):
    """max(x); y = exp(x - max) and its sum; y rescaled in place, computing each exponential once.

    Three reads and two writes of N floats; the same polynomial and tuning as the two-pass kernel.
    """

    algorithm: ClassVar[str] = "three-pass-reload"
    streams: ClassVar[tuple[int, int]] = (3, 2)
    pass_facts: ClassVar[tuple[tuple[str, int, int], ...]] = (("max", 1, 0), ("store", 1, 1), ("multiply", 1, 1))
