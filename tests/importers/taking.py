"""Bringing one file or folder in a test, and looking at what the pool then holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from steelyard import catalog
from steelyard.core.words import Direction
from steelyard.pool import Pool
from steelyard.pool.importers import Asked, Told, find, take

HIGHER, LOWER = Direction.HIGHER, Direction.LOWER


def bring(pool: Pool | None, path: Path, format: str = "", *, dry: bool = False, **asked: Any) -> Told:
    """Import the single source at `path`."""
    [source], _ = find([path], format)
    ours = {entry.name: entry.card for entry in catalog.benchmarks()}
    return take(pool, source, Asked(**asked), ours, dry=dry)


def rows(pool: Pool, sql: str = "SELECT * FROM latest ORDER BY ALL") -> list[tuple[Any, ...]]:
    table = pool.query(sql)
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def csv(folder: Path, text: str, name: str = "scores.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path
