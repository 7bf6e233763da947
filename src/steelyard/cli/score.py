"""steelyard score: score given outputs without a model."""

from __future__ import annotations

import typer


def score(
    benchmark: str = typer.Argument(help="A language benchmark, name[option=value,...]."),
    predictions: str = typer.Option(..., "--predictions", "-p", help="JSON lines: id, solution or completion, trial."),
    data: str = typer.Option(None, "--data", help="Official data: a path, or hf:NAME."),
    partial: bool = typer.Option(False, "--partial", help="Accept a file that lacks some cases."),
    skip_bad: bool = typer.Option(False, "--skip-bad", help="Drop malformed lines (each is told)."),
    workers: int = typer.Option(None, "--workers", min=1, help="Programs run side by side. Default: cores."),
    isolation: str = typer.Option("bubblewrap", "--isolation", help="bubblewrap or none (runs programs unprotected)."),
    as_json: bool = typer.Option(False, "--json", help="JSON: cases and summary."),
) -> None:
    """Score a file of outputs: nothing is generated, programs run in the sandbox.

    Example:  steelyard score humaneval --data HumanEval.jsonl.gz --predictions outputs.jsonl --json
    """
    from steelyard.report.scoring import score_and_print

    score_and_print(
        benchmark, predictions, data=data, partial=partial, skip_bad=skip_bad, workers=workers, isolation=isolation,
        as_json=as_json,
    )  # fmt: skip
