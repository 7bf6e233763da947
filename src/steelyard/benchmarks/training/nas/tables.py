"""Tables of runs: `Random FOO` beside `FOO`, one row a run, one file a data set."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from steelyard.core.errors import InputError
from steelyard.stats.search_gain import check_units

ALIASES = {"MANAS-LS": "MANAS"}
RANDOM = "Random "


@dataclass(frozen=True, eq=False)
class Sheet:
    """One table of runs. columns: headers without blanks at their ends; values: (runs, columns), NaN where empty."""

    name: str
    columns: list[str]
    values: np.ndarray

    def column(self, name: str) -> np.ndarray:
        """The numbers of one column, empty cells left out."""
        v = self.values[:, self.columns.index(name)]
        return np.asarray(v[~np.isnan(v)])

    @property
    def methods(self) -> dict[str, str]:
        """Method -> its column, in the file's order: every column that has a `Random` twin, aliases resolved."""
        return {ALIASES.get(c, c): c for c in self.columns if self.twin(c) in self.columns}

    def random(self, method: str) -> np.ndarray:
        return self.column(self.twin(self.methods[method]))

    def searched(self, method: str) -> np.ndarray:
        return self.column(self.methods[method])

    def twin(self, column: str) -> str:
        """The column of random runs that belongs to a method's column, whether or not it is there."""
        plain = RANDOM + column
        return plain if plain in self.columns else RANDOM + ALIASES.get(column, column)


def read_sheet(path: Path) -> Sheet:
    """Read a CSV of runs. InputError names the line of text that is no number, a header that stands twice, no rows."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path}: cannot be read ({error}).", "Give a CSV file: Random FOO,FOO, one row a run."
        ) from error
    if len(rows) < 2:
        raise InputError(f"{path}: holds no runs.", "Give a header (Random FOO,FOO) and one row a run.")
    columns = [c.strip() for c in rows[0]]
    if twice := {c for c in columns if columns.count(c) > 1}:
        raise InputError(f"{path}, line 1: column {sorted(twice)[0]!r} stands twice.", "Give each column its own name.")
    values = np.full((len(rows) - 1, len(columns)), np.nan)
    for i, row in enumerate(rows[1:]):
        for j, cell in enumerate(row[: len(columns)]):
            if cell.strip():
                try:
                    values[i, j] = float(cell)
                except ValueError:
                    values[i, j] = math.inf
                if not math.isfinite(values[i, j]):
                    raise InputError(
                        f"{path}, line {i + 2}: {columns[j]!r} is {cell!r}.", "Give a number or leave it empty."
                    )
    sheet = Sheet(path.stem, columns, values)
    sides = [c for column in sheet.methods.values() for c in (column, sheet.twin(column))]
    try:
        check_units({c: sheet.column(c) for c in sides})
    except InputError as error:
        raise InputError(f"{path}: {error.what}", error.cure) from None
    return sheet


def read_sheets(data: Path) -> list[Sheet]:
    """The tables of runs of a file, or of a folder or its `performance`; other tables (the recipe ladder) are left out.

    Raises InputError where there is none.
    """
    place = data / "performance" if (data / "performance").is_dir() else data
    paths = sorted(place.glob("*.csv")) if place.is_dir() else [place]
    sheets = [read_sheet(p) for p in paths if p.stem != "Augmentation"]
    sheets = [s for s in sheets if s.methods]
    if not sheets:
        raise InputError(f"{data}: no table has a column FOO beside a column `Random FOO`.", "Name the columns so.")
    return sheets


def read_ladder(data: Path) -> Sheet | None:
    """The recipe ladder, `Augmentation.csv`: one column a recipe, one row an architecture."""
    path = next(
        (p for p in (data / "performance" / "Augmentation.csv", data / "Augmentation.csv") if p.is_file()), None
    )
    return read_sheet(path) if path else None
