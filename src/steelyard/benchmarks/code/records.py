"""Reads the problem files of code benchmarks: .json, .jsonl, either gzipped, or a data set of the hub."""

from __future__ import annotations

import gzip
import importlib.util
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steelyard.core.errors import InputError, MissingError


@dataclass(frozen=True, slots=True)
class Record:
    """One problem, and where it stands (for messages)."""

    where: str
    fields: dict[str, Any]

    def need(self, names: Sequence[str]) -> None:
        """Raises InputError naming the place and the first field that is not here."""
        for name in names:
            if name not in self.fields:
                raise InputError(f"{self.where}: field {name!r} is missing.", f"Each record needs: {', '.join(names)}.")

    def text(self, name: str) -> str:
        """A field that must be text; InputError names the place and the field when it is something else."""
        value = self.fields[name]
        if not isinstance(value, str):
            raise InputError(f"{self.where}: field {name!r} is {type(value).__name__}, not text.")
        return value


def read_records(data: str | Path, fields: Sequence[str], key: str, split: str = "test") -> list[Record]:
    """The records of a file or of `hf:NAME`, each with all of `fields`, `key` different in each (no key: "").

    Raises InputError naming file, line (or record), field; MissingError when a file or `datasets` is not here.
    """
    if str(data).startswith("hf:"):
        records = list(_hub(str(data).removeprefix("hf:"), split))
    else:
        records = list(_file(Path(data)))
    if not records:
        raise InputError(f"{data}: holds no records.", f"Each record needs: {', '.join(fields)}.")
    seen: dict[Any, str] = {}
    for record in records:
        record.need(fields)
        if not key:
            continue
        identity = str(record.fields[key])
        if identity in seen:
            cure = f"It stands first at {seen[identity]}. Drop one of the two."
            raise InputError(f"{record.where}: {key} {identity!r} stands twice.", cure)
        seen[identity] = record.where
    return records


def _file(path: Path) -> Iterator[Record]:
    if not path.is_file():
        raise MissingError(f"{path}: no such file.", "Give --data the path of the official file, or leave --data out.")
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8")
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read ({error}).") from error
    except UnicodeDecodeError as error:
        bad = error.object.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}, line {bad}: is not UTF-8 ({error.reason}).", "Save the file as UTF-8.") from error
    if ".jsonl" in path.suffixes or not text.lstrip().startswith("["):
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                where = f"{path}, line {number}"
                yield _record(where, _json(where, line))
        return
    for at, item in enumerate(_json(str(path), text)):
        yield _record(f"{path}, record {at}", item)


def _json(where: str, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{where}: not valid JSON: {error}.") from error


def _record(where: str, item: Any) -> Record:
    if not isinstance(item, dict):
        raise InputError(f"{where}: is {type(item).__name__}, not an object with named fields.")
    return Record(where, item)


def _hub(name: str, split: str) -> Iterator[Record]:
    if importlib.util.find_spec("datasets") is None:
        raise MissingError(
            f"hf:{name} needs the library 'datasets', which is not installed.",
            "pip install datasets   or download the file yourself and give its path to --data.",
        )
    import datasets  # type: ignore[import-not-found,unused-ignore]

    for number, item in enumerate(datasets.load_dataset(name, split=split)):
        yield _record(f"hf:{name}, record {number}", dict(item))
