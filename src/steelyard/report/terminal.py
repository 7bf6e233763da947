"""What the terminal shows: tables, numbers in units people read, JSON."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

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
