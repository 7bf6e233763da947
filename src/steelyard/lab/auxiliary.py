"""Smaller models beside a base model: some of its own layers, a member of its family; and which layer stands for which."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import nn

from steelyard.core.errors import InputError
from steelyard.lab.opening import LabModel, open_model

if TYPE_CHECKING:
    from steelyard.lab.training import Training

PRUNED = {"lp-25": (0,), "lp-50": (0, 2), "lp-75": (0, 1, 2)}  # which of every four layers stay
BASE = "base"


def auxiliary_of(lab: LabModel, name: str, training: Training | None = None) -> tuple[LabModel, list[int]]:
    """A model of its own that may be trained, and its layer for each layer of the base.

    name: lp-25, lp-50, lp-75 (a share of the base's own layers); base; a member of the training's family; or whatever the lab
    opens. Its work is counted with the base's. Raises InputError where it has another vocabulary.
    """
    count = len(lab.layers)
    if name == BASE or name in PRUNED:
        kept = [i for i in range(count) if name == BASE or i % 4 in PRUNED[name]]
        return pruned(lab, kept), layer_map(count, len(kept), kept)
    family = training.family if training else {}
    other = family[name]() if name in family else open_model(name, str(lab.dtype).removeprefix("torch."))
    check_vocabulary(lab, other)
    return LabModel(other.name, other.model, other.tokenizer, lab.counts), layer_map(count, len(other.layers))


def pruned(lab: LabModel, kept: Sequence[int]) -> LabModel:
    """A copy of the model with some of its layers only."""
    held = lab.model.model.layers
    try:
        lab.model.model.layers = nn.ModuleList([held[i] for i in kept])  # so that the others are not copied
        model = copy.deepcopy(lab.model)
    finally:
        lab.model.model.layers = held
    model.config.num_hidden_layers = len(kept)
    if getattr(model.config, "layer_types", None):
        model.config.layer_types = [lab.config.layer_types[i] for i in kept]
    for index, layer in enumerate(model.model.layers):
        layer.self_attn.layer_idx = index
    return LabModel(f"{lab.name} less {len(held) - len(kept)} layers", model, lab.tokenizer, lab.counts)


def layer_map(base: int, auxiliary: int, kept: Sequence[int] = ()) -> list[int]:
    """For each layer of the base the layer of the auxiliary that feeds it.

    kept: where the auxiliary is made of layers of the base, which: each stands for itself and those up to the next.
    Else the base's layers are dealt out in order, and layers that feed one more come first.
    Source: projects/kv-prediction of apple/corenet, the configurations kvp_lp_* and kvp_c_*.
    """
    if kept:
        return [sum(k <= i for k in kept) - 1 for i in range(base)]
    each, more = divmod(base, auxiliary)
    return [j for j in range(auxiliary) for _ in range(each + (j < more))]


def check_map(given: Sequence[int], base: int, auxiliary: int) -> list[int]:
    """The map itself. Raises InputError naming the entry that is out of range, or both lengths."""
    if len(given) != base:
        raise InputError(f"the layer map has {len(given)} entries, the base {base} layers.", "Give one for each layer of the base.")  # fmt: skip
    for place, entry in enumerate(given):
        if not 0 <= entry < auxiliary:
            raise InputError(
                f"entry {place} of the layer map is {entry}.", f"The auxiliary has layers 0 to {auxiliary - 1}."
            )
    return list(given)


def check_vocabulary(lab: LabModel, other: LabModel) -> None:
    """Raises InputError with both names where two models do not number the same tokens."""
    words = [getattr(m.tokenizer, "get_vocab", dict)() for m in (lab, other)]
    if lab.config.vocab_size != other.config.vocab_size or (all(words) and words[0] != words[1]):
        raise InputError(f"{lab.name} and {other.name} have different vocabularies.", "Take an auxiliary of the same family.")  # fmt: skip
