"""`steelyard agree`: benchmarks against a reference and against each other, from CSV files or from the pool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from steelyard.benchmarks.stats.benchbench.catalogue import Reading, read_catalogue
from steelyard.contenders.analysis.agree import Agree
from steelyard.core.contender import build
from steelyard.core.errors import InputError
from steelyard.core.words import GATES, Direction
from steelyard.report.plain import print_json
from steelyard.report.results import load
from steelyard.report.terminal import console, interval, number, p_value, print_table
from steelyard.stats.agreement import LEAST, Agreement
from steelyard.stats.boards import Board, Question
from steelyard.stats.pairs import holm

if TYPE_CHECKING:
    from steelyard.pool import Pool

Row = dict[str, Any]


def board_of(pool: Pool, benchmarks: Sequence[str]) -> Board:
    """The pool's benchmarks as a board: each contender's mean of the primary metric, higher is better."""
    sets = [load(pool, name) for name in benchmarks]
    models = sorted({c for s in sets for c in s.contenders if c not in GATES})
    scores = np.full((len(models), len(sets)), np.nan)
    for j, s in enumerate(sets):
        if s.metric.direction is Direction.NONE:
            raise InputError(f"metric {s.metric.name} of {s.card.name} has no better or worse.", "Choose others.")
        for i, name in enumerate(models):
            if name in s.contenders and not np.isnan(s.of(name)).all():
                scores[i, j] = np.nanmean(s.of(name))
    turned = np.array([s.metric.direction is Direction.LOWER for s in sets])
    names = [s.card.name for s in sets]
    return Board(models, names, list(names), np.where(turned, -scores, scores), turned, [], [])


def against_reference(board: Board, procedure: Agree, tested: Sequence[str]) -> list[Row]:
    """One row for each of `tested` against the procedure's reference; best lower end of the interval first."""
    answers = procedure(Question(board, board.scenarios))
    rows = []
    for name in tested:
        facts = answers[name]
        rows.append({"benchmark": name, "reference": procedure.reference, **facts, **_how(procedure, facts)})
    return _sorted(rows, board.profile)


def against_each_other(board: Board, procedure: Agree, pairs: Sequence[tuple[str, str]]) -> list[Row]:
    """One row for each pair of scenarios, the second as the reference."""
    question = Question(board, [])
    rows = []
    for a, b in pairs:
        found = procedure.test(board.column(a), board.column(b), question)
        rows.append({"benchmark": a, "reference": b, **_facts(found), **_how(procedure, _facts(found))})
    return _sorted(rows, board.profile)


def _facts(a: Agreement) -> dict[str, float]:
    facts = {"common_models": float(a.common)}
    if not np.isnan(a.value):
        facts |= {"agreement": a.value, "low": a.low, "high": a.high, "p": a.p, "models": float(a.n), "sd": a.sd,
                  "repeats": float(a.repeats)}  # fmt: skip
    return facts


def _how(procedure: Agree, facts: dict[str, float]) -> Row:
    """How the models were chosen; why there is no number where there is none."""
    need = max(procedure.n, LEAST)
    subset = procedure.subset if procedure.n else "all"
    if "agreement" in facts:
        return {"subset": subset, "note": "turned round (lower is better)" if facts.get("inverted") else ""}
    n = int(facts["common_models"])
    return {"subset": subset, "note": f"not enough overlap: n={n} (need {need})" if n < need else "all scores equal"}


def _sorted(rows: list[Row], profile: str) -> list[Row]:
    key = "agreement" if profile == "published" else "low"
    rows.sort(key=lambda r: -r[key] if "agreement" in r else np.inf)
    for row, p in zip(rows, holm([r.get("p", np.nan) for r in rows]), strict=True):
        row["p_adjusted"] = float(p)
    return rows


def suggestions(board: Board, own: Sequence[str], limit: int = 10) -> dict[str, list[str]]:
    """Models that stand in `own` scenarios alone -> the nearest names elsewhere. Only suggested, never merged."""
    from rapidfuzz import fuzz, process

    mine = np.isin(board.scenarios, own)
    here, there = (
        {m for m, row in zip(board.models, ~np.isnan(board.scores[:, part]), strict=True) if row.any()}
        for part in (mine, ~mine)
    )
    found: dict[str, list[str]] = {}
    for model in sorted(here - there):
        near = process.extract(model, sorted(there), scorer=fuzz.ratio, score_cutoff=80, limit=3)
        if near and len(found) < limit:
            found[model] = [name for name, _, _ in near]
    return found


def agree_and_print(
    inputs: Sequence[str], *, catalogue: str | None, profile: str, names: str | None, lower: Sequence[str], pairs: bool,
    merges: bool, pool: str | None, as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """`steelyard agree`. options: the fields of the contender `agree`."""
    if profile not in ("sound", "published"):
        raise InputError(f"--profile is {profile!r}.", "It may be 'sound' or 'published'.")
    if options.get("reference") == "each":
        raise InputError("--reference each has no single number.", "--pairs tests every pair of scenarios.")
    procedure = build(Agree, {k: v for k, v in options.items() if v is not None}, "agree")
    if catalogue is None:
        if odd := [name for name in inputs if name.endswith(".csv")]:
            raise InputError(f"{odd[0]} needs leaderboards to agree with.", "Add --catalogue FOLDER.")
        board, reading, own = _pooled(pool, inputs), None, []
    else:
        if not Path(catalogue).is_dir():
            raise InputError(f"{catalogue} is not a folder.", "Give a folder of leaderboards (CSV: model,score).")
        files = [Path(name) for name in inputs]
        table = Path(names) if names else None
        reading = read_catalogue(Path(catalogue), files, names=table, profile=profile, lower=lower)  # type: ignore[arg-type]
        board, own = reading.board, [p.stem for p in files]
    mine = [s for s, source in zip(board.scenarios, board.sources, strict=True) if source in own]
    if merges and reading is not None:
        _print_merges(reading, as_json)
        return
    tables = {"reference": against_reference(board, procedure, mine or board.scenarios)}
    if pairs or mine or reading is None:
        chosen = [(m, s) for m in mine for s in board.scenarios if s not in mine]
        tables["pairs"] = against_each_other(board, procedure, chosen or list(combinations(board.scenarios, 2)))
    if mine or pairs or reading is None or profile == "published":
        released = {}
    else:
        there = read_catalogue(Path(catalogue or ""), names=None, profile="published").board
        released = replace(procedure, draws=0)(Question(there, there.scenarios, intervals=False))
    near = suggestions(board, mine) if mine else {}
    if as_json:
        print_json(_document(board, reading, procedure, tables, released, near))
    else:
        _print(board, reading, procedure, tables, released, near)


def _pooled(pool: str | None, names: Sequence[str]) -> Board:
    from steelyard.pool import Pool

    if len(names) < 2:
        raise InputError("agree needs leaderboards, or two benchmarks of the pool or more.",
                         "steelyard agree MINE.csv --catalogue FOLDER, or steelyard agree BENCHMARK BENCHMARK.")  # fmt: skip
    with Pool(pool, readonly=True) as store:
        return board_of(store, names)


def _document(
    board: Board, reading: Reading | None, procedure: Agree, tables: dict[str, list[Row]], released: Any, near: Any
) -> Row:
    read = {} if reading is None else {
        "skipped_files": reading.skipped, "notes": reading.notes, "merged_names": reading.merged,
        "duplicates": [{"source": s, "scenario": c, "model": m, "scores": v} for (s, c, m), v in reading.duplicates.items()],
    }  # fmt: skip
    return {
        "profile": board.profile, "procedure": {k: getattr(procedure, k) for k in procedure.__dataclass_fields__},
        "unresolved_references": [n for n in board.reference if n not in board.scenarios],
        "scenarios": len(board.scenarios), "models": len(board.models), **tables,
        "published": {k: {m: v.get(m) for m in ("agreement", "z", "rank", "common_models")} for k, v in released.items()},
        "suggestions": near, **read,
    }  # fmt: skip


def _print(
    board: Board, reading: Reading | None, procedure: Agree, tables: dict[str, list[Row]], released: Any, near: Any
) -> None:
    models = f"{procedure.subset} {procedure.n} of the shared models" if procedure.n else "all shared models"
    name = {"kendall": "Kendall's tau-b", "pearson": "Pearson's r"}[procedure.correlation]
    for title, rows in tables.items():
        numbered = [r for r in rows if "agreement" in r]
        against = f"against {procedure.reference}" if title == "reference" else "pair by pair"
        columns = [
            "benchmark",
            *(["reference"] if title == "pairs" else []),
            "value",
            "n",
            "how",
            "p",
            "z",
            "published",
            "note",
        ]
        columns = [c for c in columns if (c != "published" or released) and (c != "z" or title == "reference")]
        headers = [{"value": f"{procedure.correlation} (95%)", "p": "p (Holm)", "z": "Z", "published": "as released"}.get(c, c)
                   for c in columns]  # fmt: skip
        print_table(
            [_shown(r, released) for r in numbered], columns, f"{name} {against}, {models}, {board.profile}", headers
        )
        lacking = [r for r in rows if "agreement" not in r]
        out = console()
        for row in lacking[:8]:
            other = f" and {row['reference']}" if title == "pairs" else ""
            out.print(f"{row['benchmark']}{other}: {row['note']}", style="yellow")
        if len(lacking) > 8:
            out.print(f"and {len(lacking) - 8} more without enough overlap (--json lists them)", style="yellow")
        out.print()
    for line in _remarks(board, reading, near):
        console().print(line, style="dim")


def _shown(row: Row, released: Any) -> dict[str, str]:
    there = released.get(row["benchmark"], {})
    how = "all" if row["subset"] == "all" else f"{row['subset']} x {int(row['repeats'])}"
    return {
        "benchmark": row["benchmark"], "reference": row["reference"],
        "value": f"{row['agreement']:.3f} {interval(row['low'], row['high'])}",
        "n": f"{int(row['models'])}" + (f" of {int(row['common_models'])}" if row["models"] != row["common_models"] else ""),
        "how": how + (f", sd {number(row['sd'])}" if row["repeats"] > 1 else ""), "p": p_value(row["p_adjusted"]),
        "z": f"{row['z']:+.2f}" if "z" in row else "",
        "published": f"{there['agreement']:.3f} (n {int(there['common_models'])}, Z {there['z']:+.2f})" if "z" in there else "",
        "note": row["note"],
    }  # fmt: skip


def _remarks(board: Board, reading: Reading | None, near: dict[str, list[str]]) -> list[str]:
    lines = []
    if odd := [n for n in board.reference if n not in board.scenarios]:
        lines.append(f"reference names that match no scenario: {', '.join(odd)}")
    for model, others in near.items():
        lines.append(
            f"{model} stands in no leaderboard; near it: {', '.join(others)} (an alias in --names would join them)"
        )
    if reading is None:
        return lines
    lines += [f"left out {file}: {why}" for file, why in reading.skipped.items()] + reading.notes
    lines.append(
        f"{len(board.scenarios)} scenarios of {len(set(board.sources))} sources, {len(board.models)} models; "
        f"{len(reading.merged)} models stand under several names, {len(reading.duplicates)} cells hold several scores "
        "(the best counts): --merges lists them"
    )
    return lines


def _print_merges(reading: Reading, as_json: bool) -> None:
    merged = [{"model": m, "names": ", ".join(raw)} for m, raw in sorted(reading.merged.items())]
    twice = [{"source": s, "scenario": c, "model": m, "scores": ", ".join(map(str, v))}
             for (s, c, m), v in sorted(reading.duplicates.items())]  # fmt: skip
    if as_json:
        print_json({"merged": reading.merged, "duplicates": twice})
        return
    print_table(merged, ["model", "names"], "models that stand under several names")
    console().print()
    print_table(
        twice, ["source", "scenario", "model", "scores"], "models with several scores in one scenario; the best counts"
    )
