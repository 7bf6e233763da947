"""The full cache: every key and value of every token, as they are. What the others are measured against."""

from __future__ import annotations

from dataclasses import dataclass

from steelyard.core.contender import contender
from steelyard.lab.policy import CachePolicy


@contender("full", interface="cache", source="Vaswani et al. 2017, section 3.2")
@dataclass(frozen=True)
class Full(CachePolicy):
    """Nothing is changed."""
