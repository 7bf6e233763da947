"""Artifacts beside the table: prompts, outputs, programs, logs, each stored once under the hash of its content."""

from __future__ import annotations

import hashlib
import io
import os
import re

from steelyard.core.errors import InputError, MissingError
from steelyard.pool.store import Store

FOLDER = "_blobs"


def blob_name(key: str) -> str:
    """The file of the blob whose content hash is `key`. Raises InputError if that is no SHA-256 in hex."""
    if not re.fullmatch(r"[0-9a-f]{64}", key):
        raise InputError(f"{key[:80]!r} is no content hash (64 hex digits).")
    return f"{FOLDER}/{key[:2]}/{key}.zst"


def put_blob(store: Store, data: bytes) -> str:
    """Store `data`, unless it is there; its SHA-256 in hex. Raises OSError."""
    import pyarrow as pa

    key = hashlib.sha256(data).hexdigest()
    name = blob_name(key)
    if not store.exists(name):
        made = store.scratch / f"{key}.{os.getpid()}.{os.urandom(4).hex()}"
        try:
            with pa.CompressedOutputStream(str(made), "zstd") as out:
                out.write(data)
            store.place(made, name)
        except OSError:  # a full disk must not be filled with halves
            made.unlink(missing_ok=True)
            raise
    return key


def get_blob(store: Store, key: str) -> bytes:
    """The content whose hash is `key`. Raises MissingError if it is not there or is damaged."""
    import pyarrow as pa

    try:
        packed = store.read(blob_name(key))
    except FileNotFoundError:
        raise MissingError(
            f"pool {store.url}: there is no artifact {key}.", "It was kept in another pool, or deleted by hand."
        ) from None
    try:
        with pa.CompressedInputStream(io.BytesIO(packed), "zstd") as stream:
            data: bytes = stream.read()
    except OSError:
        data = b""
    if hashlib.sha256(data).hexdigest() != key:
        raise MissingError(f"pool {store.url}: artifact {key} is damaged.", "`steelyard pool check` sets it aside.")
    return data
