"""PyramidKV: as SnapKV, with more for the lower layers and less for the upper ones."""

from __future__ import annotations

from dataclasses import dataclass

from steelyard.contenders.caches.snapkv import SnapKV
from steelyard.core.contender import contender
from steelyard.lab.attention import Attention
from steelyard.lab.cache import LayerCache
from steelyard.lab.policy import entries


@contender("pyramidkv", interface="cache", source="arXiv:2406.02069, section 3.3")
@dataclass(frozen=True)
class PyramidKV(SnapKV):
    """Capacity falls linearly with the layer; its mean over layers is that of SnapKV.

    beta: how flat the top is: the last layer gets about a `beta`-th of the mean. The others: see SnapKV.
    """

    beta: int = 20

    def capacity(self, layer: LayerCache, attention: Attention) -> int:
        length, mean = layer.length, entries(self.keep, layer.length)
        window = max(1, min(self.window, mean // 2))
        spare = mean - window
        if length < 2 * spare:
            return mean
        least, most = spare // self.beta, 2 * spare - spare // self.beta
        if most >= length - window:
            most, least = length - window, 2 * spare - (length - window)
        steps = max(1, len(attention.lab.layers) - 1)
        return window + max(1, most - layer.index * ((most - least) // steps))
