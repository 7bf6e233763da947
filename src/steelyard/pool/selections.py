"""Saved selections: named lists of cases, kept beside the measurements they choose from."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from steelyard.core.errors import unknown
from steelyard.pool.schema import folder
from steelyard.pool.store import Store

FOLDER = "_selections"


def put_selection(store: Store, name: str, cases: Mapping[str, Sequence[str]], made: Mapping[str, Any]) -> None:
    """Keep the selection `name`: benchmark -> case ids. made: how it came about (query, filter, cuts).

    An earlier selection of that name is replaced.
    """
    text = json.dumps({"cases": {b: list(ids) for b, ids in cases.items()}, "made": dict(made)}, ensure_ascii=False)
    scratch = store.scratch / f"selection.{os.getpid()}.{os.urandom(4).hex()}"
    scratch.write_text(text, encoding="utf-8")
    store.place(scratch, _file(name))


def get_selection(store: Store, name: str) -> dict[str, set[str]]:
    """Benchmark -> case ids of the selection `name`. Raises InputError with near names when there is none."""
    try:
        kept = json.loads(store.read(_file(name)))
    except FileNotFoundError:
        raise unknown("selection", name, names(store)) from None
    return {benchmark: set(ids) for benchmark, ids in kept["cases"].items()}


def names(store: Store) -> list[str]:
    """The selections that are kept here."""
    return sorted(e.name.removeprefix(f"{FOLDER}/").removesuffix(".json") for e in store.files(FOLDER))


def _file(name: str) -> str:
    folder(name)  # refuses what makes no file name
    return f"{FOLDER}/{name}.json"
