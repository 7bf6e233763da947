"""Where brought rows lie before they enter the pool: a DuckDB that spills to disk, so that memory stays bounded."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from steelyard.core.words import Direction
from steelyard.pool.importers.asked import Row, Told

if TYPE_CHECKING:
    import pyarrow as pa

MEMORY = "300MiB"
BATCH = 10_000
COLUMNS = {
    "benchmark": "VARCHAR", "benchmark_version": "VARCHAR", "case": "VARCHAR", "contender": "VARCHAR",
    "metric": "VARCHAR", "value": "DOUBLE", "raw": "VARCHAR", "trial": "BIGINT", "seed": "BIGINT", "status": "VARCHAR",
    "error": "VARCHAR", "duration_s": "DOUBLE", "started_at": "DOUBLE", "case_attributes": "VARCHAR",
    "case_group": "VARCHAR", "contender_config": "VARCHAR", "artifacts": "VARCHAR",
}  # fmt: skip
KEY = 'benchmark, benchmark_version, "case", contender, metric, trial'


class Staging:
    """The rows of one source. `add` takes rows one by one; formats that are tables insert into `staged` with SQL.

    artifacts: whether texts are kept (in `blobs`, until the rows are written). directions: what the file itself says of
    its metrics.
    """

    def __init__(self, told: Told, *, artifacts: bool = True) -> None:
        import duckdb

        self.told = told
        self.artifacts = artifacts
        self.directions: dict[str, Direction] = {}
        self._waiting: dict[str, bytes] = {}
        self.folder = Path(tempfile.mkdtemp(prefix="steelyard-import-"))
        self.con = duckdb.connect(
            ":memory:",
            config={"memory_limit": MEMORY, "threads": 2, "temp_directory": str(self.folder / "spill"),
                    "python_enable_replacements": False},
        )  # fmt: skip
        self.con.execute(f"CREATE TABLE staged ({', '.join(f'{quoted(n)} {kind}' for n, kind in COLUMNS.items())})")
        self.con.execute('CREATE TABLE facts ("case" VARCHAR, attributes VARCHAR)')
        self.con.execute("CREATE TABLE blobs (key VARCHAR PRIMARY KEY, data BLOB)")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.con.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def keep(self, **texts: str) -> dict[str, str]:
        """Keep texts (prompt=..., output=...) as artifacts: role -> content hash, without the empty ones."""
        kept = {}
        for role, text in texts.items():
            if text and self.artifacts:
                data = text.encode("utf-8", "backslashreplace")
                kept[role] = hashlib.sha256(data).hexdigest()
                self._waiting[kept[role]] = data
        return kept

    def add(self, rows: Iterable[Row]) -> None:
        """Stage `rows`, with the artifacts kept on the way."""
        for batch in _batched(rows):
            self.insert(_table(batch))
            self.flush()

    def insert(self, table: pa.Table) -> None:
        """Stage a table with some of the columns of `staged`."""
        self.con.register("_batch", table)
        self.con.execute("INSERT INTO staged BY NAME SELECT * FROM _batch")
        self.con.unregister("_batch")

    def flush(self) -> None:
        """Stage the artifacts that wait."""
        import pyarrow as pa

        if self._waiting:
            keys, data = pa.array(self._waiting.keys()), pa.array(self._waiting.values(), pa.binary())
            self.con.register("_kept", pa.table({"key": keys, "data": data}))
            self.con.execute("INSERT OR IGNORE INTO blobs SELECT * FROM _kept")
            self.con.unregister("_kept")
            self._waiting.clear()

    def store(self, put: Callable[[bytes], object]) -> None:
        """Hand every staged artifact to `put` (each is a forced write, so several go side by side)."""
        reader = self.con.sql("SELECT data FROM blobs").to_arrow_reader(1000)
        with ThreadPoolExecutor(8) as threads:
            for batch in reader:
                list(threads.map(put, batch.column(0).to_pylist()))

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """The answer to one question over what is staged."""
        found: list[tuple[Any, ...]] = self.con.execute(sql, values or None).fetchall()
        return found

    def settle(self) -> None:
        """Leave in `staged` one sound row for each key: drop what is no number, merge repeats; all of it is told."""
        (self.told.read,) = self.rows("SELECT count(*) FROM staged")[0]
        for reason, condition in UNSOUND.items():
            count, example = self.rows(
                f"""SELECT count(*), any_value(concat_ws(', ', benchmark, "case", contender, metric, raw))
                FROM staged WHERE {condition}"""
            )[0]
            self.told.drop(reason, count, example or "")
            if count:
                self.con.execute(f"DELETE FROM staged WHERE {condition}")
        # Grouped by a hash first: few rows repeat, and only those need their whole keys compared.
        self.con.execute(
            f"""CREATE TABLE again AS SELECT * FROM (
            SELECT rowid AS nr, value, first(value) OVER w AS kept, row_number() OVER w AS nth,
            concat_ws(', ', benchmark, "case", contender, metric) AS what
            FROM (SELECT *, rowid FROM staged WHERE hash({KEY}) IN
                  (SELECT hash({KEY}) FROM staged GROUP BY ALL HAVING count(*) > 1))
            WINDOW w AS (PARTITION BY {KEY} ORDER BY rowid)) WHERE nth > 1"""
        )
        differs = "value IS DISTINCT FROM kept"
        (self.told.merged,) = self.rows(f"SELECT count(*) FROM again WHERE NOT ({differs})")[0]
        (self.told.conflicts,) = self.rows(f"SELECT count(*) FROM again WHERE {differs}")[0]
        for what, kept, value in self.rows(f"SELECT what, kept, value FROM again WHERE {differs} ORDER BY nr LIMIT 3"):
            self.told.examples.append(f"conflict: {what}: {kept} is kept, a later {value} is not")
        self.con.execute("DELETE FROM staged WHERE rowid IN (SELECT nr FROM again)")


# A failure (status) has no value; a number has one that is finite.
UNSOUND = {
    "no case": "coalesce(\"case\", '') = ''",
    "no contender": "coalesce(contender, '') = ''",
    "no value": "status = 'ok' AND value IS NULL AND lower(trim(coalesce(raw, ''))) IN "
    "('', '-', '--', '—', '–', 'na', 'n/a', 'nan', 'null', 'none')",
    "not a number": "status = 'ok' AND value IS NULL",
    "NaN": "status = 'ok' AND isnan(value)",
    "infinite": "status = 'ok' AND isinf(value)",
}


def quoted(name: str) -> str:
    """`name` as an identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'


def number(value: Any) -> float | None:
    """`value` as a float, truth as 1 or 0; None where it is no number."""
    if isinstance(value, bool | int | float):
        return float(value)
    if isinstance(value, str):
        if value.strip().lower() in ("true", "false"):
            return float(value.strip().lower() == "true")
        try:
            return float(value) if not math.isnan(float(value)) else None
        except ValueError:
            return None
    return float(value) if hasattr(value, "__float__") else None


def scalars(values: Any) -> dict[str, Any]:
    """The entries of a mapping that one can filter by: text, numbers, truth values. A nested mapping gives a.b."""
    out: dict[str, Any] = {}
    for name, value in (values or {}).items():
        if isinstance(value, dict):
            out |= {f"{name}.{inner}": v for inner, v in scalars(value).items()}
        elif isinstance(value, str | bool | int | float):
            out[str(name)] = value
        elif hasattr(value, "__float__"):  # a JSON reader's decimals
            out[str(name)] = float(value)
    return out


def _table(rows: Iterable[Row]) -> pa.Table:
    import pyarrow as pa

    made: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    for row in rows:
        for name in COLUMNS:
            if name == "value":
                made[name].append(number(row.value) if row.status == "ok" else None)
            elif name == "raw":
                made[name].append(None if row.value is None else str(row.value)[:200])
            else:
                given = getattr(row, name)
                made[name].append(json.dumps(given, sort_keys=True, default=str) if isinstance(given, dict) else given)
    types = {"VARCHAR": pa.string(), "DOUBLE": pa.float64(), "BIGINT": pa.int64()}
    return pa.table({name: pa.array(values, types[COLUMNS[name]]) for name, values in made.items()})


def _batched(rows: Iterable[Row]) -> Iterator[tuple[Row, ...]]:
    rows = iter(rows)
    while batch := tuple(itertools.islice(rows, BATCH)):
        yield batch


def stamp(path: Path) -> float:
    """When a file that says no date was last changed (seconds since the epoch)."""
    return os.stat(path).st_mtime
