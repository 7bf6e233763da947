"""steelyard rank: contenders in tiers, over one or many benchmarks."""

from __future__ import annotations

import typer


def rank(
    benchmarks: list[str] = typer.Argument(None, help="Benchmarks to rank over; all in the pool when none is named."),
    metric: str = typer.Option("", "--metric", help="Default: each benchmark's primary metric."),
    where: str = typer.Option("", "--where", help="Only cases for which this holds."),
    pool: str = typer.Option(None, "--pool", help="Where measurements are kept. Default: $STEELYARD_POOL."),
    as_json: bool = typer.Option(False, "--json", help="JSON instead of a table."),
) -> None:
    """Rank contenders by their order on each case; tiers join those the data cannot tell apart.

    Examples:  steelyard rank softmax --where "kind == 'time'"    steelyard rank humaneval-pro mbpp-pro
    """
    from steelyard.report.ranking import rank_and_print

    rank_and_print(benchmarks or [], metric=metric, where=where, pool=pool, as_json=as_json)
