"""Comfort and strange domains by domain-specific improvement."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar

from steelyard.core.contender import contender
from steelyard.stats import domain_improvement
from steelyard.stats.domain_improvement import THRESHOLD, labels


@contender("dsi", interface="analysis", source="arXiv:2410.22821 (formula and threshold from memory)")
@dataclass(frozen=True)
class DomainSpecificImprovement:
    """Label a domain where a model's score differs from the mean of the others' by more than a share.

    threshold: that share. interval: label only where the whole 95 % interval of the model's score is beyond it.
    """

    threshold: float = THRESHOLD
    interval: bool = False

    depends_on: ClassVar[tuple[ModuleType, ...]] = (domain_improvement,)

    def __call__(self, data: Any) -> Any:
        """(passes (models, samples), domain of each sample) -> 1, -1 or 0 for each model and domain."""
        passes, domains = data
        return labels(passes, domains, self.threshold, self.interval)
