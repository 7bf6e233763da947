"""steelyard profile: performance profiles of what was measured."""

from __future__ import annotations

from pathlib import Path

import typer


def profile(
    benchmark: str = typer.Argument(help="The benchmark."),
    with_: list[str] = typer.Option(None, "--with", "-w", help="Only these contenders; all that were weighed if none."),
    metric: str = typer.Option("", "--metric", help="A cost (lower is better) or a rate. Default: the first there is."),
    where: str = typer.Option("", "--where", help="Only cases for which this holds."),
    limit: float = typer.Option(4.0, "--limit", help="The area is taken up to this ratio to the best."),
    svg: Path = typer.Option(None, "--svg", help="Write the profiles as a chart to this file."),
    data: str = typer.Option(None, "--data", help="Of the measurements taken on this data; the newest if none."),
    pool: str = typer.Option(None, "--pool", help="Where measurements are kept. Default: $STEELYARD_POOL."),
    as_json: bool = typer.Option(False, "--json", help="JSON: rows, and the steps of every profile."),
) -> None:
    """Which share of the cases each contender solves within a multiple of the best one's cost (Dolan and More).

    Examples:

      steelyard profile softmax --where "kind == 'time'" --svg softmax.svg

      steelyard profile algoperf --metric time
    """
    from steelyard.report.profiling import profile_and_print

    profile_and_print(
        benchmark, with_ or [], metric=metric, where=where, limit=limit, svg=svg, data=data, pool=pool, as_json=as_json
    )
