"""Two-pass softmax: an extended sum, then a write; no maximum is needed first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from steelyard.contenders.kernels.native_softmax import NativeSoftmax
from steelyard.core.contender import contender


@contender("two-pass", interface="kernel", source="arXiv:2001.04438, section 4")
@dataclass(frozen=True)
class TwoPass(NativeSoftmax):
    """Keep each exponential as (mantissa, exponent), exp(x) = m * 2^n with n a float, so that nothing overflows.

    Pass 1 adds the pairs: e' = max(e, n), v' = v * 2^(e - e') + m * 2^(n - e'), giving (M, E) with one read of x.
    Pass 2 writes y = m * (1 / M) * 2^(n - E), with one more read and one write: three streams of N floats.
    """

    algorithm: ClassVar[str] = "two-pass"
    streams: ClassVar[tuple[int, int]] = (2, 1)
    pass_facts: ClassVar[tuple[tuple[str, int, int], ...]] = (("extended_sum", 1, 0), ("extended_write", 1, 1))
