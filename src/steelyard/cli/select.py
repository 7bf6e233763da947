"""steelyard select: a benchmark of one's own from the cases of the pool."""

from __future__ import annotations

import typer


def select(
    query: str = typer.Argument("", help="What the cases should test, in words; may be left out with --where."),
    benchmark: list[str] = typer.Option(
        None, "--benchmark", "-b", help="Only cases of these; default: all in the pool."
    ),
    metric: str = typer.Option("", "--metric", help="Default: each benchmark's primary metric."),
    where: str = typer.Option("", "--where", help="Only cases for which this holds, e.g. \"'algebra' in skills\"."),
    top_k: int = typer.Option(
        None, "--top-k", min=1, help="Keep so many hits. Default: 50, unless --threshold is given."
    ),
    threshold: float = typer.Option(None, "--threshold", help="Of these, keep hits at this similarity or above."),
    encoder: str = typer.Option(
        "tfidf", "--encoder", help="tfidf, or embedding (a small local model, extra `select`)."
    ),
    method: str = typer.Option("", "--method", help="As of `steelyard rank`."),
    ties: str = typer.Option("", "--ties", help="As of `steelyard rank`."),
    least: int = typer.Option(None, "--least", min=1, help="Refuse contenders with fewer cases, and fewer cases."),
    save: str = typer.Option("", "--save", help="Keep the cases under this name for `rank` and `compare --selection`."),
    show: int = typer.Option(10, "--show", min=0, help="Print so many hits."),
    pool: str = typer.Option(None, "--pool", help="Where measurements are kept. Default: $STEELYARD_POOL."),
    as_json: bool = typer.Option(False, "--json", help="JSON: hits, measurements, rows."),
) -> None:
    """Build a benchmark from any cases in the pool, and rank on it whoever was measured there.

    Filters apply first, then the query: the --top-k most similar cases, then those at --threshold or above.

    Examples:

      steelyard select "reading bar charts" --top-k 100 --save charts

      steelyard select --where "task == 'geometry' and len(skills) > 1"

      steelyard rank --selection charts --method plackett-luce
    """
    from steelyard.report.selecting import select_and_print

    select_and_print(
        query,
        benchmarks=benchmark or [],
        metric=metric,
        where=where,
        top_k=top_k,
        threshold=threshold,
        encoder=encoder,
        method=method,
        ties=ties,
        least=least,
        save=save,
        show=show,
        pool=pool,
        as_json=as_json,
    )
