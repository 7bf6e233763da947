"""JSON, and text without a library of styles, for what must answer at once: the list of cards and one card."""

from __future__ import annotations

import json
import math
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any


def width() -> int:
    """Columns of the terminal; 140 where there is none, as for the tables with styles."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 140


def print_plain(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print the rows under the names of the columns; the last column is wrapped to what the terminal leaves it."""
    *fixed, last = columns
    shown = [{name: name for name in columns}, *rows]
    wide = [max(len(str(row[name])) for row in shown) for name in fixed]
    margin = sum(wide) + 2 * len(wide)
    room = max(24, width() - margin)
    for row in shown:
        start = "".join(f"{row[name]!s:<{size + 2}}" for name, size in zip(fixed, wide, strict=True))
        filled = textwrap.fill(str(row[last]), margin + room, initial_indent=start, subsequent_indent=" " * margin)
        print(filled or start.rstrip())


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
