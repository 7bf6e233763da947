"""`steelyard import`: bring what other tools measured into the pool, and print what became of it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from steelyard import catalog
from steelyard.core.errors import BAD_INPUT, InputError, MissingError
from steelyard.core.words import Direction
from steelyard.report.plain import print_json
from steelyard.report.terminal import console, print_table

if TYPE_CHECKING:
    from steelyard.pool import Pool
    from steelyard.pool.importers import Asked, Told


def import_files(
    paths: Sequence[Path],
    asked: Asked,
    *,
    pool: Pool | None,
    format: str = "",
    dry: bool = False,
    progress: bool = False,
) -> tuple[list[Told], list[str]]:
    """Import all of `paths`; what became of each source, and the errors of those that were refused.

    pool: None (with `dry`) where there is none yet. A refused source leaves no trace, and the others are imported all the
    same; with one source its error is raised. Raises InputError.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from steelyard.pool.importers import find, take

    sources, strange = find(paths, format)
    ours = {entry.name: entry.card for entry in catalog.benchmarks()}
    told: list[Told] = []
    refused: list[str] = []
    shown = progress and len(sources) > 1 and sys.stderr.isatty()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not shown) as bar:
        task = bar.add_task("importing", total=len(sources))
        for source in sources:
            try:
                told.append(take(pool, source, asked, ours, dry=dry))
            except InputError as error:
                if len(sources) == 1:
                    raise
                refused.append(str(error))
            bar.advance(task)
    if strange:
        names = ", ".join(str(p) for p in strange[:3]) + (" ..." if len(strange) > 3 else "")
        refused.append(f"{len(strange)} files below the folders are of no known format, left alone: {names}")
    return told, refused


def import_and_print(
    paths: Sequence[Path], *, format: str, benchmark: str, contender: str, mapping: str, higher: Sequence[str],
    lower: Sequence[str], neither: Sequence[str], cases: Path | None, measured: bool, artifacts: bool, dry: bool,
    pool: str | None, as_json: bool,
) -> None:  # fmt: skip
    """`steelyard import`; exit code 2 where something was refused, though the rest is imported."""
    from steelyard.pool import Pool
    from steelyard.pool.importers import Asked

    ways = ((Direction.HIGHER, higher), (Direction.LOWER, lower), (Direction.NONE, neither))
    asked = Asked(
        benchmark, contender, _mapping(mapping), [(pattern, way) for way, patterns in ways for pattern in patterns], cases,
        measured, artifacts,
    )  # fmt: skip
    if twice := {p for p in [*higher, *lower, *neither] if [*higher, *lower, *neither].count(p) > 1}:
        raise InputError(f"{sorted(twice)[0]!r} is declared twice, with two directions.")
    if cases is not None and not cases.is_file():
        raise InputError(f"--cases: there is no file {cases}.")
    if dry:
        try:
            told, refused = import_files(paths, asked, pool=Pool(pool, readonly=True), format=format, dry=True)
        except MissingError:
            told, refused = import_files(paths, asked, pool=None, format=format, dry=True)
    else:
        with Pool(pool) as store:
            told, refused = import_files(paths, asked, pool=store, format=format, progress=True)
    if as_json:
        print_json({"dry_run": dry, "sources": [asdict(one) for one in told], "refused": refused})
    else:
        print_told(told, refused, dry)
    if any("no known format" not in line for line in refused):
        raise SystemExit(BAD_INPUT)


def _mapping(text: str) -> dict[str, str]:
    """`case=sample_id,value=score` as a mapping. Raises InputError for anything else."""
    made = {}
    for pair in filter(None, text.split(",")):
        field, equals, column = pair.partition("=")
        if not equals or not field.strip() or not column.strip():
            raise InputError(
                f"--map: {pair!r} is no FIELD=COLUMN.", "Write --map case=sample_id,contender=model,value=score"
            )
        made[field.strip()] = column.strip()
    return made


def print_told(told: Sequence[Told], refused: Sequence[str], dry: bool) -> None:
    """One row a source; then, for few sources, what each field came from and which way each metric is better."""
    out = console()
    rows = [
        {
            "source": Path(one.source).name, "format": one.format,
            "benchmarks": ", ".join(b["benchmark"] for b in one.benchmarks[:3]) + (" ..." if len(one.benchmarks) > 3 else ""),
            "read": one.read, "added": one.added, "merged": one.merged, "conflicts": one.conflicts,
            "dropped": sum(one.dropped.values()), "notes": "in the pool already" if one.known else "",
        }
        for one in told
    ]  # fmt: skip
    columns = ["source", "format", "benchmarks", "read", "added", "merged", "conflicts", "dropped", "notes"]
    print_table(rows, columns, "dry run: nothing is written" if dry else "")
    for one in told if len(told) <= 3 else ():
        out.print(f"\n{one.source}", style="bold", markup=False)
        for field, column in one.mapped.items():
            out.print(f"  {field:24} <- {column}", markup=False)
        ways = {"higher": "higher is better", "lower": "lower is better", "none": "a fact, never ranked"}
        for m in one.metrics[:20]:
            unit = f", {m['unit']}" if m["unit"] != "1" else ""
            what = f"{ways[m['direction']]} ({m['known']}), {m['kind']}{unit}"
            out.print(f"  {m['benchmark']}/{m['metric']}: {what}", markup=False)
        if len(one.metrics) > 20:
            out.print(f"  and {len(one.metrics) - 20} metrics more (--json)")
    for one in told:
        name = f"{Path(one.source).name}: " if len(told) > 3 else "  "
        for reason, count in one.dropped.items():
            out.print(f"{name}dropped {count:,}: {reason}", style="yellow", markup=False)
        for line in [*one.examples, *(one.notes if len(told) <= 3 else [])]:
            out.print(f"{name}{line}", style="dim", markup=False)
    for line in refused:
        out.print(f"refused: {line}", style="red", markup=False)
    names = sorted({b["benchmark"] for t in told for b in t.benchmarks})
    if names and not dry:
        places = names[0] if len(names) == 1 else f"{len(names)} benchmarks"
        out.print(f"\n{sum(t.added for t in told):,} measurements added to {places}.", markup=False)
        out.print(f"Look at them:  steelyard rank {names[0]}", markup=False)
