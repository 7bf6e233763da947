"""Reading: a locked DuckDB over one snapshot of the pool, the view `latest`, and filtered reads."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from steelyard.core.errors import InputError
from steelyard.pool.parts import Part
from steelyard.pool.schema import COLUMNS, INTEGERS, REALS, ResumeKey
from steelyard.pool.store import LocalStore, RemoteStore, Store

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

MEMORY = "700MiB"  # past this DuckDB spills to disk: a question to the pool must not crowd out what is being measured
KEY = ", ".join(f'"{name}"' for name in ResumeKey._fields)

# One number for each (resume key, metric): the one that was started last; of those started together, a number goes
# before a failure. A failure also gives way to any later run of its cell, whatever metric that run reports.
LATEST = f"""
WITH one AS (
  SELECT * FROM {{rows}}
  QUALIFY row_number() OVER (PARTITION BY {KEY}, metric ORDER BY started_at DESC, status = 'ok' DESC, run DESC) = 1),
mended AS (
  SELECT DISTINCT {KEY}, failed.run
  FROM (SELECT * FROM {{rows}} WHERE status <> 'ok') failed JOIN {{rows}} later USING ({KEY})
  WHERE later.run <> failed.run AND later.started_at > failed.started_at)
SELECT one.* FROM one LEFT JOIN (SELECT *, true AS gone FROM mended) mended
  ON one.status <> 'ok' AND {" AND ".join(f'one."{name}" = mended."{name}"' for name in (*ResumeKey._fields, "run"))}
WHERE gone IS NULL
"""


@dataclass(frozen=True)
class Snapshot:
    """What the pool holds at one moment: part files, and the rows still in journals."""

    parts: tuple[Part, ...]
    journal: pa.Table


@contextmanager
def connect(store: Store, snapshot: Snapshot, until: float | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB connection with the views `measurements` and `latest`, which can reach no file but the parts.

    until: the views leave out what was started later (seconds since the epoch).
    SQL from a viewer or a command line runs here: no other file, no network, no extension, no setting can be touched.
    """
    import duckdb

    con = duckdb.connect(":memory:", config={"python_enable_replacements": False})
    try:
        # A folder of this connection alone (DuckDB makes it when it spills, and deletes it).
        spill = f"{tempfile.gettempdir()}/steelyard-duckdb-{os.getpid()}-{os.urandom(4).hex()}"
        con.execute(f"SET temp_directory = {_text(spill)}")
        con.execute(f"SET memory_limit = '{MEMORY}'")
        con.register("_journal", snapshot.journal)
        sources = ["SELECT * FROM _journal"]
        names = [part.name for part in snapshot.parts]
        if names and isinstance(store, LocalStore):
            paths = "[" + ", ".join(_text(str(store.root / name)) for name in names) + "]"
            con.execute(f"SET allowed_paths = {paths}")
            sources.append(f"SELECT * FROM read_parquet({paths}, hive_partitioning = false)")
        elif names and isinstance(store, RemoteStore):
            con.register("_parts", store.dataset(names))
            sources.append("SELECT * FROM _parts")
        rows = " UNION ALL BY NAME ".join(reversed(sources))
        if until is not None:
            rows = f"SELECT * FROM ({rows}) WHERE started_at <= {float(until)!r}"
        con.execute(f"CREATE VIEW measurements AS {rows}")
        con.execute(f"CREATE VIEW latest AS {LATEST.format(rows='measurements')}")
        con.execute("SET enable_external_access = false")
        con.execute("SET lock_configuration = true")
        yield con
    finally:
        con.close()


def answer(
    con: duckdb.DuckDBPyConnection, sql: str, params: Any, within_s: float | None, at_most: int | None
) -> pa.Table:
    """The result of `sql`, its first `at_most` rows. Raises InputError where it takes longer than `within_s` seconds."""
    import duckdb

    clock = threading.Timer(within_s or 0.0, con.interrupt)
    clock.daemon = True
    if within_s is not None:
        clock.start()
    try:
        asked = con.sql(sql, params=params)
        return (asked if at_most is None else asked.limit(at_most)).to_arrow_table()
    except duckdb.InterruptException as error:
        raise InputError(
            f"SQL: stopped after {within_s:g} s.", "Ask for less, or use `steelyard pool query`."
        ) from error
    finally:
        clock.cancel()


def select_only(sql: str) -> None:
    """Raises InputError unless `sql` is exactly one statement that only reads."""
    import duckdb

    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise sql_error(error) from error
    if len(statements) != 1:
        raise InputError(f"SQL: {len(statements)} statements were given.", "Give one SELECT.")
    kinds = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}
    if statements[0].type not in kinds:
        raise InputError(
            f"SQL: {statements[0].type.name} is not allowed.",
            "The pool is append-only: give one SELECT; `pool export` writes files.",
        )


def sql_error(error: Exception) -> InputError:
    """The error for SQL that DuckDB refuses."""
    return InputError(
        f"SQL: {str(error).strip()}", f"Tables: measurements, latest (no repeats). Columns: {', '.join(COLUMNS)}."
    )


def filtered(
    filters: Mapping[str, str | Sequence[str] | None], where: str, columns: Sequence[str], latest: bool
) -> tuple[str, list[Any]]:
    """The SELECT of a filtered read, and its parameters.

    filters: column -> one value or several; None leaves it free. They choose the rows that `latest` sees; `where`
    (SQL) applies afterwards. Raises InputError for an unknown column.
    """
    wrong = [name for name in columns if name not in COLUMNS]
    if wrong:
        raise InputError(f"unknown column {', '.join(wrong)}.", f"Columns: {', '.join(COLUMNS)}.")
    conditions, values = [], []
    for name, wanted in filters.items():
        if wanted is not None:
            several = [wanted] if isinstance(wanted, str) else list(wanted)
            conditions.append(f'"{name}" IN (SELECT unnest(?::VARCHAR[]))')
            values.append(several)
    chosen = "SELECT * FROM measurements" + (f" WHERE {' AND '.join(conditions)}" if conditions else "")
    names = ", ".join(f'"{name}"' for name in columns)
    inner = f"({LATEST.format(rows='chosen')})" if latest else "chosen"
    return f"WITH chosen AS ({chosen}) SELECT {names} FROM {inner}" + (f" WHERE ({where})" if where else ""), values


def encoded(reader: pa.RecordBatchReader) -> pa.Table:
    """The stream as one table with its text dictionary-encoded (batch by batch, so that memory stays small)."""
    import pyarrow as pa

    batches = []
    for batch in reader:
        columns = [
            column if name in REALS | INTEGERS else column.cast(pa.string()).dictionary_encode()
            for name, column in zip(batch.schema.names, batch.columns, strict=True)
        ]
        batches.append(pa.RecordBatch.from_arrays(columns, names=batch.schema.names))
    if not batches:
        return pa.table(
            {
                n: pa.array([], pa.float64() if n in REALS else pa.int64() if n in INTEGERS else pa.string())
                for n in reader.schema.names
            }
        )
    return pa.Table.from_batches(batches).unify_dictionaries()


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
