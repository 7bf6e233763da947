"""Stores of the keys and values of stretches of text: in memory or on disk, found by content, the least recently used goes.

An entry is made from token ids, the model (weights, configuration, dtype) and the tokens before, so that another model's
entry is never found. It holds for each layer one tensor (2, H, n, D): keys (before rotation, where made alone) and values.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import os
import tempfile
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Protocol

import torch
from torch import Tensor

from steelyard.core.errors import InputError
from steelyard.lab.cache import bytes_of
from steelyard.lab.opening import LabModel

GIB = 1 << 30
STALE_S = 3600


class CorruptError(Exception):
    """What was read is not what was stored. The entry is gone when this is raised."""


class Entry(Protocol):
    """bytes: of keys and values."""

    bytes: int

    def layer(self, index: int) -> Tensor:
        """(2, H, n, D). Raises CorruptError."""
        ...


class ChunkStore(Protocol):
    """What every store offers."""

    def get(self, key: str) -> Entry | None: ...

    def put(self, key: str, layers: Sequence[Tensor]) -> None: ...

    def drop(self, key: str) -> None: ...


@dataclass
class Reuse:
    """What one request took from a store, left in `cache.state["reuse"]`.

    held: entry -> bytes, of everything that the request found or left there. misses, corrupt: entries that had to be
    computed, and of these the ones that were found damaged. loaded_bytes: read for this request.
    token_layers: tokens projected in a layer, summed over layers. kept: tokens recomputed in the last layer.
    told: which of the tokens whose logits were asked for were computed and have some, counted from the first asked for.
    load_s, compute_s: for each layer. wait_s: computation stood still for a layer to arrive.
    ratio: share of the context's tokens recomputed. tier: which storage was chosen, 1 for the cheapest; 0 without a choice.
    unsaved: what `finish` has to do.
    """

    held: dict[str, int] = field(default_factory=dict)
    misses: int = 0
    corrupt: int = 0
    loaded_bytes: int = 0
    token_layers: int = 0
    kept: int = 0
    told: list[int] = field(default_factory=list)
    load_s: list[float] = field(default_factory=list)
    compute_s: list[float] = field(default_factory=list)
    wait_s: list[float] = field(default_factory=list)
    ratio: float = 0.0
    tier: int = 0
    unsaved: list[Callable[[], None]] = field(default_factory=list)

    def finish(self) -> None:
        """Store what is new; the first token need not wait for it."""
        while self.unsaved:
            self.unsaved.pop()()

    @property
    def pipeline_s(self) -> float:
        """The time that loading a layer ahead should take: T_load(0) + sum of max(T_compute(l), T_load(l + 1))."""
        later = [*self.load_s[1:], 0.0]
        return self.load_s[0] + sum(max(c, n) for c, n in zip(self.compute_s, later, strict=True))


def entries_for(
    store: ChunkStore, lab: LabModel, ids: Sequence[int], chunks: Sequence[int], reuse: Reuse,
    make: Callable[[int, int], Sequence[Tensor]], *, cold: bool = False,
) -> list[Entry]:  # fmt: skip
    """The entries of a prompt's chunks, lengths from its beginning; what the store lacks is made, and put there.

    make: from where a chunk begins and ends to its layers, computed alone.
    cold: files are first dropped from the system's memory. Raises CorruptError, after which asking again makes it anew.
    """
    found: list[Entry] = []
    at = 0
    for length in chunks:
        key = key_of(lab, ids[at : at + length])
        if cold and isinstance(store, DiskStore):
            store.forget_pages(key)
        entry = store.get(key)
        if entry is None:
            reuse.misses += 1
            layers = make(at, at + length)
            store.put(key, layers)
            entry = Held(tuple(layers), bytes_of(list(layers)))
        reuse.held[key] = entry.bytes
        found.append(entry)
        at += length
    return found


def key_of(lab: LabModel, ids: Sequence[int], before: Sequence[int] | None = None) -> str:
    """The name of an entry of this very model: `ids` alone, or in their place after `before`, keys already turned to it."""
    place = None if before is None else list(before)
    return hashlib.sha256(json.dumps([lab.fingerprint, place, list(ids)]).encode()).hexdigest()


@functools.cache
def store_at(kind: str, folder: str = "", room_bytes: int = GIB) -> ChunkStore:
    """The store of this process (`memory`), or of everybody who uses the folder (`disk`; "" for the user's cache)."""
    if kind == "memory":
        return MemoryStore(room_bytes)
    import platformdirs

    return DiskStore(Path(folder) if folder else platformdirs.user_cache_path("steelyard") / "chunks", room_bytes)


def _check(layers: Sequence[Tensor]) -> None:
    if not all(bool(torch.isfinite(x).all()) for x in layers):
        raise InputError(
            "keys or values of a chunk are not numbers.", "The model overflows in this dtype: try bf16 or fp32."
        )


@dataclass(frozen=True)
class Held:
    layers: tuple[Tensor, ...]
    bytes: int

    def layer(self, index: int) -> Tensor:
        return self.layers[index]


class MemoryStore:
    """Entries of one process, `room` bytes of them at most. An entry larger than that is not kept."""

    def __init__(self, room: int) -> None:
        self.room, self.bytes = room, 0
        self._held: OrderedDict[str, Held] = OrderedDict()
        self._lock = Lock()

    def get(self, key: str) -> Entry | None:
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
            return self._held.get(key)

    def put(self, key: str, layers: Sequence[Tensor]) -> None:
        _check(layers)
        fresh = Held(tuple(layers), bytes_of(list(layers)))
        with self._lock:
            if key in self._held or fresh.bytes > self.room:
                return
            self._held[key] = fresh
            self.bytes += fresh.bytes
            while self.bytes > self.room:
                self.bytes -= self._held.popitem(last=False)[1].bytes

    def drop(self, key: str) -> None:
        with self._lock:
            if key in self._held:
                self.bytes -= self._held.pop(key).bytes


class _File:
    """An entry on disk; the open file outlives its name, so an eviction meanwhile does no harm."""

    def __init__(self, path: Path) -> None:
        from safetensors import SafetensorError, safe_open

        self._path = path
        try:
            self._open = safe_open(path, "pt")
            self._sums = json.loads(self._open.metadata()["checksums"])
        except (SafetensorError, TypeError, KeyError, ValueError) as error:
            self._refuse(error)
        except RuntimeError as error:  # PyTorch opens the file again, and it was evicted between
            if path.exists():
                raise
            raise FileNotFoundError(path) from error
        self.bytes = path.stat().st_size

    def layer(self, index: int) -> Tensor:
        from safetensors import SafetensorError

        try:
            tensor = self._open.get_tensor(str(index))
        except SafetensorError as error:
            self._refuse(error)
        if _checksum(tensor) != self._sums[index]:
            self._refuse(None)
        return tensor

    def _refuse(self, why: Exception | None) -> None:
        self._path.unlink(missing_ok=True)
        raise CorruptError(str(self._path)) from why


def _checksum(tensor: Tensor) -> int:
    return zlib.crc32(tensor.contiguous().view(torch.uint8).numpy())


class DiskStore:
    """A folder with a file an entry, `room` bytes at most, shared by any number of processes.

    A file appears whole or not at all, and carries a checksum for each layer.
    """

    def __init__(self, folder: Path, room: int) -> None:
        self.folder, self.room = folder, room
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, key: str) -> Path:
        return self.folder / f"{key}.safetensors"

    def get(self, key: str) -> Entry | None:
        """Raises CorruptError where the file is damaged."""
        path = self.path(key)
        try:
            found = _File(path)
            os.utime(path)  # the time of last use
        except FileNotFoundError:
            return None
        return found

    def put(self, key: str, layers: Sequence[Tensor]) -> None:
        """A disk that is full keeps what it has: the entry is then not stored."""
        from safetensors.torch import save_file

        _check(layers)
        if bytes_of(list(layers)) > self.room or self.path(key).exists():
            return
        named = {str(i): x.cpu().contiguous() for i, x in enumerate(layers)}
        sums = json.dumps([_checksum(x) for x in named.values()])
        handle, fresh = tempfile.mkstemp(dir=self.folder, suffix=".part")
        os.close(handle)
        try:
            save_file(named, fresh, metadata={"checksums": sums})
            with self._alone():
                self._evict(os.path.getsize(fresh))
                os.replace(fresh, self.path(key))
        except OSError:
            with suppress(FileNotFoundError):
                os.unlink(fresh)

    def drop(self, key: str) -> None:
        self.path(key).unlink(missing_ok=True)

    def forget_pages(self, key: str) -> None:
        """Have the system drop the file from its memory, so that the next reading is one from the disk."""
        with suppress(FileNotFoundError), open(self.path(key), "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    @property
    def bytes(self) -> int:
        return sum(size for _, size, _ in self._files())

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        for path in self.folder.glob("*.safetensors"):
            with suppress(FileNotFoundError):
                facts = path.stat()
                yield facts.st_mtime, facts.st_size, path

    def _evict(self, wanted: int) -> None:
        for part in self.folder.glob("*.part"):  # of a process that was killed while it wrote
            with suppress(FileNotFoundError):
                if time.time() - part.stat().st_mtime > STALE_S:
                    part.unlink()
        files = sorted(self._files())
        total = sum(size for _, size, _ in files) + wanted
        for _, size, path in files:
            if total <= self.room:
                return
            path.unlink(missing_ok=True)
            total -= size

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with open(self.folder / "lock", "a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
