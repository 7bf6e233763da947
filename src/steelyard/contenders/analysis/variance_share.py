"""How much of the accuracy's variance a factor explains in a layout of architectures, recipes and seeds."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar, Literal

from steelyard.core.contender import contender
from steelyard.stats import search_gain


@contender("variance-share", interface="analysis", source="Searle, Casella and McCulloch, Variance Components, 1992")
@dataclass(frozen=True)
class VarianceShare:
    """The factor's variance component over that of architecture and recipe together."""

    factor: Literal["architecture", "recipe"] = "recipe"

    depends_on: ClassVar[tuple[ModuleType, ...]] = (search_gain,)

    def __call__(self, scores: Any) -> float:
        """scores: (architectures, recipes, seeds)."""
        architecture, recipe = search_gain.variance_shares(scores)
        total = architecture + recipe
        return (recipe if self.factor == "recipe" else architecture) / total if total > 0 else 0.5
