"""steelyard agree: does a benchmark rank models as the others do?"""

from __future__ import annotations

import typer


def agree(
    inputs: list[str] = typer.Argument(None, help="Your CSV files (model,score), or benchmarks of the pool."),
    catalogue: str = typer.Option(None, "--catalogue", help="Folder of leaderboards, a CSV file each."),
    reference: str = typer.Option(None, "--reference", help="aggregate (default), or the name of one scenario."),
    aggregate: str = typer.Option(None, "--aggregate", help="leave-one-out (default) or with-self."),
    n: int = typer.Option(None, "--n", min=0, help="Models in each repeat; 0 (default) takes all shared ones."),
    subset: str = typer.Option(None, "--subset", help="random (default), top, bottom, middle, somewhere (neighbours)."),
    repeats: int = typer.Option(None, "--repeats", min=1, help="Subsets drawn where they are random. Default: 10."),
    correlation: str = typer.Option(None, "--correlation", help="kendall (default) or pearson."),
    draws: int = typer.Option(None, "--draws", min=100, help="Bootstrap resamples of models. Default: 1000."),
    profile: str = typer.Option(
        "sound", "--profile", help="published repeats the released procedure with its defects."
    ),
    names: str = typer.Option(None, "--names", help="Your own table of names (CSV: kind,find,replace)."),
    lower: list[str] = typer.Option(None, "--lower", help="A source or scenario of which lower is better. Repeat."),
    pairs: bool = typer.Option(False, "--pairs", help="Also every pair of scenarios."),
    merges: bool = typer.Option(
        False, "--merges", help="Only list which names were joined and which scores stood twice."
    ),
    pool: str = typer.Option(None, "--pool", help="Where measurements are kept. Default: $STEELYARD_POOL."),
    as_json: bool = typer.Option(False, "--json", help="JSON instead of tables."),
) -> None:
    """Test whether benchmarks agree: correlation with an aggregate of others and with each, intervals over models, Z.

    Examples:

      steelyard agree my_bench.csv --catalogue leaderboards/

      steelyard agree --catalogue leaderboards/ --n 10 --subset somewhere --repeats 20

      steelyard agree humaneval-pro mbpp-pro
    """
    from steelyard.report.agreeing import agree_and_print

    agree_and_print(
        inputs or [], catalogue=catalogue, profile=profile, names=names, lower=lower or [], pairs=pairs, merges=merges,
        pool=pool, as_json=as_json, reference=reference, aggregate=aggregate, n=n, subset=subset, repeats=repeats,
        correlation=correlation, draws=draws,
    )  # fmt: skip
