"""Texts to measure on: topics of Python's documentation, which are everywhere, and rows of files that a user names."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from steelyard.core.errors import InputError

HELD_APART = "compound"
SHORTEST = 4000  # characters: about a thousand tokens


def topics() -> dict[str, str]:
    """Topic -> text of those long enough to make a window, without the one for calibration and without repetitions."""
    from pydoc_data.topics import topics as everything

    chosen: dict[str, str] = {}
    for name, text in sorted(everything.items(), key=lambda item: -len(item[1])):
        if name == HELD_APART or len(text) < SHORTEST:
            continue
        if not any(text[500:700] in other for other in (*chosen.values(), everything[HELD_APART])):
            chosen[name] = text
    return dict(sorted(chosen.items()))


def calibration() -> str:
    """The text that a method may look at before anything is measured."""
    from pydoc_data.topics import topics as everything

    return everything[HELD_APART]


def rows(file: Path, notes: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and fields (small letters) of each record of .jsonl, .jsonl.gz, or .json (a list, one object, or `Data` as of TriviaQA).

    What is no record is noted and passed over. Raises InputError for a .json that is none.
    """
    text = (gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()).decode()
    if file.suffix == ".json":
        try:
            whole = json.loads(text)
        except json.JSONDecodeError as error:
            raise InputError(f"{file}: not JSON ({error}).", "Lines of JSON end in .jsonl.") from error
        found: Iterator[tuple[int, Any]] = enumerate(
            whole.get("Data", [whole]) if isinstance(whole, dict) else whole, 1
        )
    else:
        found = _parsed(file, text, notes)
    for number, row in found:
        if isinstance(row, dict):
            yield number, {name.lower(): value for name, value in row.items()}
        else:
            notes.append(f"{file}, record {number}: not an object.")


def _parsed(file: Path, text: str, notes: list[str]) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.splitlines(), 1):
        try:
            yield number, json.loads(line)
        except json.JSONDecodeError as error:
            notes.append(f"{file}, line {number}: {error}.")
