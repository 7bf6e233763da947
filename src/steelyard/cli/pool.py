"""`steelyard pool`: look into, query, export, compact and check the store of measurements."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import pyarrow as pa

app = typer.Typer(
    help="The store of every measurement: info, query, export, compact, check.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

Place = Annotated[
    str | None,
    typer.Option("--pool", metavar="PATH|URL", help="The pool; else STEELYARD_POOL, else the user's data folder."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class Format(StrEnum):
    CSV = "csv"
    PARQUET = "parquet"
    JSON = "json"


@app.command(epilog="Example: `steelyard pool info --pool s3://lab/pool`")
def info(pool: Place = None, json: Json = False) -> None:
    """Show what the pool holds, by benchmark."""
    from dataclasses import asdict

    from steelyard.pool import Pool

    found = Pool(pool, readonly=True).info()
    if json:
        _print_json(asdict(found))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("benchmark", "measurements", "failures", "cases", "contenders", "runs", "last"):
        table.add_column(name, justify="left" if name in ("benchmark", "last") else "right")
    for one in found.benchmarks:
        counts = (one.rows, one.failures, one.cases, one.contenders, one.runs)
        table.add_row(one.name, *(f"{count:,}" for count in counts), _when(one.last))
    console = Console()
    waiting = f", {found.journal_rows:,} of them still in journals" if found.journal_rows else ""
    aside = f", {found.set_aside} files set aside (steelyard pool check)" if found.set_aside else ""
    console.print(
        f"{found.path}: {found.rows:,} measurements{waiting}; {found.parts} parts, {_bytes(found.part_bytes)}{aside}",
        soft_wrap=True,
        markup=False,
        highlight=False,
    )
    if found.benchmarks:
        console.print(table)


@app.command(epilog='Example: `steelyard pool query "SELECT contender, avg(value) FROM latest GROUP BY 1"`')
def query(
    sql: Annotated[str, typer.Argument(help="One SELECT over `measurements` (every row) or `latest` (no repeats).")],
    pool: Place = None,
    json: Json = False,
    limit: Annotated[int, typer.Option(min=1, help="Rows shown at most (--json shows all).")] = 100,
) -> None:
    """Answer a question in SQL (DuckDB). It can read the pool and nothing else."""
    from steelyard.pool import Pool

    result = Pool(pool, readonly=True).query(sql)
    if json:
        from steelyard.pool.export import jsonable

        _print_json([jsonable(row) for row in result.to_pylist()])
    else:
        _print_table(result, limit)


@app.command(epilog="Example: `steelyard pool export softmax.csv --latest`")
def export(
    path: Annotated[Path, typer.Argument(help="The file to write.")],
    format: Annotated[Format | None, typer.Option(help="Else the file's ending decides.")] = None,
    latest: Annotated[bool, typer.Option(help="One row for each cell and metric, the last measured.")] = False,
    pool: Place = None,
) -> None:
    """Write the measurements to one CSV, Parquet or JSON file."""
    from steelyard.pool import Pool

    rows = Pool(pool, readonly=True).export(path, format.value if format else "", latest=latest)
    typer.echo(f"{path}: {rows:,} measurements")


@app.command(epilog="Example: `steelyard pool compact`")
def compact(pool: Place = None) -> None:
    """Merge the many small files of each benchmark into one. Writers and readers need not stop."""
    from steelyard.pool import Pool

    Pool(pool, readonly=True)  # a mistyped place must not become a new pool
    with Pool(pool) as opened:
        typer.echo(f"{opened.store.url}: {opened.compact():,} files fewer")


@app.command(epilog="Example: `steelyard pool check --set-aside`")
def check(
    pool: Place = None,
    set_aside: Annotated[bool, typer.Option("--set-aside", help="Move torn files into _torn/.")] = False,
    json: Json = False,
) -> None:
    """Read and verify everything. Exit code 1 if something is damaged."""
    import warnings
    from dataclasses import asdict

    from steelyard.core.errors import MEASURED_FAILURE
    from steelyard.pool import Pool, PoolWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PoolWarning)  # what it warns of is listed below
        opened = Pool(pool, readonly=True)
        if set_aside:
            opened = Pool(pool)
        problems = list(dict.fromkeys([*opened.problems, *opened.check()]))
        opened.close()
    if json:
        _print_json([asdict(problem) for problem in problems])
    else:
        for problem in problems:
            typer.echo(str(problem))
        typer.echo(f"{opened.store.url}: {len(problems)} problems" if problems else f"{opened.store.url}: sound")
    if problems:
        raise typer.Exit(MEASURED_FAILURE)


def _print_json(value: Any) -> None:
    import json

    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def _print_table(result: pa.Table, limit: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False)
    for name in result.column_names:
        shown.add_column(Text(name), overflow="fold")
    for row in result.slice(0, limit).to_pylist():
        shown.add_row(*(Text(f"{v:.6g}" if isinstance(v, float) else str(v)) for v in row.values()))
    console = Console()
    console.print(shown)
    if result.num_rows > limit:
        console.print(f"... {result.num_rows - limit:,} more rows (--limit)", highlight=False)


def _when(seconds: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC") if seconds else "unknown"


def _bytes(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
