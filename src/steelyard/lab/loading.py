"""The loading controller: how much to recompute so that it hides loading, and the cheapest storage that is hidden.

T_recompute(r) = r * T_prefill of a layer; T_load = bytes of a layer / bandwidth (arXiv:2405.16444, section 5). Both are
measured, here and now.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from statistics import median

from torch import Tensor

from steelyard.core.errors import InputError
from steelyard.lab.chunk_store import ChunkStore, DiskStore, store_at
from steelyard.lab.opening import LabModel

_chosen: dict[tuple[str, str, int, float], int] = {}


def hiding_ratio(load_s: float, prefill_s: float, least: float) -> float:
    """The share of a layer's tokens to recompute: `least`, or more where that takes no longer than loading the layer.

    load_s: T_load of a layer. prefill_s: what computing it whole takes. max(least, load_s / prefill_s), 1 at most.
    """
    return min(1.0, max(least, load_s / prefill_s))


def cheapest(load_s: Sequence[float], prefill_s: float, ratio: float) -> int:
    """The first storage, from the cheapest on, with T_load <= T_recompute(ratio); the fastest one where there is none."""
    hidden = [i for i, load in enumerate(load_s) if load <= ratio * prefill_s]
    return hidden[0] if hidden else min(range(len(load_s)), key=lambda i: load_s[i])


def cheapest_store(
    lab: LabModel, folders: str, room: int, ratio: float, make: Callable[[], Sequence[Tensor]]
) -> tuple[int, ChunkStore]:
    """Which of the folders (from the cheapest, with the system's path separator between; memory is the last, dearest
    storage) hides loading at `ratio`, counted from 1, and its store. `room` bytes for each.

    make: computes the layers of a stretch of text alone; by it everything is measured, once a process, and not kept.
    Raises InputError where no folder is named.
    """
    places = [f for f in folders.split(os.pathsep) if f]
    if not places:
        raise InputError("store=cheapest has nothing to choose from.", f"Name folders, the cheapest storage first: folder=A{os.pathsep}B.")  # fmt: skip
    stores: list[ChunkStore] = [*(store_at("disk", f, room) for f in places), store_at("memory", "", room)]
    known = (lab.fingerprint, folders, room, ratio)
    if known not in _chosen:
        make()  # the first one is slow
        began = lab.clock()
        layers = make()
        prefill_s = (lab.clock() - began) / len(layers)
        _chosen[known] = cheapest([load_time(lab, s, layers) for s in stores], prefill_s, ratio)
    return _chosen[known] + 1, stores[_chosen[known]]


def load_time(lab: LabModel, store: ChunkStore, layers: Sequence[Tensor]) -> float:
    """Seconds until a layer of an entry is on the model's device, the median over layers. It is stored, and dropped again.

    A file is read from its disk, not from the system's memory. An entry that the store has no room for takes for ever.
    """
    key = f"probe-{os.getpid()}"
    store.put(key, layers)
    if isinstance(store, DiskStore):
        store.forget_pages(key)
    entry = store.get(key)
    if entry is None:
        return float("inf")
    taken = []
    for index in range(len(layers)):
        began = lab.clock()
        entry.layer(index).to(lab.device)
        taken.append(lab.clock() - began)
    store.drop(key)
    return median(taken)
