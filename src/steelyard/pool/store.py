"""Where a pool's files lie: a local folder, or any place that fsspec reaches."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from steelyard.core.errors import InputError, MissingError
from steelyard.pool.trouble import told

if TYPE_CHECKING:
    import pyarrow.dataset

MARKER = "steelyard-pool.json"
FORMAT = b'{"format": 1}\n'
# A put to these appears whole or not at all; elsewhere a file is written beside its place and renamed.
OBJECT_STORES = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oci", "oss", "r2", "memory"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A file: its name inside the pool ("folder/file"), its size in bytes, and a stamp that changes when it does."""

    name: str
    size: int
    stamp: str


class Store(Protocol):
    """The few things a pool asks of its place. Names are relative to the pool, with forward slashes."""

    url: str
    journals: Path  # local folder of the journals of this pool's writers on this machine
    scratch: Path  # local folder for files in the making

    def folders(self) -> list[str]: ...
    def files(self, folder: str) -> list[Entry]: ...
    def exists(self, name: str) -> bool: ...
    def read(self, name: str) -> bytes: ...
    def open(self, name: str) -> BinaryIO: ...
    def place(self, made: Path, name: str) -> None: ...
    def move(self, name: str, to: str) -> None: ...
    def remove(self, name: str) -> None: ...


class LocalStore:
    """A folder on this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.url = str(root)
        self.journals = root / "_journal"
        self.scratch = root / "_tmp"

    def folders(self) -> list[str]:
        return [entry.name for entry in os.scandir(self.root) if entry.is_dir()] if self.root.is_dir() else []

    def files(self, folder: str) -> list[Entry]:
        found = []
        try:
            for entry in os.scandir(self.root / folder):
                if entry.is_file():
                    try:
                        stat = entry.stat()
                    except FileNotFoundError:  # a compaction took it away meanwhile
                        continue
                    found.append(Entry(f"{folder}/{entry.name}", stat.st_size, str(stat.st_mtime_ns)))
        except FileNotFoundError:
            return []
        return found

    def exists(self, name: str) -> bool:
        return (self.root / name).exists()

    def read(self, name: str) -> bytes:
        return (self.root / name).read_bytes()

    def open(self, name: str) -> BinaryIO:
        return open(self.root / name, "rb")

    def place(self, made: Path, name: str) -> None:
        target = self.root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(made, target)
        _sync_folder(target.parent)  # the rename itself must survive a power cut before a journal is removed

    def move(self, name: str, to: str) -> None:
        (self.root / to).parent.mkdir(parents=True, exist_ok=True)
        os.replace(self.root / name, self.root / to)

    def remove(self, name: str) -> None:
        (self.root / name).unlink(missing_ok=True)


class RemoteStore:
    """A place behind fsspec (object store, memory, ssh ...). Journals stay on this machine until they are sealed."""

    def __init__(self, url: str) -> None:
        import platformdirs
        from fsspec.core import url_to_fs

        self.url = url.rstrip("/")
        try:
            self.fs, root = url_to_fs(self.url, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            scheme = url.split("://")[0]
            raise MissingError(
                f"pool {url}: {error}", f"Install the fsspec driver of {scheme}:// (s3fs, gcsfs, adlfs, ...)."
            ) from error
        self.root = root.rstrip("/")
        state = platformdirs.user_state_path("steelyard") / "pools" / hashlib.sha256(self.url.encode()).hexdigest()[:24]
        self.journals = state / "journal"
        self.scratch = state / "tmp"
        self.atomic_put = url.split("://")[0] in OBJECT_STORES

    def path(self, name: str) -> str:
        return f"{self.root}/{name}"

    def _list(self, path: str) -> list[dict[str, Any]]:
        self.fs.invalidate_cache()  # others write too
        try:
            return list(self.fs.ls(path, detail=True))
        except FileNotFoundError:
            return []

    def folders(self) -> list[str]:
        return [e["name"].rstrip("/").rsplit("/", 1)[-1] for e in self._list(self.root) if e["type"] == "directory"]

    def files(self, folder: str) -> list[Entry]:
        found = []
        for entry in self._list(self.path(folder)):
            if entry["type"] == "file":
                stamp = str(entry.get("ETag") or entry.get("etag") or entry.get("mtime") or entry.get("created") or "")
                found.append(Entry(f"{folder}/{entry['name'].rsplit('/', 1)[-1]}", int(entry["size"] or 0), stamp))
        return found

    def exists(self, name: str) -> bool:
        return bool(self.fs.exists(self.path(name)))

    def read(self, name: str) -> bytes:
        return bytes(self.fs.cat_file(self.path(name)))

    def open(self, name: str) -> BinaryIO:
        opened: BinaryIO = self.fs.open(self.path(name), "rb")
        return opened

    def place(self, made: Path, name: str) -> None:
        target = self.path(name)
        if self.atomic_put:
            self.fs.put_file(str(made), target)
        else:
            self.fs.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
            aside = f"{self.root}/_tmp/{made.name}"
            self.fs.makedirs(f"{self.root}/_tmp", exist_ok=True)
            self.fs.put_file(str(made), aside)
            self.fs.mv(aside, target)
        made.unlink()

    def move(self, name: str, to: str) -> None:
        self.fs.makedirs(self.path(to).rsplit("/", 1)[0], exist_ok=True)
        self.fs.mv(self.path(name), self.path(to))

    def remove(self, name: str) -> None:
        with suppress(FileNotFoundError):
            self.fs.rm_file(self.path(name))

    def dataset(self, names: list[str]) -> pyarrow.dataset.Dataset:
        """The named Parquet files as one Arrow dataset (DuckDB reads it with its own file access locked)."""
        import pyarrow.dataset
        from pyarrow.fs import FSSpecHandler, PyFileSystem

        paths = [self.path(name) for name in names]
        return pyarrow.dataset.dataset(paths, format="parquet", filesystem=PyFileSystem(FSSpecHandler(self.fs)))


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def local_path(path: str) -> Path | None:
    """The folder that `path` names on this machine, or None where it is a URL of somewhere else."""
    if path.startswith("file://"):
        return Path(path.removeprefix("file://"))
    return None if "://" in path else Path(path).expanduser()


def open_store(path: str, *, writing: bool) -> Store:
    """The store at `path`.

    writing: make the pool where there is none, and fail here if it cannot be written.
    Raises MissingError (nothing there to read, not writable, no driver) or InputError (not a pool).
    """
    folder = local_path(path)
    store: Store = LocalStore(folder.absolute()) if folder is not None else RemoteStore(path)
    with told(store.url, "opening it"):
        if store.exists(MARKER):
            if store.read(MARKER) != FORMAT:
                raise InputError(
                    f"pool {store.url}: {MARKER} says {store.read(MARKER)[:80]!r}, this version reads {FORMAT!r}.",
                    "A newer steelyard wrote this pool: update steelyard.",
                )
        elif not writing:
            raise MissingError(
                f"there is no pool at {store.url}.",
                "A first run makes it; --pool or STEELYARD_POOL names another place.",
            )
        elif isinstance(store, LocalStore):
            _refuse_foreign(store.root)
        if writing:
            for place in (store.journals, store.scratch):
                place.mkdir(parents=True, exist_ok=True)
            # Written anew at each open: the proof that this pool takes writes, before anything is measured.
            made = store.scratch / f"{MARKER}.{os.getpid()}.{os.urandom(4).hex()}"
            made.write_bytes(FORMAT)
            store.place(made, MARKER)
    return store


def _refuse_foreign(root: Path) -> None:
    if root.exists() and not root.is_dir():
        raise InputError(f"pool {root} is a file.", "A pool is a folder: name another place.")
    foreign = [p.name for p in root.iterdir() if not p.name.startswith(("_", "benchmark="))] if root.is_dir() else []
    if foreign and MARKER not in foreign:  # another writer may have made the pool this very moment
        raise InputError(
            f"{root} is not empty and holds no pool ({', '.join(sorted(foreign)[:3])} ...).",
            "Name an empty or new folder for the pool.",
        )
