"""Reading JSON a piece at a time: lines, and the items of large documents."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from steelyard.core.errors import InputError
from steelyard.pool.importers.asked import Told


def opened(path: Path) -> IO[bytes]:
    """The file, unpacked where it ends in .gz."""
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def lines(path: Path, told: Told) -> Iterator[dict[str, Any]]:
    """The JSON objects of a file of lines; a line that holds none is told and left out."""
    try:
        with opened(path) as file:
            for at, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    record = json.loads(line)
                except ValueError as error:
                    told.drop("bad line", 1, f"{path.name}, line {at}: {error}")
                    continue
                if isinstance(record, dict):
                    yield record
                else:
                    told.drop("bad line", 1, f"{path.name}, line {at}: no JSON object")
    except (OSError, EOFError) as error:
        raise InputError(f"{path}: cannot be read ({error}).") from error


def items(path: Path, prefix: str) -> Iterator[Any]:
    """The items at `prefix` (ijson's way of naming a place), one in memory at a time. Raises InputError for broken JSON."""
    import ijson

    with opened(path) as file:
        try:
            yield from ijson.items(file, prefix, use_float=True)
        except (ijson.JSONError, OSError, EOFError) as error:
            raise InputError(f"{path}: is not whole JSON ({str(error).splitlines()[0]}).") from error


def pairs(path: Path, prefix: str) -> Iterator[tuple[str, Any]]:
    """The (key, value) of the object at `prefix`, one in memory at a time. Raises InputError for broken JSON."""
    import ijson

    with opened(path) as file:
        try:
            yield from ijson.kvitems(file, prefix, use_float=True)
        except (ijson.JSONError, OSError, EOFError) as error:
            raise InputError(f"{path}: is not whole JSON ({str(error).splitlines()[0]}).") from error


def document(path: Path) -> dict[str, Any]:
    """A small JSON object, whole. Raises InputError."""
    try:
        with opened(path) as file:
            found = json.load(file)
    except (OSError, EOFError, ValueError) as error:
        raise InputError(f"{path}: is not whole JSON ({error}).") from error
    if not isinstance(found, dict):
        raise InputError(f"{path}: holds no JSON object.")
    return found
