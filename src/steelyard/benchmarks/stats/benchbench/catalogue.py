"""Leaderboards from CSV files: what was read, under which names, and what was wrong with it."""

from __future__ import annotations

import csv
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from steelyard.core.errors import InputError, unknown
from steelyard.stats.boards import Board, Profile

NAMES = {name: Path(__file__).with_name(file) for name, file in
         (("sound", "names.csv"), ("published", "names_published.csv"))}  # fmt: skip
MISSING = ("", "-")


@dataclass(frozen=True)
class Names:
    """The table that makes names comparable: ordered rules, then aliases; display names of scenarios."""

    model: Callable[[str], str]
    scenario: Callable[[str], str]


@dataclass
class Reading:
    """What a catalogue gave. merged: normal model name -> the raw names behind it, where there are several.

    duplicates: (file, scenario, model) -> the scores that stood there, the best of which was kept. skipped: file -> why
    it could not be read. notes: everything else that was mended or dropped, by file.
    """

    board: Board
    merged: dict[str, list[str]] = field(default_factory=dict)
    duplicates: dict[tuple[str, str, str], list[float]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_names(path: Path, display: dict[str, str] | None = None) -> Names:
    """A table of names (CSV: kind, find, replace). display: normal scenario name -> display name, from a catalogue.

    kind model and scenario: rules, regular expressions applied in order; alias: a model's raw or normal name and the
    normal name it shall have; display: a scenario's normal name and how it is shown. Raises InputError naming the line.
    """
    rules: dict[str, list[tuple[re.Pattern[str], str]]] = {"model": [], "scenario": []}
    aliases, shown = {}, dict(display or {})
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read ({error}).", f"Copy and edit {NAMES['sound']}.") from error
    for line, row in enumerate(rows, 2):
        kind, find, replace = (row.get(k) or "" for k in ("kind", "find", "replace"))
        try:
            if kind in rules:
                rules[kind].append((re.compile(find), replace))
            elif kind == "alias":
                aliases[find.strip().lower()] = replace
            elif kind == "display":
                shown[find] = replace
            else:
                raise InputError(
                    f"{path}, line {line}: kind is {kind!r}.", "It may be model, scenario, alias, display."
                )
        except re.error as error:
            raise InputError(f"{path}, line {line}: {find!r} is no regular expression ({error}).") from error

    def normal(kind: str, raw: str) -> str:
        name = raw.strip().lower()
        for pattern, replacement in rules[kind]:
            name = pattern.sub(replacement, name)
        return name

    def model(raw: str) -> str:
        name = aliases.get(raw.strip().lower()) or normal("model", raw)
        return aliases.get(name, name)

    def scenario(raw: str) -> str:
        name = normal("scenario", raw)
        return shown.get(name, name)

    return Names(model, scenario)


def read_catalogue(
    folder: Path, own: Sequence[Path] = (), *, names: Path | None = None, profile: Profile = "sound",
    lower: Sequence[str] = (),
) -> Reading:  # fmt: skip
    """Every CSV file of a catalogue (`folder/catalog` where there is one) and the user's own files, as one board.

    Beside the files may stand prettified_bencmark_names.json, lower_is_better_benchmarks.txt (file names without their
    ending, or the beginning of one), scenarios_for_aggregate.txt and scenarios_of_intereset.txt (the population of the
    Z-score); they are looked for in `folder` and above it. profile: "published" uses the released rules for names, and
    its reading of the list of directions, which compares whole file names and so finds none. lower: further sources or
    scenarios of which lower scores are better. A file that cannot be read is left out and named; an own file that
    cannot is an InputError.
    """
    place = folder / "catalog" if (folder / "catalog").is_dir() else folder
    files = sorted(place.glob("*.csv"))
    if not files:
        raise InputError(f"{folder} holds no CSV files.", "Give a folder of leaderboards: model,score in each.")
    table = read_names(names or NAMES[profile], _display(place))
    cells: dict[tuple[str, str], dict[str, list[float]]] = {}
    raw: dict[str, dict[str, None]] = defaultdict(dict)
    skipped: dict[str, str] = {}
    notes: list[str] = []
    for path in [*files, *own]:
        try:
            _read(path, table, cells, raw, notes)
        except InputError as error:
            if path in own:
                raise
            skipped[path.name] = f"{error.what} {error.cure}"
    listed = _lines(place, "lower_is_better_benchmarks.txt")
    chosen = _one_source_each(cells, [p.stem for p in own])
    models = sorted({m for key in chosen for m in cells[key]})
    at = {m: i for i, m in enumerate(models)}
    scores = np.full((len(models), len(chosen)), np.nan)
    turned = np.zeros(len(chosen), bool)
    duplicates = {}
    for j, (source, scenario) in enumerate(chosen):
        begins = profile == "sound" and any(source.startswith(f"{name}_") for name in listed)
        turned[j] = source in listed or begins or bool({source, scenario} & set(lower))
        for model, found in cells[source, scenario].items():
            scores[at[model], j] = -min(found) if turned[j] else max(found)
            if len(found) > 1:
                duplicates[source, scenario, model] = found
    if odd := sorted(set(lower) - {name for key in chosen for name in key}):
        raise unknown("source or scenario", odd[0], {name for key in chosen for name in key}, where="--lower")
    board = Board(
        models, [s for _, s in chosen], [s for s, _ in chosen], scores, turned,
        _lines(place, "scenarios_for_aggregate.txt"),
        [line.strip('"') for line in _lines(place, "scenarios_of_intereset.txt")], profile,
    )  # fmt: skip
    merged = {m: list(r) for m, r in raw.items() if len({n.strip().lower() for n in r}) > 1}
    return Reading(board, merged, duplicates, skipped, notes)


def _read(
    path: Path, names: Names, cells: dict[tuple[str, str], dict[str, list[float]]], raw: dict[str, dict[str, None]],
    notes: list[str],
) -> None:  # fmt: skip
    """Add the cells of one file, raw: normal model name -> raw names."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read ({error}).", "Give a UTF-8 CSV file: model,score.") from error
    if not rows:
        raise InputError(f"{path}: is empty.", "Give a CSV file with a header: model,score.")
    header = [h.strip() for h in rows[0]]
    at = header.index("model") if "model" in header else -1
    if at < 0:
        near = [i for i, h in enumerate(header) if h.lower().endswith("model")]
        if len(near) != 1:
            shown = ", ".join(h or "(no name)" for h in header[:6])
            raise InputError(f"{path}, line 1: no column is called model.", f"It has: {shown}. Rename one.")
        at = near[0]
        notes.append(f"{path.name}: no column is called model; {header[at]!r} was taken")
    odd = 0
    for k, column in enumerate(header):
        if k == at:
            continue
        if not column:
            notes.append(f"{path.name}: column {k + 1} has no name and was dropped")
            continue
        here = cells.setdefault((path.stem, names.scenario(column)), {})
        for row in rows[1:]:
            text = row[k].strip() if len(row) > k else ""
            if len(row) <= at or not row[at].strip() or text in MISSING:
                continue
            try:
                value = float(text)
            except ValueError:
                odd += 1
                continue
            if not np.isfinite(value):
                odd += 1
                continue
            model = names.model(row[at])
            raw[model][row[at].strip()] = None
            here.setdefault(model, []).append(value)
        if not here:
            del cells[path.stem, names.scenario(column)]
            notes.append(f"{path.name}: column {column!r} holds no number and was dropped")
    if odd:
        notes.append(f"{path.name}: {odd} cells hold text and were dropped")
    if not any(source == path.stem for source, _ in cells):
        raise InputError(f"{path}: holds no scores.", "Each row needs a model and a number.")


def _one_source_each(cells: dict[tuple[str, str], dict[str, Any]], own: Iterable[str]) -> list[tuple[str, str]]:
    """Of a scenario that several sources hold, the user's own or the one that shares most models with all others."""
    by_name: dict[str, list[str]] = defaultdict(list)
    for source, scenario in cells:
        by_name[scenario].append(source)
    mine = set(own)

    def overlap(key: tuple[str, str]) -> tuple[bool, int]:
        here = set(cells[key])
        return key[0] in mine, sum(len(here & set(other)) for at, other in cells.items() if at != key)

    return [(max(sources, key=lambda s: overlap((s, name))) if len(sources) > 1 else sources[0], name)
            for name, sources in by_name.items()]  # fmt: skip


def _beside(place: Path, name: str) -> Path | None:
    return next((p for p in (place / name, place.parent / name) if p.is_file()), None)


def _lines(place: Path, name: str) -> list[str]:
    path = _beside(place, name)
    lines = path.read_text(encoding="utf-8").splitlines() if path else []
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


@cache
def _display(place: Path) -> dict[str, str]:
    path = _beside(place, "prettified_bencmark_names.json")
    if path is None:
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise InputError(f"{path}: not valid JSON ({error}).", "It maps scenario names to display names.") from error
