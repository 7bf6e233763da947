"""steelyard rank: contenders in tiers, over one or many benchmarks, by any method; and how much of a ranking survives."""

from __future__ import annotations

import typer


def rank(
    benchmarks: list[str] = typer.Argument(None, help="Benchmarks to rank over; all in the pool when none is named."),
    metric: str = typer.Option("", "--metric", help="Default: each benchmark's primary metric."),
    where: str = typer.Option("", "--where", help="Only cases for which this holds."),
    selection: str = typer.Option("", "--selection", help="Only the cases that `select --save` kept under this name."),
    method: str = typer.Option(
        "",
        "--method",
        help="bradley-terry (default), plackett-luce, plackett-luce-orders, elo, mean, mean-win-rate, normalised-mean, "
        "borda, dowdall, irt, additive; with --study several, by commas.",
    ),
    ties: str = typer.Option("", "--ties", help="half: half a win each way (bradley-terry); each: a win each way."),
    least: int = typer.Option(None, "--least", min=1, help="Refuse contenders with fewer cases. Default: 10, or half."),
    draws: int = typer.Option(200, "--draws", min=2, help="Resamples of groups of cases behind an interval."),
    study: str = typer.Option("", "--study", help="sparsity, top-k or separability: all methods on thinned data."),
    missing: str = typer.Option("", "--missing", help="With --study: fractions, such as 0,0.5,0.9."),
    repetitions: int = typer.Option(3, "--repetitions", min=1, help="With --study: how often each is thinned."),
    k: int = typer.Option(10, "--k", min=1, help="With --study top-k: how many count as the best."),
    pool: str = typer.Option(None, "--pool", help="Where measurements are kept. Default: $STEELYARD_POOL."),
    as_json: bool = typer.Option(False, "--json", help="JSON instead of a table."),
) -> None:
    """Rank contenders by what they did on each case; tiers join those the data cannot tell apart.

    Examples:

      steelyard rank softmax --where "kind == 'time'"

      steelyard rank humaneval-pro mbpp-pro --method plackett-luce --ties each

      steelyard rank humaneval-pro --study sparsity --missing 0,0.5,0.9 --repetitions 30
    """
    from steelyard.report.ranking import rank_and_print

    rank_and_print(
        benchmarks or [],
        metric=metric,
        where=where,
        selection=selection,
        method=method,
        ties=ties,
        least=least,
        draws=draws,
        study=study,
        missing=missing,
        repetitions=repetitions,
        k=k,
        pool=pool,
        as_json=as_json,
    )
