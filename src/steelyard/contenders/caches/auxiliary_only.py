"""A smaller model alone: layers of the base or a member of its family, trained as long as whoever it is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from torch import Tensor

from steelyard.core.contender import contender
from steelyard.core.errors import InputError
from steelyard.lab import auxiliary as auxiliaries
from steelyard.lab import training as trainings
from steelyard.lab.auxiliary import BASE, auxiliary_of
from steelyard.lab.cache import KVCache
from steelyard.lab.forward_pass import uncached
from steelyard.lab.opening import LabModel
from steelyard.lab.policy import CachePolicy
from steelyard.lab.training import Fitted, Training, cross_entropy, train


@contender("auxiliary-only", interface="cache", source="arXiv:2410.08391, section 4 (baselines)")
@dataclass(frozen=True)
class AuxiliaryOnly(CachePolicy):
    """The smaller model reads the prompt and answers; the base is not asked.

    auxiliary: lp-25, lp-50, lp-75 (the base with that share of its layers: the pruned baseline), base, or the name of a
    smaller model. trained: on next tokens, with the batches that the others get; else it is taken as it is.
    """

    auxiliary: str = "lp-50"
    trained: bool = True

    identity: ClassVar[Mapping[str, Any]] = {"auxiliary": BASE}
    depends_on: ClassVar[tuple[Any, ...]] = (auxiliaries, trainings)

    def fit(self, lab: LabModel, training: Training) -> Fitted:
        """Raises InputError for another vocabulary."""
        small, _ = auxiliary_of(lab, self.auxiliary, training)
        if not (self.trained and training.steps) or self.auxiliary == BASE:
            return Fitted(small, CachePolicy())
        learnt = train(
            f"auxiliary-only[auxiliary={self.auxiliary}]", small.model,
            lambda batch: cross_entropy(small, uncached(small, batch.ids)[1], batch), training, AuxiliaryOnly, small.fingerprint,
        )  # fmt: skip
        return Fitted(replace(small), CachePolicy(), learnt)  # whose fingerprint is that of the trained weights

    def prefill(self, lab: LabModel, cache: KVCache, ids: Tensor, positions: Tensor) -> Tensor | None:
        if self.auxiliary != BASE:
            raise InputError("auxiliary-only is another model, not a cache of this one.", "Weigh it under the benchmark first-token, or open the smaller model itself.")  # fmt: skip
        return None
