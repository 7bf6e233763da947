"""Parts: the Parquet files of the pool. Writing one, listing the sound ones, setting torn ones aside, merging many.

A part made from a journal segment is named after it, and a merged part says in its footer which parts it holds: so a
crash at any moment leaves at worst two files with the same rows, of which readers and recovery know to take one.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from steelyard.pool.schema import TEXTS, schema
from steelyard.pool.store import Entry, Store

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

HOLDS = b"steelyard.holds"
ROW_GROUP = 1 << 18
TORN = "_torn"


@dataclass(frozen=True, slots=True)
class Part:
    """A sound part file. holds: the stems of the parts whose rows it has (its own, unless it was merged)."""

    name: str
    rows: int
    size: int
    stamp: str
    holds: frozenset[str]


class DamagedPart(ValueError):
    """A part that was to be merged cannot be read."""

    def __init__(self, part: Part, why: str) -> None:
        super().__init__(why)
        self.part = part


def stem(name: str) -> str:
    """ "benchmark=x/part-12.parquet" -> "part-12"."""
    return name.rsplit("/", 1)[-1].removesuffix(".parquet")


def writer(path: Path, holds: Iterable[str] = ()) -> pq.ParquetWriter:
    """A Parquet writer in the pool's schema, compression and checksums."""
    import pyarrow.parquet as pq

    made = schema()
    if holds:
        made = made.with_metadata({HOLDS: json.dumps(sorted(holds))})
    return pq.ParquetWriter(path, made, compression="zstd", use_dictionary=list(TEXTS), write_page_checksum=True)


def write(store: Store, table: pa.Table, name: str) -> Path:
    """Write `table` (in the pool's schema) as the scratch file of part `name`, forced to the disk. Raises OSError."""
    path = _scratch(store, name)
    try:
        with writer(path) as out:
            out.write_table(table, row_group_size=ROW_GROUP)
        sync(path)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return path


def _scratch(store: Store, name: str) -> Path:
    # Not shared: two processes may import the same table, or recover after each other, at once.
    return store.scratch / f"{name.replace('/', '~')}.{os.getpid()}.{os.urandom(4).hex()}"


def sync(path: Path) -> None:
    """Force the file at `path` to the disk."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def inspect(store: Store, entry: Entry) -> Part:
    """Read the footer of a part. Raises ValueError if it is torn, FileNotFoundError if it is gone."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with store.open(entry.name) as file:
            footer = pq.read_metadata(file)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:  # pyarrow reports damage inside a file as OSError too
        raise ValueError(str(error).splitlines()[0]) from error
    held = (footer.metadata or {}).get(HOLDS)
    holds = json.loads(held) if held else [stem(entry.name)]
    return Part(entry.name, footer.num_rows, entry.size, entry.stamp, frozenset(holds))


def verify(store: Store, name: str) -> str:
    """Read every page of a part and compare its checksums: "" if it is sound, else what is wrong with it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with store.open(name) as file:
            for _ in pq.ParquetFile(file, page_checksum_verification=True).iter_batches(ROW_GROUP):
                pass
    except FileNotFoundError:
        return ""
    except (pa.ArrowException, OSError) as error:
        return str(error).splitlines()[0]
    return ""


def current(found: list[Part]) -> tuple[list[Part], list[Part]]:
    """(the parts to read, the left-over parts whose rows another part holds too) of one benchmark."""
    covered = frozenset[str]().union(*(part.holds for part in found if len(part.holds) > 1))
    taken: list[Part] = []
    # A bigger merged part first: what it holds is no longer needed, be it single or merged from fewer.
    for part in sorted(found, key=lambda part: (-len(part.holds), part.name)):
        if len(part.holds) > 1 or stem(part.name) not in part.holds:
            if not any(part.holds <= other.holds for other in taken):
                taken.append(part)
        elif stem(part.name) not in covered:
            taken.append(part)
    left = [part for part in found if part not in taken]
    return sorted(taken, key=lambda part: part.name), left


def merge(store: Store, folder: str, found: list[Part]) -> str:
    """Merge the parts `found` into one, row group by row group, and delete them; the name of the merged part.

    Raises DamagedPart for one that cannot be read (nothing is changed then).
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    holds = frozenset[str]().union(*(part.holds for part in found))
    name = f"{folder}/merged-{hashlib.sha256(json.dumps(sorted(holds)).encode()).hexdigest()[:32]}.parquet"
    path = _scratch(store, name)
    with writer(path, holds) as out:
        waiting: list[pa.RecordBatch] = []
        for part in found:
            with store.open(part.name) as file:
                try:
                    for batch in pq.ParquetFile(file, page_checksum_verification=True).iter_batches(ROW_GROUP // 4):
                        waiting.append(batch)
                        if sum(len(b) for b in waiting) >= ROW_GROUP:
                            out.write_table(pa.Table.from_batches(waiting).cast(schema()), row_group_size=ROW_GROUP)
                            waiting = []
                except (pa.ArrowException, OSError) as error:
                    path.unlink(missing_ok=True)
                    raise DamagedPart(part, str(error).splitlines()[0]) from error
        if waiting:
            out.write_table(pa.Table.from_batches(waiting).cast(schema()), row_group_size=ROW_GROUP)
    if pq.read_metadata(path).num_rows != sum(part.rows for part in found):
        raise RuntimeError(f"{name}: merged rows do not add up; nothing was changed")
    sync(path)
    store.place(path, name)
    for part in found:
        if part.name != name:
            store.remove(part.name)
    return name
