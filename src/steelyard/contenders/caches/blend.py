"""CacheBlend: reuse the caches of text chunks wherever they stand, and recompute the tokens that are most wrong there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from steelyard.contenders.caches import chunk_selection
from steelyard.contenders.caches.chunk_selection import BY_DEVIATION, deviation, weights
from steelyard.core.contender import contender
from steelyard.core.errors import InputError
from steelyard.lab import chunk_store, loading, selective
from steelyard.lab.attention import Attention
from steelyard.lab.cache import KVCache
from steelyard.lab.chunk_store import GIB, ChunkStore, CorruptError, Entry, Reuse, entries_for, store_at
from steelyard.lab.forward_pass import empty_cache, forward
from steelyard.lab.loading import cheapest_store, hiding_ratio
from steelyard.lab.opening import LabModel
from steelyard.lab.policy import CachePolicy
from steelyard.lab.selective import entry_of, selective_pass

OF_VARIANT = {
    "paper": {"mask": "exact", "suffix": "all", "filter": "gradual"},
    "released": {"mask": "released", "suffix": "last", "filter": "fixed"},
}


@contender("blend", interface="cache", source="arXiv:2405.16444, sections 4 and 5")
@dataclass(frozen=True)
class Blend(CachePolicy):
    """Keys and values of every chunk come from a store, keys turned to their places; some tokens are recomputed.

    Layers before `check` run whole. At `check` queries, keys and values are computed for all tokens, the `ratio` of the
    context's tokens that `choose` puts first is kept, with the question, and only these go on; the others keep what was
    stored. Chunks that the store lacks are computed alone and stored. With ratio 0 nothing but the question is computed.

    ratio: share of the context's tokens recomputed. choose: hkvd, by deviation of values at `check` (published); attended,
    deviation times the square root of the attention that the question pays (ours); random, chunk-heads (the first of
    every chunk), and oracle (by the error that would be left, for which the whole prompt is computed first), to compare.
    variant: what mask, suffix and filter are where they are `auto`: paper exact, all, gradual; released released, last,
    fixed. mask: exact, or by rank among the kept tokens, which so see later ones. suffix: all of the question is
    recomputed, or its last token, while the rest competes. filter: the kept set stays as chosen at `check`, or shrinks
    evenly over the layers, from ratio (1 + taper) to ratio (1 - taper). seed: of random.
    control: `ratio` is the least; where loading a layer takes longer than recomputing so much of it, more is recomputed,
    as long as it hides the loading. Both are what this very request took: the layers before `check`, run whole, and the
    loading of the one at `check`.
    store: memory or disk; folder: of the latter, "" for the user's cache; room: what it may hold (GiB). cheapest: folder
    names several (cheapest first, the system's path separator between), and the first from which loading is hidden at
    `ratio` is taken, memory where none is. pipeline: a layer is loaded while the one before is computed, else all are
    first. cold: files are read from the disk, not from memory.
    """

    ratio: float = 0.16
    choose: Literal["hkvd", "attended", "random", "chunk-heads", "oracle"] = "hkvd"
    variant: Literal["paper", "released"] = "paper"
    mask: Literal["auto", "exact", "released"] = "auto"
    suffix: Literal["auto", "all", "last"] = "auto"
    filter: Literal["auto", "gradual", "fixed"] = "auto"
    taper: float = 0.25
    check: int = 1
    seed: int = 0
    control: bool = False
    store: Literal["memory", "disk", "cheapest"] = "memory"
    folder: str = ""
    room: float = 1.0
    pipeline: bool = True
    cold: bool = False

    identity: ClassVar[Mapping[str, Any]] = {"ratio": 1.0}
    depends_on: ClassVar[tuple[Any, ...]] = (chunk_selection, chunk_store, loading, selective)

    def prefill(self, lab: LabModel, cache: KVCache, ids: Tensor, positions: Tensor) -> Tensor | None:
        """The usual pass where the request names no chunks. Raises InputError for what cannot be blended."""
        chunks = [n for n in cache.state.get("chunks", ()) if n]
        if not chunks:
            return None
        self._refuse(lab, ids.shape[1] - sum(chunks))
        if self._says("suffix") == "last":
            chunks.append(ids.shape[1] - sum(chunks))  # it too has been run alone
        damaged = 0
        while True:
            reuse = cache.state["reuse"] = Reuse(corrupt=damaged)
            try:
                return self._blend(lab, cache, ids, positions, chunks, reuse)
            except CorruptError:  # the entry is gone: the next try makes it anew
                damaged += 1
                if damaged > len(chunks):
                    raise InputError("entries of the chunk store are damaged when they are read back.", "Look at the disk, or take store=memory.") from None  # fmt: skip

    def _blend(
        self, lab: LabModel, cache: KVCache, ids: Tensor, positions: Tensor, chunks: Sequence[int], reuse: Reuse
    ) -> Tensor:
        length, asked = ids.shape[1], 1 if self._says("suffix") == "last" else ids.shape[1] - sum(chunks)
        context = length - asked
        entries = entries_for(
            self._store(lab, ids, chunks, reuse),
            lab,
            ids[0].tolist(),
            chunks,
            reuse,
            lambda a, b: entry_of(lab, ids[:, a:b]),
            cold=self.cold,
        )
        weight: list[Tensor] = []
        reuse.ratio = self.ratio

        def going(layer: int, rows: Tensor, stored: Tensor, attention: Attention) -> Tensor | None:
            """Of the computed tokens those that go on: the question, and the context's by weight."""
            mine = rows[rows < context]
            if not weight:
                if self.control:
                    whole_s = sum(reuse.compute_s) / len(reuse.compute_s)
                    reuse.ratio = hiding_ratio(reuse.load_s[layer], whole_s, self.ratio)
                whole = lambda: self._error(lab, ids, entries)  # noqa: E731
                weight.append(weights(self.choose, context, chunks, attention, self.seed, whole))
            score = weight[0][mine]
            if self.choose in BY_DEVIATION:
                score = score * deviation(stored[1][:, mine], attention.values[0, :, mine])
            best = (
                score.topk(min(len(mine), self._kept(reuse.ratio, layer, len(lab.layers), context)))
                .indices.sort()
                .values
            )
            return torch.cat([best, torch.arange(len(mine), len(rows), device=rows.device)])

        nothing = self.ratio == 0 and not self.control
        return selective_pass(
            lab, cache, ids, positions, entries, reuse, rows=torch.arange(context if nothing else 0, length, device=ids.device),
            begin=0 if nothing else self.check, choose=None if nothing else going, by_rank=self._says("mask") == "released",
            ahead=self.pipeline, last=cache.state["rows"],
        )  # fmt: skip

    def _store(self, lab: LabModel, ids: Tensor, chunks: Sequence[int], reuse: Reuse) -> ChunkStore:
        room = int(self.room * GIB)
        if self.store != "cheapest":
            return store_at(self.store, self.folder, room)
        longest = max(range(len(chunks)), key=lambda i: chunks[i])
        stretch = ids[:, sum(chunks[:longest]) :][:, : chunks[longest]]
        counts = lab.counts.copy()
        reuse.tier, store = cheapest_store(lab, self.folder, room, self.ratio, lambda: entry_of(lab, stretch))
        lab.counts = counts
        return store

    def _kept(self, ratio: float, layer: int, layers: int, context: int) -> int:
        """Context tokens that go on at a layer; over all layers their mean share is `ratio`."""
        share = ratio
        if self._says("filter") == "gradual":
            first = min(1.0, ratio * (1 + self.taper))
            share = first + 2 * (ratio - first) * (layer - self.check) / max(1, layers - 1 - self.check)
        return int(context * share + 1e-9)

    def _error(self, lab: LabModel, ids: Tensor, entries: Sequence[Entry]) -> Tensor:
        """(n,): deviation of the stored values from those of the full prompt, summed over the layers after `check`."""
        exact, counts = empty_cache(lab), lab.counts.copy()
        forward(lab, exact, ids, CachePolicy(), prompt=True)
        lab.counts = counts
        total = torch.zeros((), device=ids.device)
        for kept in exact.layers[self.check + 1 :]:
            stored = torch.cat([entry.layer(kept.index)[1] for entry in entries], dim=1)
            total = total + deviation(stored, kept.values[0, :, : stored.shape[1]])
        return total

    def _says(self, what: str) -> str:
        own = str(getattr(self, what))
        return OF_VARIANT[self.variant][what] if own == "auto" else own

    def _refuse(self, lab: LabModel, question: int) -> None:
        if not 0 <= self.ratio <= 1 or not 0 <= self.taper <= 1 or self.room < 0:
            raise InputError(f"blend: ratio {self.ratio}, taper {self.taper}, room {self.room}.", "ratio and taper are shares from 0 to 1, room is in GiB.")  # fmt: skip
        if question < 1:
            raise InputError("the chunks leave no question.", "The last token of a prompt at least is no part of a chunk.")  # fmt: skip
        if any(lab.windows):
            raise InputError(f"blend: {lab.name} has layers with a sliding window.", "Take a model whose layers attend to everything.")  # fmt: skip
        if not 0 < self.check < len(lab.layers):
            raise InputError(f"blend: check is {self.check}.", f"A layer from 1 to {len(lab.layers) - 1}.")
