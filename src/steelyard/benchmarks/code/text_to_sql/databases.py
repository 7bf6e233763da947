"""Runs queries that nobody trusts on SQLite databases: a copy in memory, reading only, with limits."""

from __future__ import annotations

import sqlite3
import threading
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from steelyard.core.errors import InputError, MissingError

MOST_ROWS = 200_000
MOST_BYTES = 64 << 20  # of texts and blobs in one result
_TURN = threading.Lock()
_READS = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)
# no query of a benchmark needs more; without them one operator (a LIKE, a replicated string) could run for minutes
_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 1_000_000,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 100_000,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1_000,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 50,
}
_STEPS = 500  # virtual instructions between two looks at the clock

Row = tuple[object, ...]


@dataclass(frozen=True)
class Table:
    """What a query returned. error: why it returned nothing ("timeout", "may only read: ...", SQLite's message)."""

    columns: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    error: str = ""


@lru_cache(maxsize=8)
def open_copy(path: Path) -> sqlite3.Connection:
    """The database of a .sqlite file or a .sql script as a copy in memory that nothing can write to.

    Raises MissingError for a file that is not here, InputError for one that is no database.
    """
    if not path.is_file():
        raise MissingError(
            f"{path}: no such database.", "Spider keeps database/<db_id>/<db_id>.sqlite beside dev.json."
        )
    copy = sqlite3.connect(":memory:", check_same_thread=False)
    copy.text_factory = lambda raw: raw.decode("utf-8", "replace")
    try:
        if path.suffix == ".sql":
            copy.executescript(path.read_text(encoding="utf-8"))
        else:
            source = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
            source.backup(copy)
            source.close()
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is no SQLite database ({error}).") from error
    copy.execute("PRAGMA query_only = ON")
    copy.execute("PRAGMA temp_store = MEMORY")
    for limit, most in _LIMITS.items():
        copy.setlimit(limit, most)
    copy.set_authorizer(lambda action, *_: sqlite3.SQLITE_OK if action in _READS else sqlite3.SQLITE_DENY)
    return copy


def query(path: Path, sql: str, limit_s: float) -> Table:
    """Run one statement. It may only read; it ends after `limit_s` seconds of wall time or when its result is too large."""
    with _TURN:  # the clock belongs to the connection: one query at a time
        connection = open_copy(path)
        deadline = time.monotonic() + limit_s
        connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
        try:
            return _fetched(connection.execute(sql), deadline)
        except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
            return Table(error=_reason(str(error)))
        except (MemoryError, OverflowError) as error:
            return Table(error=f"too much for one query: {type(error).__name__}")
        finally:
            connection.set_progress_handler(None, 0)


def _fetched(cursor: sqlite3.Cursor, deadline: float) -> Table:
    columns = tuple(c[0] for c in cursor.description or ())
    rows, size = [], 0
    for row in cursor:
        rows.append(row)
        size += sum(len(value) for value in row if isinstance(value, str | bytes))
        if time.monotonic() > deadline:
            return Table(error="timeout")
        if len(rows) > MOST_ROWS or size > MOST_BYTES:
            return Table(error=f"more than {MOST_ROWS:,} rows or {MOST_BYTES:,} bytes")
    return Table(columns, tuple(rows)) if columns else Table(error="returns no table")


def schema(path: Path) -> str:
    """The CREATE TABLE statements, in the order they were made."""
    found = open_copy(path).execute("SELECT sql FROM sqlite_master WHERE type = 'table' AND sql IS NOT NULL")
    return "\n".join(str(sql).strip() for (sql,) in found)


def _reason(message: str) -> str:
    if message == "interrupted":
        return "timeout"
    return (
        f"may only read: {message}"
        if message in ("not authorized", "attempt to write a readonly database")
        else message
    )
