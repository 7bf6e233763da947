"""steelyard papers: the ledger by paper."""

from __future__ import annotations

import typer


def papers(
    since: str = typer.Option("", "--since", help="What changed since a date, a span (7d) or a run, and why."),
    follow: list[str] = typer.Option(
        [], "--follow", help="With --since: only this paper, benchmark or contender; repeat."
    ),
    pool: str = typer.Option(None, "--pool", help="Where measurements are kept. Default: $STEELYARD_POOL."),
    as_json: bool = typer.Option(False, "--json", help="JSON instead of a table."),
) -> None:
    """The seventy systems: how many of each one's claims hold, fail, are undecided, out of reach or not measured here.

    Examples:  steelyard papers    steelyard papers --since 7d    steelyard papers --since 2026-01-31 --follow softmax
    """
    if since:
        from steelyard.report.changes import print_changes

        print_changes(since=since, follow=follow, pool=pool, as_json=as_json)
        return
    from steelyard.report.ledger import print_papers

    print_papers(pool=pool, as_json=as_json)
