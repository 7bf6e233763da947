"""Keeping a pool in order: what it holds, merging its parts, verifying everything."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from steelyard.core.errors import MissingError
from steelyard.pool import blobs, journal, parts
from steelyard.pool.snapshot import Reader
from steelyard.pool.store import LocalStore, Store
from steelyard.pool.trouble import Problem

if TYPE_CHECKING:
    import duckdb

STALE_S = 24 * 3600.0  # a file in the making this old belongs to nobody


@dataclass(frozen=True, slots=True)
class BenchmarkInfo:
    """What the pool holds of one benchmark. first, last: seconds since the epoch (UTC)."""

    name: str
    rows: int
    failures: int
    cases: int
    contenders: int
    runs: int
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class Info:
    """What a pool holds. part_bytes: compressed. journal_rows: recorded, not yet in parts (counted in rows too)."""

    path: str
    rows: int
    parts: int
    part_bytes: int
    journal_rows: int
    set_aside: int
    benchmarks: tuple[BenchmarkInfo, ...]


def info(reader: Reader) -> Info:
    """Count what the pool holds."""

    def count(con: duckdb.DuckDBPyConnection) -> Info:
        found = con.sql(
            """SELECT benchmark, count(*), count(*) FILTER (status <> 'ok'), count(DISTINCT "case"),
               count(DISTINCT (contender, contender_config)), count(DISTINCT run), min(started_at), max(started_at)
               FROM measurements GROUP BY benchmark ORDER BY benchmark"""
        ).fetchall()
        listed = tuple(BenchmarkInfo(*row) for row in found)
        (waiting,) = con.sql("SELECT count(*) FROM _journal").fetchall()[0]
        kept = [part for place in reader.folders() for part in reader.parts_of(place)[0]]
        return Info(
            path=reader.store.url,
            rows=sum(one.rows for one in listed),
            parts=len(kept),
            part_bytes=sum(part.size for part in kept),
            journal_rows=waiting,
            set_aside=len(reader.store.files(parts.TORN)),
            benchmarks=listed,
        )

    return reader.read(None, count)


def compact(reader: Reader) -> int:
    """Merge each benchmark's parts into one; the number of files that are gone. One compaction at a time.

    On a remote pool the lock covers this machine only: let one machine compact.
    """
    store = reader.store
    gone = 0
    with journal.sole(store.journals, "compact") as alone:
        if not alone:
            raise MissingError(f"pool {store.url} is being compacted by another process.", "Wait until it is through.")
        for path in store.scratch.iterdir():
            with suppress(FileNotFoundError):  # other writers put theirs in place meanwhile
                if time.time() - path.stat().st_mtime > STALE_S:
                    path.unlink()
        for place in reader.folders():
            while True:
                kept, left = reader.parts_of(place)
                for part in left:
                    store.remove(part.name)
                gone += len(left)
                if len(kept) < 2:
                    break
                try:
                    parts.merge(store, place, kept)
                except parts.DamagedPart as damaged:
                    reader.set_aside(damaged.part.name, damaged.part.stamp, str(damaged))
                else:
                    gone += len(kept) - 1
                    break
    return gone


def check(reader: Reader) -> list[Problem]:
    """Read and verify every part, journal and artifact. Torn parts are set aside where the pool is open for writing."""
    store = reader.store
    before = len(reader.problems)
    for place in reader.folders():
        reader.parts_of(place)  # sets aside what has no sound footer
        kept, left = reader.parts_of(place)
        for part in (*kept, *left):
            if why := parts.verify(store, part.name):
                reader.set_aside(part.name, part.stamp, why)
    problems = list(dict.fromkeys(reader.problems[before:]))
    for place in reader.folders():
        left = reader.parts_of(place)[1]
        problems += [Problem("left over", p.name, "merged already, not read; `pool compact` deletes it") for p in left]
    problems += _journals(store) + _artifacts(store) + reader.read(None, _rows)
    for entry in store.files(parts.TORN):
        problems.append(Problem("set aside", entry.name, f"{entry.size} bytes, not read; delete it when you are done"))
    return problems


def _journals(store: Store) -> list[Problem]:
    problems = []
    for path in sorted(store.journals.glob("*" + journal.SUFFIX)):
        try:
            contents = journal.read(path)
        except FileNotFoundError:
            continue
        if contents.bad_lines:
            problems.append(Problem("torn record", path.name, f"{contents.bad_lines} damaged lines are not read"))
    return problems


def _artifacts(store: Store) -> list[Problem]:
    problems = []
    shelves = [f"{blobs.FOLDER}/{i:02x}" for i in range(256)]
    if not isinstance(store, LocalStore) and not store.exists(blobs.FOLDER):
        return []
    for entry in (entry for shelf in shelves for entry in store.files(shelf)):
        try:
            blobs.get_blob(store, parts.stem(entry.name).removesuffix(".zst"))
        except MissingError as error:
            problems.append(Problem("blob", entry.name, error.what))
    return problems


def _rows(con: duckdb.DuckDBPyConnection) -> list[Problem]:
    found = con.sql(
        """SELECT benchmark, count(*) FROM measurements
           WHERE (status = 'ok') = isnan(value) GROUP BY benchmark ORDER BY benchmark"""
    ).fetchall()
    return [
        Problem("row", f"benchmark {name}", f"{count} rows where the status is ok and the value NaN, or the reverse")
        for name, count in found
    ]
