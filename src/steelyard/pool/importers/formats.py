"""The formats that can be brought, and which of them a file or folder is."""

from __future__ import annotations

import gzip
import os
from collections.abc import Sequence
from pathlib import Path

from steelyard.core.errors import InputError, unknown
from steelyard.pool.importers.algoperf import AlgoPerf
from steelyard.pool.importers.asked import Format, Source
from steelyard.pool.importers.evalplus import EvalPlus
from steelyard.pool.importers.helm import Helm
from steelyard.pool.importers.humaneval import HumanEval
from steelyard.pool.importers.inspect_logs import InspectLogs
from steelyard.pool.importers.lm_eval import LmEval
from steelyard.pool.importers.tables import Leaderboard, Table

FORMATS: dict[str, Format] = {
    f.NAME: f for f in (InspectLogs(), LmEval(), Helm(), EvalPlus(), HumanEval(), AlgoPerf(), Leaderboard(), Table())
}
HEAD = 4096


def find(paths: Sequence[Path], format: str = "") -> tuple[list[Source], list[Path]]:
    """(what is to be imported, the files below folders that no format knows). format: take all for this one.

    Raises InputError for a path that is not there, a named file that no format knows, and one that several know.
    """
    if format and format not in FORMATS:
        raise unknown("format", format, FORMATS, where="--as")
    sources: list[Source] = []
    strange: list[Path] = []
    for path in paths:
        if not path.exists():
            raise InputError(f"there is no file or folder {path}.")
        files = [path] if path.is_file() else _files(path)
        root = path.parent if path.is_file() else path
        around = sorted(p for p in root.iterdir() if p.is_file()) if path.is_file() else files
        own = [
            source
            for one in ([FORMATS[format]] if format else FORMATS.values())
            for source in one.together(root, around)
            if not set(files).isdisjoint(source.files)
        ]
        taken = {file for source in own for file in source.files}
        for file in files:
            if file not in taken:
                try:
                    own.append(_file(file, format))
                except UnknownFormatError:
                    if path.is_file():
                        raise
                    strange.append(file)
        sources += sorted(own, key=lambda source: source.name)
    if not sources:
        raise InputError(
            f"nothing to import in {', '.join(map(str, paths))}.", f"Formats: {', '.join(FORMATS)} (--as)."
        )
    return list(dict.fromkeys(sources)), strange


class UnknownFormatError(InputError):
    """A file that no format knows."""


def _file(path: Path, format: str) -> Source:
    if format:
        return Source(format, path, (path,))
    head = _head(path)
    fits = [f.NAME for f in FORMATS.values() if f.recognises(path, head)]
    if len(fits) > 1 and "table" in fits:
        fits.remove("table")  # anything of columns is a table; what knows the columns goes before
    if not fits:
        raise UnknownFormatError(
            f"{path}: no format knows this file.", f"Formats: {', '.join(FORMATS)}; name one with --as."
        )
    if len(fits) > 1:
        raise InputError(f"{path}: may be {' or '.join(fits)}.", "Say which with --as.")
    return Source(fits[0], path, (path,))


def _head(path: Path) -> str:
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            return file.read(HEAD).decode("utf-8", "replace")
    except (OSError, EOFError) as error:
        raise InputError(f"{path}: cannot be read ({error}).") from error


def _files(folder: Path) -> list[Path]:
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        found += [Path(place, file) for file in sorted(files) if not file.startswith(".")]
    return found
