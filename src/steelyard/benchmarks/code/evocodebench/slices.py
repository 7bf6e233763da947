"""Built slices by name: where they lie, and the recipes that this package brings."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from steelyard.benchmarks.code.repositories import index
from steelyard.core.errors import InputError, MissingError

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+!-]*")
RECIPES = Path(__file__).parent / "recipes"


def folder(name: str) -> Path:
    return index.folder() / "slices" / "evocodebench" / name


def find(name: str) -> Path:
    """The folder of a built slice. Raises MissingError, with the command that makes it."""
    place = folder(name)
    if (place / "data.jsonl").is_file():
        return place
    known = [path.stem for path in sorted(RECIPES.glob("*.json"))]
    cure = (
        f"steelyard build evocodebench --recipe {name}" if name in known else f"Recipes: {', '.join(known) or 'none'}."
    )
    raise MissingError(f"the slice {name!r} has not been built here.", cure)


def recipe(name: str) -> dict[str, Any]:
    """A recipe: one of this package's by name, or a file (a slice.json is one). Raises InputError for what is none."""
    path = RECIPES / f"{name}.json" if (RECIPES / f"{name}.json").is_file() else Path(name)
    if path.is_dir():
        path = path / "slice.json"
    if not path.is_file():
        known = [p.stem for p in sorted(RECIPES.glob("*.json"))]
        raise InputError(f"there is no recipe {name!r}.", f"Known: {', '.join(known)}; or give a recipe's file.")
    try:
        found = json.loads(path.read_text("utf-8"))
        if not isinstance(found, dict) or not {"name", "sources", "cases"} <= found.keys():
            raise ValueError("fields name, sources and cases are needed")
        paths = [source[key] for source in found["sources"] for key in ("name", "version", "folder")] + [found["name"]]
        paths += [part for case in found["cases"] for part in case["completion_path"].split("/")]
        if odd := [part for part in paths if not _PART.fullmatch(str(part))]:
            raise ValueError(f"{odd[0]!r} is no name of a file or folder")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: is no recipe ({error}).") from error
    return found
