"""Prefix caching: reuse the longest beginning that an earlier prompt had too, exactly as it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from steelyard.core.contender import contender
from steelyard.core.errors import InputError
from steelyard.lab import chunk_store, selective
from steelyard.lab.cache import KVCache
from steelyard.lab.chunk_store import GIB, Entry, Reuse, key_of, store_at
from steelyard.lab.forward_pass import forward
from steelyard.lab.opening import LabModel
from steelyard.lab.policy import CachePolicy
from steelyard.lab.selective import selective_pass


@contender("prefix-cache", interface="cache", source="W. Kwon et al., SOSP 2023 (vLLM), section 4.4")
@dataclass(frozen=True)
class PrefixCache(CachePolicy):
    """Chunks are found by their tokens and all tokens before them; from the first that is not there all is computed.

    room: what the store, in memory, may hold (GiB).
    """

    room: float = 1.0

    depends_on: ClassVar[tuple[Any, ...]] = (chunk_store, selective)

    def prefill(self, lab: LabModel, cache: KVCache, ids: Tensor, positions: Tensor) -> Tensor | None:
        """The usual pass where the request names no chunks. `finish()` of the Reuse stores what is new."""
        chunks = [n for n in cache.state.get("chunks", ()) if n]
        if not chunks:
            return None
        if any(lab.windows):
            raise InputError(f"prefix-cache: {lab.name} has layers with a sliding window.", "Take a model whose layers attend to everything.")  # fmt: skip
        tokens, store, length = ids[0].tolist(), store_at("memory", "", int(self.room * GIB)), ids.shape[1]
        reuse = cache.state["reuse"] = Reuse()
        token_bytes = sum(2 * x.keys.shape[1] * x.keys.shape[3] * x.keys.element_size() for x in cache.layers)
        found: list[Entry] = []
        fresh: list[tuple[str, int, int]] = []
        at = held = 0
        for size in chunks:
            key = key_of(lab, tokens[at : at + size], tokens[:at])
            entry = None if fresh else store.get(key)
            if entry is None:
                reuse.misses += 1
                fresh.append((key, at, at + size))
                reuse.held[key] = size * token_bytes
            else:
                found.append(entry)
                reuse.held[key] = entry.bytes
                held = at + size
            at += size
        rows = torch.arange(min(held, length - 1), length, device=ids.device)
        last = cache.state["rows"]
        if found:
            logits = selective_pass(lab, cache, ids, positions, found, reuse, rows=rows, in_place=True, last=last)
        else:
            logits = forward(lab, cache, ids, CachePolicy(), prompt=True, rows=last)
            reuse.kept, reuse.token_layers, reuse.told = length, length * len(lab.layers), list(range(last))

        def save() -> None:
            for key, a, b in fresh:
                layers = [torch.cat([x.keys[:, :, a:b], x.values[:, :, a:b]]) for x in cache.layers]
                store.put(key, layers)

        reuse.unsaved.append(save)
        return logits
