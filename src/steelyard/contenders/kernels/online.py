"""Online softmax: the maximum and the sum in one pass, the sum rescaled whenever the maximum grows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from steelyard.contenders.kernels.native_softmax import NativeSoftmax
from steelyard.core.contender import contender


@contender("online", interface="kernel", source="arXiv:1805.02867, algorithm 3")
@dataclass(frozen=True)
class Online(NativeSoftmax):
    """For each block that fits the first cache: its maximum, one rescale of the running sum, then the block's sum.

    The block is read twice, but only once from memory: two reads and one write of N floats.
    """

    algorithm: ClassVar[str] = "online"
    streams: ClassVar[tuple[int, int]] = (2, 1)
    pass_facts: ClassVar[tuple[tuple[str, int, int], ...]] = (("online", 1, 0), ("write", 1, 1))
