"""steelyard compare: contenders against the first named one, paired by case."""

from __future__ import annotations

import typer


def compare(
    contenders: list[str] = typer.Argument(help="Two or more contenders; the first is the one compared with."),
    on: str = typer.Option(..., "--on", help="The benchmark."),
    metric: str = typer.Option("", "--metric", help="Default: the benchmark's primary metric."),
    where: str = typer.Option("", "--where", help="Only cases for which this holds."),
    selection: str = typer.Option("", "--selection", help="Only the cases that `select --save` kept under this name."),
    measure: bool = typer.Option(False, "--measure", help="Measure what the pool lacks first."),
    margin: float = typer.Option(None, "--margin", help="Test for equivalence within this difference (or ratio - 1)."),
    data: str = typer.Option(None, "--data", help="With --measure: official data."),
    trials: int = typer.Option(None, "--trials", min=1, help="With --measure: repetitions of every cell."),
    limit: int = typer.Option(None, "--limit", min=1, help="With --measure: at most so many cases."),
    pool: str = typer.Option(None, "--pool", help="Where measurements are kept. Default: $STEELYARD_POOL."),
    as_json: bool = typer.Option(False, "--json", help="JSON: rows of {contender, estimate, low, high, ...}."),
) -> None:
    """Compare contenders on a benchmark: estimates and differences with intervals, Holm-corrected p-values, power.

    Examples:

      steelyard compare three-pass-reload two-pass torch --on softmax --where "bytes > llc_bytes"

      steelyard compare smollm2 "smollm2+self-debug" --on humaneval-pro --measure
    """
    from steelyard.report.comparing import compare_and_print

    compare_and_print(
        contenders,
        on,
        metric=metric,
        where=where,
        selection=selection,
        measure=measure,
        margin=margin,
        data=data,
        trials=trials,
        limit=limit,
        pool=pool,
        as_json=as_json,
    )
