"""steelyard show: one card."""

from __future__ import annotations

import typer


def show(
    name: str = typer.Argument(help="A benchmark or a contender."),
    as_json: bool = typer.Option(False, "--json", help="The card as JSON."),
) -> None:
    """Show a card: source, protocol, metrics, options, needs, deviations from the paper, claims.

    Examples:  steelyard show softmax    steelyard show self-debug --json
    """
    from steelyard import catalog
    from steelyard.report.card_text import print_card
    from steelyard.report.plain import print_json

    card = catalog.find(name).facts()
    if as_json:
        print_json(card)
    else:
        print_card(card)
