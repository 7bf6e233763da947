"""Writes docs/cards/NAME.md, one page for every card, and their index. Run by `make docs`."""

from __future__ import annotations

from pathlib import Path

from steelyard import catalog
from steelyard.core.card import Card

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "cards"


def page(card: Card) -> str:
    """One card as Markdown."""
    lines = [f"# {card.name}", "", f"**{card.title}** ({card.kind}, {card.track or card.family}). {card.summary}", ""]
    if card.paper:
        arxiv = f", arXiv:{card.paper.arxiv}" if card.paper.arxiv else ""
        lines += [f"Source: {card.paper.title} ({card.paper.authors}, {card.paper.year}{arxiv}).", ""]
    if card.protocol:
        lines += ["## Protocol", "", card.protocol.strip(), ""]
    if card.metrics:
        lines += ["## Metrics", "", "| metric | unit | better | kind | |", "|---|---|---|---|---|"]
        lines += [f"| {m.name} | {m.unit} | {m.direction} | {m.kind} | {m.help} |" for m in card.metrics] + [""]
    if card.options:
        lines += ["## Options", "", "| option | default | |", "|---|---|---|"]
        lines += [f"| {o.name} | {o.default} | {o.help} |" for o in card.options] + [""]
    if card.deviations:
        lines += ["## Deviations from the paper", "", *(f"- {d}" for d in card.deviations), ""]
    if card.claims:
        lines += ["## Claims", "", "| claim | says | expects | scale |", "|---|---|---|---|"]
        lines += [f"| {c.id} | {c.says} | `{c.expect}` | {c.scale} |" for c in card.claims] + [""]
    return "\n".join(lines)


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob("*.md"):
        old.unlink()
    index = ["# All cards", ""]
    for name, entry in sorted(catalog.entries().items()):
        (FOLDER / f"{name}.md").write_text(page(entry.full()), encoding="utf-8")
        index.append(f"- [{name}]({name}.md): {entry.card.summary}")
    (FOLDER / "index.md").write_text("\n".join([*index, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
