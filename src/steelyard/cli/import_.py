"""steelyard import: measurements that other tools took."""

from __future__ import annotations

from pathlib import Path

import typer


def import_(
    paths: list[Path] = typer.Argument(help="Files, or folders with them."),
    format: str = typer.Option(
        "",
        "--as",
        help="inspect, lm-eval, helm, evalplus, human-eval, algoperf, leaderboard, table. Default: detected.",
    ),
    benchmark: str = typer.Option("", "--benchmark", "-b", help="The benchmark's name. Default: what the files say."),
    contender: str = typer.Option("", "--contender", help="Who was measured, where the files do not say."),
    mapping: str = typer.Option(
        "", "--map", help="FIELD=COLUMN,... for tables. A field that is none of ours becomes a case attribute."
    ),
    higher: list[str] = typer.Option(
        [], "--higher-is-better", help="A metric (or pattern) that is better when higher."
    ),
    lower: list[str] = typer.Option([], "--lower-is-better", help="A metric (or pattern) that is better when lower."),
    neither: list[str] = typer.Option([], "--no-direction", help="A metric (or pattern) that is a plain fact."),
    cases: Path = typer.Option(
        None, "--cases", help="A table with one row a case: its columns become case attributes."
    ),
    measured: bool = typer.Option(False, "--measured", help="You took these numbers; else they count as published."),
    artifacts: bool = typer.Option(True, "--artifacts/--no-artifacts", help="Keep prompts, outputs and programs."),
    dry: bool = typer.Option(False, "--dry-run", help="Only tell what would be done."),
    pool: str = typer.Option(None, "--pool", help="Where measurements are kept. Default: $STEELYARD_POOL."),
    as_json: bool = typer.Option(False, "--json", help="JSON instead of a table."),
) -> None:
    """Bring measurements of other tools into the pool; rank, compare and report then work on them.

    Examples:  steelyard import logs/    steelyard import scores.csv --map case=sample_id,contender=model,value=score
    steelyard import leaderboards/*.csv --higher-is-better '*' --lower-is-better 'perplexity*'
    """
    from steelyard.report.importing import import_and_print

    import_and_print(
        paths, format=format, benchmark=benchmark, contender=contender, mapping=mapping, higher=higher, lower=lower,
        neither=neither, cases=cases, measured=measured, artifacts=artifacts, dry=dry, pool=pool, as_json=as_json,
    )  # fmt: skip
