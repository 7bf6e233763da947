"""KV Prediction: a small model reads the prompt, linear maps turn its cache into the big model's, which answers alone."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from steelyard.contenders.caches import predictor as prediction
from steelyard.contenders.caches.predictor import Loss, Predictor, least_squares
from steelyard.core.contender import config_of, contender
from steelyard.core.errors import InputError
from steelyard.lab import auxiliary as auxiliaries
from steelyard.lab import training as trainings
from steelyard.lab.auxiliary import BASE, auxiliary_of, check_map
from steelyard.lab.cache import KVCache
from steelyard.lab.forward_pass import forward, normalise_keys, rotate, rotations, uncached
from steelyard.lab.opening import LabModel
from steelyard.lab.policy import CachePolicy
from steelyard.lab.training import Fitted, Training, train

WARM_SHARE = 4  # of the batches, that a start by least squares takes


@contender(
    "kv-prediction", interface="cache", source="arXiv:2410.08391, section 3; projects/kv-prediction of apple/corenet"
)
@dataclass(frozen=True)
class KVPrediction(CachePolicy):
    """All of the prompt but its last token is read by the auxiliary model only; the base begins with the last token.

    auxiliary: lp-25, lp-50, lp-75 (that share of the base's own layers), base, or the name of a smaller model.
    layer_map: for each layer of the base the auxiliary's that feeds it, as "0 0 1 1"; "" for the published rule.
    recipe: three-part-loss (published), auxiliary and maps trained through the frozen base; or least-squares (ours), the
    closed-form regression between the two models as they are. start: of the maps, default (published) or least-squares,
    which takes a quarter of the batches. base_loss, auxiliary_loss, kv_loss: weights of the three parts.
    maps: linear, or identity, which is not trained. weights: a file that `fit` has kept, to be used without training.
    """

    auxiliary: str = "lp-50"
    layer_map: str = ""
    recipe: Literal["three-part-loss", "least-squares"] = "three-part-loss"
    start: Literal["default", "least-squares"] = "default"
    maps: Literal["linear", "identity"] = "linear"
    base_loss: float = 1.0
    auxiliary_loss: float = 1.0
    kv_loss: float = 1.0
    weights: str = ""

    identity: ClassVar[Mapping[str, Any]] = {"auxiliary": BASE, "maps": "identity"}

    @property
    def depends_on(self) -> tuple[Any, ...]:
        return (prediction, auxiliaries, trainings, *([Path(self.weights)] if Path(self.weights).is_file() else []))

    def fit(self, lab: LabModel, training: Training) -> Fitted:
        """Auxiliary and maps, learnt. Raises InputError for another vocabulary or a map that does not fit."""
        auxiliary, maps = self._parts(lab, training)
        parts = nn.ModuleDict({"auxiliary": auxiliary.model, "maps": maps})
        learnt = None
        if self.maps == "linear" and not self.weights and training.steps:
            loss = Loss(self.base_loss, self.auxiliary_loss, self.kv_loss)
            first = 0 if self.start == "default" else max(1, training.steps // WARM_SHARE)
            first = training.steps if self.recipe == "least-squares" else first
            learnt = train(
                f"kv-prediction[auxiliary={self.auxiliary}]", parts, lambda batch: loss(lab, auxiliary, maps, batch), training,
                KVPrediction, *self.depends_on, lab.fingerprint, auxiliary.fingerprint, repr(config_of(self)), first=first,
                start=lambda: least_squares(lab, auxiliary, maps, training, range(first)),
            )  # fmt: skip
        return Fitted(lab, Predicted(replace(auxiliary), maps), learnt, [*parts.values()])

    def prefill(self, lab: LabModel, cache: KVCache, ids: Tensor, positions: Tensor) -> Tensor | None:
        """The same where nothing can be learnt: with weights of before, or with maps that need none."""
        return _ready(self, lab.model).prefill(lab, cache, ids, positions)

    def _parts(self, lab: LabModel, training: Training | None) -> tuple[LabModel, Predictor]:
        auxiliary, layers = auxiliary_of(lab, self.auxiliary, training)
        if self.layer_map:
            try:
                given = [int(entry) for entry in self.layer_map.split()]
            except ValueError as error:
                raise InputError(f"layer_map is {self.layer_map!r}.", 'Write numbers: "0 0 1 1".') from error
            layers = check_map(given, len(lab.layers), len(auxiliary.layers))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(training.seed if training else 0)
            maps = Predictor(lab, auxiliary, layers)
        if self.maps == "identity":
            maps.be_identity()
        elif self.weights:
            try:
                saved = torch.load(self.weights, map_location="cpu", weights_only=True)["parts"]
                nn.ModuleDict({"auxiliary": auxiliary.model, "maps": maps}).load_state_dict(saved)
            except (OSError, RuntimeError, KeyError, UnpicklingError) as error:
                raise InputError(f"{self.weights} does not fit auxiliary={self.auxiliary}: {error}.", "Name the file that was kept, and the options it was trained with.") from error  # fmt: skip
        elif training is None:
            raise InputError("kv-prediction has learnt nothing for this model.", "Run it under the benchmark first-token, and give the file that it keeps: weights=FILE.")  # fmt: skip
        return auxiliary, maps.requires_grad_(False)


@dataclass(frozen=True)
class Predicted(CachePolicy):
    """The method with what it has learnt. auxiliary: the model that reads the prompt. maps: from its cache to the base's."""

    auxiliary: LabModel
    maps: Predictor

    def prefill(self, lab: LabModel, cache: KVCache, ids: Tensor, positions: Tensor) -> Tensor | None:
        """The base sees the last token only; a prompt of one token is the base's alone."""
        count = ids.shape[1]
        if count > self.auxiliary.context:
            raise InputError(f"the prompt has {count} tokens; {self.auxiliary.name} was made for {self.auxiliary.context}.", "Give a shorter one.")  # fmt: skip
        if count == 1:
            return None
        self.auxiliary.counts = lab.counts
        pairs, _ = uncached(self.auxiliary, ids[:, :-1])
        before = positions[:, :-1]
        turns = rotations(lab, pairs[0][0], before)
        for layer, kept, turn, (keys, values) in zip(lab.layers, cache.layers, turns, self.maps(pairs), strict=True):
            kept.add(rotate(normalise_keys(layer, keys), turn), values, before)
        lab.counts.flops += self.maps.flops(ids.shape[0] * (count - 1))
        cache.seen += count - 1
        return forward(lab, cache, ids[:, -1:], self, prompt=True)


@functools.lru_cache(maxsize=2)
def _ready(policy: KVPrediction, model: nn.Module) -> Predicted:
    return Predicted(*policy._parts(LabModel("the base", model), None))
