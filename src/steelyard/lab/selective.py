"""A pass that computes some of a prompt's tokens and takes keys and values of the others from a store, layer by layer."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from steelyard.lab.attention import Attention
from steelyard.lab.cache import KVCache, bytes_of
from steelyard.lab.chunk_store import Entry, Reuse
from steelyard.lab.forward_pass import Rotation, embed, finish, logits_of, project, rotate, rotations
from steelyard.lab.opening import LabModel

BLOCK = 256  # queries that are attended to together: keys after the last of them are not even looked at
Choose = Callable[[int, Tensor, Tensor, Attention], Tensor | None]


@torch.no_grad()
def selective_pass(
    lab: LabModel, cache: KVCache, ids: Tensor, positions: Tensor, entries: Sequence[Entry], reuse: Reuse, *,
    rows: Tensor, begin: int = 0, choose: Choose | None = None, by_rank: bool = False, ahead: bool = True,
    in_place: bool = False, last: int = 1,
) -> Tensor:  # fmt: skip
    """Run a prompt (1, T) whose first tokens the entries hold, in their order; logits (1, last, V).

    rows: tokens computed, ascending, all that the entries lack among them. begin: the first layer that needs the entries;
    before it all tokens must be computed. choose: at each layer from there, (layer, rows, stored (2, H, n, D), attention)
    to the indices into rows that go on, None for all of them. by_rank: the released mask, by which the j-th of m computed
    tokens sees up to place T - m + j. ahead: load a layer while the one before is computed, else all layers first.
    in_place: stored keys are turned to their places already. last: logits of so many last tokens, of those computed.
    With all rows and no choice it is the usual pass, to the last bit. Raises CorruptError.
    """
    length = ids.shape[1]
    whole = torch.arange(length, device=ids.device)
    hidden = embed(lab, ids if len(rows) == length else ids[:, rows])
    turns = rotations(lab, hidden, positions)
    with _Loader(entries, range(begin, len(lab.layers)), ahead, reuse, ids.device) as loader:
        for layer, kept, turn in zip(lab.layers, cache.layers, turns, strict=True):
            stored = loader.next() if kept.index >= begin else None
            started = lab.clock()
            reuse.token_layers += len(rows)
            normed, queries, keys, values = project(layer, hidden)
            here = _at(turn, rows, length)
            queries, keys = rotate(queries, here), rotate(keys, here)
            if stored is not None and len(rows) < length:
                keys, values = _filled(stored, keys, values, None if in_place else turn, rows, length)
            inner = sum(_weights(getattr(layer.self_attn, f"{name}_proj")) for name in "qkv")
            lab.counts.flops += 2 * len(rows) * inner
            if stored is not None and choose is not None:
                seen = Attention(lab, kept.index, normed, queries, keys, values, rows[None], whole[None, None], *here)
                if (going := choose(kept.index, rows, stored, seen)) is not None and len(going) < len(rows):
                    rows, queries, hidden = rows[going], queries[:, :, going], hidden[:, going]
                    normed, here = normed[:, going], _at(turn, rows, length)
            seeing = whole[length - len(rows) :] if by_rank else rows
            mixed = _attend(lab, Attention(lab, kept.index, normed, queries, keys, values, seeing[None], whole[None, None], *here))  # fmt: skip
            hidden = finish(layer, hidden, mixed)
            lab.counts.flops += 2 * len(rows) * (_weights(layer) - inner)
            kept.keys, kept.values, kept.positions = keys, values, positions[:, None]
            reuse.compute_s.append(lab.clock() - started)
    reuse.kept = len(rows)
    cache.seen += length
    lab.counts.forward_passes += 1
    lab.counts.tokens_computed += len(rows)
    lab.counts.tokens_reused += length - len(rows)
    asked = rows[rows >= length - last]
    reuse.told = (asked - (length - last)).tolist()
    return logits_of(lab, hidden[:, -len(asked) :])


def entry_of(lab: LabModel, ids: Tensor) -> list[Tensor]:
    """A stretch (1, n) computed alone: for each layer (2, H, n, D), keys before rotation and values."""
    made: list[Tensor] = []
    positions = torch.arange(ids.shape[1], device=ids.device)[None]
    hidden = embed(lab, ids)
    for index, (layer, turn) in enumerate(zip(lab.layers, rotations(lab, hidden, positions), strict=True)):
        normed, queries, keys, values = project(layer, hidden)
        made.append(torch.cat([keys, values]))
        queries, keys = rotate(queries, turn), rotate(keys, turn)
        hidden = finish(layer, hidden, _attend(lab, Attention(lab, index, normed, queries, keys, values, positions, positions[:, None], *turn)))  # fmt: skip
    lab.counts.forward_passes += 1
    lab.counts.tokens_computed += ids.shape[1]
    lab.counts.flops += lab.flops_per_token * ids.shape[1]
    return made


def _weights(module: torch.nn.Module) -> int:
    """Numbers in its matrices."""
    return sum(p.numel() for p in module.parameters() if p.dim() == 2)


def _at(turn: Rotation, rows: Tensor, length: int) -> Rotation:
    cos, sin = turn
    return turn if len(rows) == length else (cos[:, rows], sin[:, rows])


def _filled(
    stored: Tensor, keys: Tensor, values: Tensor, turn: Rotation | None, rows: Tensor, length: int
) -> tuple[Tensor, Tensor]:
    """Stored keys, turned to their places, and values, with what was computed written over them: (1, H, T, D) each."""
    held, made = stored.shape[2], []
    turned = stored[:1] if turn is None else rotate(stored[:1], (turn[0][:, :held], turn[1][:, :held]))
    for old, fresh in ((turned, keys), (stored[1:], values)):
        room = fresh.new_empty(1, fresh.shape[1], length, fresh.shape[3])
        room[:, :, :held] = old
        made.append(room.index_copy_(2, rows, fresh))
    return made[0], made[1]


def _attend(lab: LabModel, whole: Attention) -> Tensor:
    """(1, m, Q * D). Every query sees keys up to its position, which ascend: keys after a block's last one are cut off."""
    count, length = whole.queries.shape[2], whole.keys.shape[2]
    if length // 2 < count < length and int(whole.query_positions[0, 0]) == length - count:
        # the end of the prompt: a few rows of nothing before it, and the causal kernel serves, which needs no mask
        padded = replace(
            whole, queries=F.pad(whole.queries, (0, 0, length - count, 0)), query_positions=whole.key_positions[:, 0]
        )
        mixed = [padded.output()[0][:, length - count :]]
        attended = whole.queries.shape[1] * (count * (length - count) + count * (count + 1) // 2)
    else:
        parts = [
            _cut(whole, at) if count < length else whole for at in range(0, count, BLOCK if count < length else count)
        ]
        outputs = [part.output() for part in parts]
        mixed, attended = [out for out, _ in outputs], sum(looked for _, looked in outputs)
    lab.counts.attended += attended
    lab.counts.flops += 4 * whole.queries.shape[3] * attended
    return torch.cat(mixed, dim=1)


def _cut(whole: Attention, at: int) -> Attention:
    """BLOCK queries from `at`, and the keys that the last of them sees."""
    seeing = whole.query_positions[:, at : at + BLOCK]
    end = int(seeing[0, -1]) + 1
    return replace(
        whole, queries=whole.queries[:, :, at : at + BLOCK], query_positions=seeing, keys=whole.keys[:, :, :end],
        values=whole.values[:, :, :end], key_positions=whole.key_positions[..., :end],
    )  # fmt: skip


class _Loader:
    """Layers of all entries, joined, in order; a thread loads the next one while the present one is computed."""

    def __init__(
        self, entries: Sequence[Entry], layers: range, ahead: bool, reuse: Reuse, device: torch.device
    ) -> None:
        self._entries, self._left, self._reuse, self._device = entries, iter(layers), reuse, device
        self._thread = ThreadPoolExecutor(1)
        self._coming: deque[Future[Tensor]] = deque()
        reuse.load_s += [0.0] * layers.start  # of layers that need nothing
        while self._submit() and not ahead:
            pass
        wait(self._coming if not ahead else ())

    def __enter__(self) -> _Loader:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(cancel_futures=True)

    def next(self) -> Tensor:
        """(2, H, n, D) of the next layer. Raises CorruptError."""
        started = time.perf_counter()
        layer = self._coming.popleft().result()
        self._reuse.wait_s.append(time.perf_counter() - started)
        self._submit()
        return layer

    def _submit(self) -> bool:
        for index in self._left:
            self._coming.append(self._thread.submit(self._load, index))
            return True
        return False

    @torch.no_grad()
    def _load(self, index: int) -> Tensor:
        started = time.perf_counter()
        layer = torch.cat([entry.layer(index) for entry in self._entries], dim=2).to(self._device)
        self._reuse.load_s.append(time.perf_counter() - started)
        self._reuse.loaded_bytes += bytes_of(layer)
        return layer
