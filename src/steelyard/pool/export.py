"""Writing measurements to one file that other tools read: CSV, Parquet or JSON."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steelyard.core.errors import InputError, MissingError

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = ("csv", "parquet", "json")


def export(reader: pa.RecordBatchReader, path: Path, format: str = "") -> int:
    """Stream `reader` into the file `path`, which appears when it is whole; the number of rows.

    Raises InputError for an unknown format or a folder that is not there, MissingError if it cannot be written.
    """
    format = format or path.suffix.removeprefix(".")
    if format not in FORMATS:
        raise InputError(f"unknown export format {format!r}.", f"Known: {', '.join(FORMATS)}.")
    if not path.parent.is_dir():
        raise InputError(f"there is no folder {path.parent}.")
    made = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        rows = {"csv": _csv, "parquet": _parquet, "json": _json}[format](reader, made)
        os.replace(made, path)
    except OSError as error:
        raise MissingError(f"{path}: {error.strerror or error}.", "Free some space or name another place.") from error
    finally:
        made.unlink(missing_ok=True)
    return rows


def _csv(reader: pa.RecordBatchReader, path: Path) -> int:
    from pyarrow import csv

    rows = 0
    with csv.CSVWriter(str(path), reader.schema) as out:
        for batch in reader:
            out.write_batch(batch)
            rows += len(batch)
    return rows


def _parquet(reader: pa.RecordBatchReader, path: Path) -> int:
    import pyarrow.parquet as pq

    rows = 0
    with pq.ParquetWriter(str(path), reader.schema, compression="zstd") as out:
        for batch in reader:
            out.write_batch(batch)
            rows += len(batch)
    return rows


def _json(reader: pa.RecordBatchReader, path: Path) -> int:
    rows = 0
    with open(path, "w", encoding="utf-8") as out:
        out.write("[")
        for batch in reader:
            for row in batch.to_pylist():
                out.write(("," if rows else "") + "\n" + json.dumps(jsonable(row), ensure_ascii=False))
                rows += 1
        out.write("\n]\n")
    return rows


def jsonable(row: dict[str, Any]) -> dict[str, Any]:
    """`row` with the numbers that JSON lacks (NaN, infinity) as null."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
