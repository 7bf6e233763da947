"""steelyard gain: searched runs against the average random draw from the same space."""

from __future__ import annotations

import typer


def gain(
    inputs: list[str] = typer.Argument(
        help="CSV files or folders (columns Random FOO,FOO); with --on: two contenders."
    ),
    on: str = typer.Option(
        "", "--on", help="A benchmark of the pool: SEARCHED and RANDOM are contenders, trials are runs."
    ),
    metric: str = typer.Option("", "--metric", help="With --on. Default: the benchmark's primary metric."),
    pool: str = typer.Option(None, "--pool", help="Where measurements are kept. Default: $STEELYARD_POOL."),
    as_json: bool = typer.Option(False, "--json", help="JSON instead of a table."),
) -> None:
    """Did a search buy anything? Relative improvement over random draws with intervals, tests, Holm over all cells.

    Examples:

      steelyard gain runs.csv

      steelyard gain tuned untuned --on humaneval-pro
    """
    from steelyard.report.gaining import gain_and_print

    gain_and_print(inputs, on=on, metric=metric, pool=pool, as_json=as_json)
