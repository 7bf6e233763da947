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
    from steelyard.report.terminal import print_card, print_json

    entry = catalog.find(name)
    card = entry.full()
    if as_json:
        print_json(card.model_dump(mode="json"))
    else:
        print_card(card, entry)
