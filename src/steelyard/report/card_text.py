"""What `steelyard show` prints: a card as text."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Mapping
from typing import Any

from steelyard.report.plain import print_plain, width


def print_card(card: Mapping[str, Any]) -> None:
    """Everything a card says, claims last. card: `Entry.facts()` of the catalog."""
    print(f"{_bold(card['name'])}  {card['title']}")
    _print(card["summary"])
    where = card["track"] or card["family"]
    print(
        f"{card['kind']}, {where}, offers or needs `{card['interface']}`, version {card['version']}, {card['licence']}"
    )
    if paper := card["paper"]:
        of = ", ".join(
            str(part)
            for part in (paper["authors"], paper["year"], paper["arxiv"] and f"arXiv:{paper['arxiv']}")
            if part
        )
        _print(f"paper    {paper['title']} ({of}) {paper['venue']}".rstrip(), " " * 9)
        if paper["code"]:
            _print(f"code     {paper['code']} ({paper['code_licence'] or 'licence not stated'})", " " * 9)
    for label, items in (("needs", card["needs"]), ("weighs", card["contenders"])):
        if items:
            _print(f"{label:8} {', '.join(items)}", " " * 9)
    if card["baseline"]:
        print(f"against  {card['baseline']}")
    if card["protocol"]:
        print(f"\n{_bold('protocol')}\n{card['protocol'].strip()}")
    if card["metrics"]:
        print()
        print_plain([_metric(m) for m in card["metrics"]], ["metric", "unit", "better", "kind", "is"])
    options = [_option(o) for o in card["options"]]
    if options:
        print()
        scope = ["scope"] if card["kind"] == "benchmark" else []
        print_plain(options, ["option", "default", "values", *scope, "is"])
    if card["deviations"]:
        print(f"\n{_bold('deviations from the paper')}")
        for line in card["deviations"]:
            _print(f"- {line}", "  ")
    if card["claims"]:
        print(f"\n{_bold(str(len(card['claims'])) + ' claims')}")
        for claim in card["claims"]:
            print(claim["id"])
            for line in (claim["says"], f"expects {claim['expect']}", claim["scale"]):
                _print(f"    {line}", "    ")
        print(f"\nJudge them here:  steelyard claims {card['name']}")


def _print(text: str, indent: str = "") -> None:
    """Print text wrapped to the terminal, to 140 columns where there is none."""
    print(textwrap.fill(text, max(width(), 40), subsequent_indent=indent, break_on_hyphens=False))


def _bold(text: str) -> str:
    return f"\033[1m{text}\033[0m" if sys.stdout.isatty() else text


def _metric(metric: Mapping[str, Any]) -> dict[str, str]:
    name = metric["name"] + ("*" if metric["primary"] else "")
    return {
        "metric": name,
        "unit": metric["unit"],
        "better": metric["direction"],
        "kind": metric["kind"],
        "is": metric["help"],
    }


def _option(option: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "option": option["name"],
        "default": option["default"],
        "values": ", ".join(map(str, option["values"])),
        "scope": option["scope"],
        "is": option["help"],
    }
