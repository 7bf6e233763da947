"""Reads rated rounds and the ratings of humans: `contest_*.json` and `sorted_ratings.json`, plain or compressed."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from steelyard.core.errors import InputError, MissingError
from steelyard.stats.contest import FEWEST, Ints, Round, integers

FIELDS = ("participant", "points", "penalty", "old_rating", "delta")
LETTERS = "ABCDEFGH"
STEP = 500.0  # what problems A, B, C ... are worth by custom: 500, 1000, 1500 ...


@dataclass(frozen=True)
class Rated:
    """A round as it was rated. changes: (n,) true rating changes, None where unknown. assumed: its problems are not
    listed in the data, so that problems A, B, C ... are taken to be worth 500, 1000, 1500 ... (or to count one each)."""

    contest: Round
    label: str
    changes: Ints | None
    assumed: bool


@dataclass
class Rounds:
    """Everything read. notes: rounds that were skipped and rows left out, with the reason."""

    rated: list[Rated] = field(default_factory=list)
    humans: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    notes: list[str] = field(default_factory=list)


def read_rounds(data: str, *, published: bool) -> Rounds:
    """The rounds of a folder. published: skip a round whose rated rows are not the whole standing, as the script does;
    else leave out the rows of teams and of those without a rating, and say so.

    Raises InputError naming file and field; MissingError where the folder is not there.
    """
    folder = Path(data)
    if not folder.is_dir():
        raise MissingError(f"{data} is no folder.", "Give the folder with contest_*.json and sorted_ratings.json.")
    files = sorted(p for p in folder.iterdir() if p.name.startswith("contest_") and ".json" in p.suffixes)
    found = Rounds()
    for path in files:
        add_round(found, _json(path), str(path), published=published)
    ratings = sorted(folder.glob("sorted_ratings.json*"))
    if not ratings:
        raise MissingError(f"{folder} has no sorted_ratings.json.", "It holds the ratings of humans, ascending.")
    found.humans = integers(_json(ratings[0]), f"{ratings[0]}: ratings")
    if (np.diff(found.humans) < 0).any():
        raise InputError(f"{ratings[0]}: the ratings are not in ascending order.", "Sort them.")
    return checked(found, data)


def checked(found: Rounds, data: str) -> Rounds:
    """The rounds, if there are any; InputError with all reasons where none is left."""
    if not found.rated:
        cure = "\n".join(found.notes) or "A round is a file contest_*.json."
        raise InputError(f"{data}: no rated round is left to rate anybody by.", cure)
    ids = [r.contest.id for r in found.rated]
    if twice := {i for i in ids if ids.count(i) > 1}:
        raise InputError(f"{data}: round {sorted(twice)[0]} stands twice.", "Drop one of its files.")
    return found


def add_round(found: Rounds, record: Mapping[str, Any], where: str, *, published: bool) -> None:
    """Check one record and add it, or a note that says why it is skipped."""
    if not isinstance(record, dict) or "contest_id" not in record or not isinstance(record.get("rows"), list):
        raise InputError(f"{where}: not a round.", f"A round has contest_id, fields and rows of {', '.join(FIELDS)}.")
    names = list(record.get("fields", FIELDS))
    for name in FIELDS[:4]:
        if name not in names:
            raise InputError(f"{where}: field {name!r} is missing.", f"The fields of a row are {', '.join(FIELDS)}.")
    at = {name: names.index(name) for name in FIELDS if name in names}
    contest = str(record["contest_id"])
    rows = _rows(found, record["rows"], at, contest, where, published)
    if len(rows) <= FEWEST:
        found.notes.append(f"round {contest} is skipped: {len(rows)} rated rows, more than {FEWEST} are needed")
        return
    if published and len(rows) != len(record["rows"]):
        lengths = f"{len(record['rows'])} rows in the standing, {len(rows)} rated"
        found.notes.append(f"round {contest} is skipped: {lengths}")
        return
    points, penalty = (np.array([row[at[name]] for row in rows], float) for name in ("points", "penalty"))
    if np.isnan(points).any() or np.isnan(penalty).any():
        raise InputError(f"{where}: points or penalty is not a number in some row.")
    order = np.lexsort((penalty, -points))
    ratings = integers([row[at["old_rating"]] for row in rows], f"{where}: old ratings")
    known = "delta" in at and all(row[at["delta"]] is not None for row in rows)
    changes = integers([row[at["delta"]] for row in rows], f"{where}: deltas")[order] if known else None
    problems = _problems(record.get("problems"), points, penalty, where)
    found.rated.append(
        Rated(
            Round(contest, points[order], penalty[order], ratings[order], problems),
            str(record.get("label", contest)),
            changes,
            not record.get("problems"),
        )
    )


def _rows(
    found: Rounds, rows: Sequence[Any], at: Mapping[str, int], contest: str, where: str, published: bool
) -> list[Any]:
    """Rows of single rated participants, each once."""
    kept, seen, lost = [], set(), {"team": 0, "unrated": 0, "repeated": 0}
    for number, row in enumerate(rows, 1):
        if not isinstance(row, list) or len(row) <= max(at.values()):
            raise InputError(f"{where}, row {number}: {row!r} has too few fields.", f"A row is {', '.join(FIELDS)}.")
        who = row[at["participant"]]
        if isinstance(who, list):
            lost["team"] += 1
        elif row[at["old_rating"]] is None:
            lost["unrated"] += 1
        elif who in seen:
            lost["repeated"] += 1
        else:
            seen.add(who)
            kept.append(row)
    found.notes += [
        f"round {contest}: {count} {kind} rows left out" for kind, count in lost.items() if count and not published
    ]
    return kept


def _problems(listed: Any, points: np.ndarray, penalty: np.ndarray, where: str) -> dict[str, float | None]:
    """index -> points of the listed problems; by custom where none are listed. See `Rated`."""
    if not listed:
        if penalty.any():
            return dict.fromkeys(LETTERS[: max(1, int(points.max()))])
        return {letter: STEP * n for n, letter in enumerate(LETTERS, 1)}
    if not isinstance(listed, dict) or not all(
        v is None or (isinstance(v, int | float) and v > 0) for v in listed.values()
    ):
        raise InputError(f"{where}: problems must map an index to points, or to null.", 'Write {"A": 500, "B": 1000}.')
    return {str(k): None if v is None else float(v) for k, v in listed.items()}


def _json(path: Path) -> Any:
    try:
        if path.suffix == ".zst":
            import zstandard

            with zstandard.open(path, "rt", encoding="utf-8") as file:
                return json.load(file)
        if path.suffix == ".gz":
            with gzip.open(path, "rt", encoding="utf-8") as file:
                return json.load(file)
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"{path}: not readable JSON ({error}).", "Plain, .gz and .zst are read.") from error
