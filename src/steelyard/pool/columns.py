"""Measurements as columns of codes, straight from the parts: the newest of each cell, and counts of what a part holds.

Gives the same rows as the SQL view `latest`, in a fraction of its time: text stays the codes that Parquet keeps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from steelyard.pool.parts import Part
from steelyard.pool.reading import Snapshot
from steelyard.pool.schema import COUNTED, TEXTS, ResumeKey, schema
from steelyard.pool.store import Store

if TYPE_CHECKING:
    import pyarrow as pa

Codes = NDArray[np.int64]


def read(store: Store, snapshot: Snapshot, names: Sequence[str]) -> pa.Table:
    """The columns `names` of every row, each text column under one dictionary. Raises OSError, pa.ArrowException."""
    import pyarrow as pa

    tables = [snapshot.journal.select(names), *(read_part(store, part, names) for part in snapshot.parts)]
    return pa.concat_tables(tables).unify_dictionaries().combine_chunks()


def read_part(store: Store, part: Part, names: Sequence[str]) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with store.open(part.name) as file:
        texts = [name for name in names if name in TEXTS]
        found = pq.ParquetFile(file, read_dictionary=texts, page_checksum_verification=True).read(columns=list(names))
    return found.select(names).cast(pa.schema([schema().field(name) for name in names]))


def until(table: pa.Table, moment: float | None) -> pa.Table:
    """The rows that were started by then (seconds since the epoch); all for None."""
    if moment is None:
        return table
    started = np.asarray(codes(table, "started_at"), float)
    return table.filter(started <= moment).unify_dictionaries().combine_chunks()


def codes(table: pa.Table, name: str) -> Codes:
    """The codes of a text column, or the numbers of another one."""
    import pyarrow as pa

    column = table[name]
    plain = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if pa.types.is_dictionary(plain.type):
        plain = plain.indices
    found: Codes = plain.to_numpy(zero_copy_only=False)
    return found


def words(table: pa.Table, name: str) -> list[str]:
    """What the codes of a text column stand for."""
    column = table[name]
    listed: list[str] = column.chunk(0).dictionary.to_pylist() if column.num_chunks else []
    return listed


def joint(columns: Sequence[Codes]) -> Codes:
    """One code for each combination of the columns: equal where all of them are."""
    key = np.zeros(len(columns[0]), np.int64)
    span = 1
    for column in columns:
        low, high = (int(column.min()), int(column.max())) if column.size else (0, 0)
        if high - low >= 2**31:
            column = np.unique(column, return_inverse=True)[1]
            low, high = 0, int(column.max(initial=0))
        size = high - low + 1
        if size == 1:
            continue
        if span * size >= 2**62:
            key = np.unique(key, return_inverse=True)[1].astype(np.int64)
            span = int(key.max(initial=0)) + 1
        key = key * size + (column.astype(np.int64) - low)
        span *= size
    return key


def latest(table: pa.Table, runs: bool = False) -> pa.Table:
    """One row for each cell and metric, as the view `latest` chooses it (pool.reading says how); with `runs` beside them
    every number of earlier runs.

    table: with the columns of CELL, status, run and started_at. The order of rows is kept.
    """
    cell = joint([codes(table, name) for name in ResumeKey._fields])
    number = joint([cell, codes(table, "metric")])
    status, run, started = (codes(table, name) for name in ("status", "run", "started_at"))
    ok = status == _code(table, "status", "ok")
    kept = np.ones(len(number), bool)
    ordered = np.sort(number)
    if (ordered[1:] == ordered[:-1]).any():
        by_name = np.argsort(np.argsort(np.array(words(table, "run"), dtype=object)))
        order = np.lexsort((by_name[run], ok, started, number))
        last = np.append(number[order][1:] != number[order][:-1], True)
        kept[:] = False
        kept[order[last]] = True
    if not ok.all():
        kept &= ok | ~np.isin(joint([cell, run]), _mended(cell, run, np.asarray(started, float), ok))
    if runs:
        kept |= ok
    return table.filter(kept) if not kept.all() else table


def _code(table: pa.Table, name: str, word: str) -> int:
    known = words(table, name)
    return known.index(word) if word in known else -1


def _mended(cell: Codes, run: Codes, started: NDArray[np.float64], ok: NDArray[np.bool_]) -> Codes:
    """The (cell, run) of failures that another run of the same cell came after, coded as `joint([cell, run])`."""
    both = joint([cell, run])
    at = np.flatnonzero(np.isin(cell, cell[~ok]))
    order = at[np.lexsort((started[at], both[at], cell[at]))]
    ends = np.append(both[order][1:] != both[order][:-1], True)  # the last start of each run of a cell
    tops = order[ends]
    tops = tops[np.lexsort((started[tops], cell[tops]))]
    last = np.append(cell[tops][1:] != cell[tops][:-1], True)
    first = np.append(True, last[:-1])
    top = tops[last]
    before = np.flatnonzero(last) - 1
    second = np.where(first[last], -np.inf, started[tops[before]])  # the last start among the other runs
    failed = np.flatnonzero(~ok)
    place = np.searchsorted(cell[top], cell[failed])
    other = np.where(run[top[place]] == run[failed], second[place], started[top[place]])
    return both[failed[other > started[failed]]]


def count(table: pa.Table) -> list[tuple[Any, ...]]:
    """(…COUNTED, rows, first start, last start) for each combination of the columns COUNTED in `table`."""
    if not table.num_rows:
        return []
    columns = [codes(table, name) for name in COUNTED]
    key = joint(columns)
    order = np.argsort(key.astype(np.uint16) if key.max() < 2**16 else key, kind="stable")  # 16 bits sort in one pass
    ordered = key[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    times = np.asarray(codes(table, "started_at"), float)[order]
    first, last = np.minimum.reduceat(times, starts), np.maximum.reduceat(times, starts)
    sizes = np.diff(np.append(starts, len(order)))
    named = [words(table, name) for name in COUNTED]
    return [
        (*(named[i][column[order[at]]] for i, column in enumerate(columns)), int(size), float(low), float(high))
        for at, size, low, high in zip(starts, sizes, first, last, strict=True)
    ]
