"""A table without styles, for lists of many rows: the library of the other tables takes half a second for a hundred."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any


def print_plain(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print the rows under the names of the columns; the last column is wrapped to what the terminal leaves it."""
    *fixed, last = columns
    shown = [{name: name for name in columns}, *rows]
    wide = [max(len(str(row[name])) for row in shown) for name in fixed]
    margin = sum(wide) + 2 * len(wide)
    room = max(24, (shutil.get_terminal_size().columns if sys.stdout.isatty() else 140) - margin)
    for row in shown:
        start = "".join(f"{row[name]!s:<{width + 2}}" for name, width in zip(fixed, wide, strict=True))
        print(textwrap.fill(str(row[last]), margin + room, initial_indent=start, subsequent_indent=" " * margin))
