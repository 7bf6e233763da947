"""steelyard claims: the ledger."""

from __future__ import annotations

import typer


def claims(
    names: list[str] = typer.Argument(None, help="Cards whose claims to judge; all when none is named."),
    measure: bool = typer.Option(True, "--measure/--no-measure", help="Measure what the pool lacks first."),
    data: str = typer.Option(None, "--data", help="Folder or file of official data for claims that need it."),
    only: str = typer.Option("", "--only", help="Only the claims with these ids (commas)."),
    fail_on: str = typer.Option("", "--fail-on", help="Exit 1 on these verdicts, e.g. fails,undecided."),
    time: str = typer.Option("", "--time", help="Start nothing new after so long: 90s, 10m."),
    pool: str = typer.Option(None, "--pool", help="Where measurements are kept. Default: $STEELYARD_POOL."),
    as_json: bool = typer.Option(False, "--json", help="JSON instead of a table."),
) -> None:
    """Judge published claims: what was published, what is measured here, and the verdict.

    Examples:  steelyard claims softmax    steelyard claims --no-measure --json    steelyard claims humaneval-pro --data ../data
    """
    from steelyard.report.ledger import judge_and_print

    judge_and_print(
        names or [], measure=measure, data=data, only=only, fail_on=fail_on, budget=time, pool=pool, as_json=as_json
    )
