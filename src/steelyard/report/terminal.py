"""What the terminal shows: tables, cards, numbers in units people read, JSON."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from steelyard.core.words import Metric

if TYPE_CHECKING:
    from steelyard.catalog import Entry
    from steelyard.core.card import Card

_STYLES = {
    "holds": "green", "fails": "red", "undecided": "yellow", "out of reach": "dim", "not measured": "dim", "missing": "red", "ok": "green",
}  # fmt: skip
_SCALES = {
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")),
    "B": ((2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "B")),
    "B/s": ((1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s"), (1.0, "B/s")),
}


def console() -> Console:
    """Standard output; 140 columns wide where it is no terminal, so that logs keep their tables.

    No markup: a spec in brackets, name[option=value], is text.
    """
    return Console(width=None if sys.stdout.isatty() else 140, highlight=False, soft_wrap=False, markup=False)


def print_json(value: Any) -> None:
    """JSON with NaN as null, two spaces of indent, on standard output."""
    print(json.dumps(plain(value), indent=2, ensure_ascii=False))


def plain(value: Any) -> Any:
    """What JSON can hold: NaN as null, keys as text, numbers of NumPy as numbers."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def print_table(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], title: str = "", headers: Sequence[str] = ()
) -> None:
    """A plain table; cells are strings or numbers, coloured where they hold a verdict."""
    table = Table(box=None, pad_edge=False, show_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    numeric = {c for c in columns if rows and all(isinstance(r.get(c), int | float | None) for r in rows)}
    for at, column in enumerate(columns):
        first = at == 0
        table.add_column(
            Text((headers or columns)[at]),
            justify="right" if column in numeric else "left",
            no_wrap=first,
            overflow="fold",
        )
    for row in rows:
        cells = ["" if row.get(c) is None else str(row[c]) for c in columns]
        table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in cells))
    out = console()
    if title:
        out.print(Text(title, style="bold"))
    out.print(table)


def number(value: float, unit: str = "1") -> str:
    """A value with its unit in three or four significant digits: 0.0123 s -> 12.3 ms, 0.25 -> 0.250."""
    if value is None or math.isnan(value):
        return "-"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    for scale, name in _SCALES.get(unit, ()):
        if abs(value) >= scale or (scale, name) == _SCALES[unit][-1]:
            return f"{_digits(value / scale)} {name}"
    return _digits(value) if unit in ("1", "") else f"{_digits(value)} {unit}"


def _digits(value: float) -> str:
    if value == 0:
        return "0"
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    size = abs(value)
    if size >= 1e6 or size < 1e-4:
        return f"{value:.3g}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(size)))}f}"


def interval(low: float, high: float, unit: str = "1") -> str:
    return f"[{number(low, unit)}, {number(high, unit)}]"


def p_value(p: float) -> str:
    if math.isnan(p):
        return ""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def print_card(card: Card, entry: Entry) -> None:
    """Everything a card says, claims last."""
    out = console()
    out.print(Text.assemble((card.name, "bold"), f"  {card.title}"))
    out.print(card.summary)
    where = card.track or card.family
    out.print(f"{card.kind}, {where}, offers or needs `{card.interface}`, version {card.version}, {card.licence}")
    if card.paper:
        p = card.paper
        arxiv = f", arXiv:{p.arxiv}" if p.arxiv else ""
        out.print(f"paper    {p.title} ({p.authors}{', ' if p.authors else ''}{p.year}{arxiv}) {p.venue}".rstrip())
        if p.code:
            out.print(f"code     {p.code} ({p.code_licence or 'licence not stated'})")
    for label, items in (("needs", card.needs), ("weighs", card.contenders)):
        if items:
            out.print(f"{label:8} {', '.join(items)}")
    if card.baseline:
        out.print(f"against  {card.baseline}")
    if card.protocol:
        out.print(Text("\nprotocol", style="bold"))
        out.print(card.protocol.strip())
    if card.metrics:
        out.print()
        facts = [_metric_row(m.metric()) for m in card.metrics]
        print_table(facts, ["metric", "unit", "better", "kind", "is"])
    options = [
        {
            "option": o.name,
            "default": o.default,
            "values": ", ".join(map(str, o.values)),
            "scope": o.scope,
            "is": o.help,
        }
        for o in card.options
    ]
    if card.kind == "contender" and not options:
        options = _own_options(entry)
    if options:
        out.print()
        print_table(options, ["option", "default", "values", "scope", "is"])
    if card.deviations:
        out.print(Text("\ndeviations from the paper", style="bold"))
        for line in card.deviations:
            out.print(f"- {line}")
    if card.claims:
        out.print(Text(f"\n{len(card.claims)} claims", style="bold"))
        claims = [{"claim": c.id, "says": c.says, "expects": c.expect, "scale": c.scale} for c in card.claims]
        print_table(claims, ["claim", "says", "expects", "scale"])
        out.print(f"\nJudge them here:  steelyard claims {card.name}")


def _metric_row(m: Metric) -> dict[str, str]:
    name = m.name + ("*" if m.primary else "")
    return {"metric": name, "unit": m.unit, "better": m.direction, "kind": m.kind, "is": m.help}


def _own_options(entry: Entry) -> list[dict[str, Any]]:
    """A contender's options are the fields of its class."""
    import dataclasses
    import typing

    from steelyard.core.contender import options_of

    rows = []
    for name, (kind, default) in options_of(entry.load()).items():
        values = ", ".join(map(str, typing.get_args(kind))) if typing.get_origin(kind) is typing.Literal else ""
        shown = "" if default is dataclasses.MISSING else default
        rows.append({"option": name, "default": shown, "values": values or getattr(kind, "__name__", str(kind))})
    return rows
