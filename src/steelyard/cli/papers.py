"""steelyard papers: the ledger by paper."""

from __future__ import annotations

import typer


def papers(
    pool: str = typer.Option(None, "--pool", help="Where measurements are kept. Default: $STEELYARD_POOL."),
    as_json: bool = typer.Option(False, "--json", help="JSON instead of a table."),
) -> None:
    """The seventy systems: how many of each one's claims hold, fail, are undecided, out of reach or not measured here.

    Example:  steelyard papers
    """
    from steelyard.report.ledger import print_papers

    print_papers(pool=pool, as_json=as_json)
