"""What the fillers of gaps share: the lines around a gap, and the lines of the other files."""

from __future__ import annotations

import re
from typing import Any

from steelyard.core.errors import InputError
from steelyard.core.words import Case

WORD = re.compile(r"\w+|[^\w\s]")


def gap_of(case: Case) -> Any:
    """The payload of a case with `prefix`, `suffix` and `files` ((path, text) ...); InputError for any other case."""
    if not all(hasattr(case.payload, name) for name in ("prefix", "suffix", "files")):
        raise InputError(f"{case.id} is no gap in a file.", "This contender fills gaps: weigh it on execrepobench.")
    return case.payload


def texts_of(gap: Any) -> list[list[str]]:
    """The lines that are not blank, text by text: the other files, the most relevant first, then before and after the gap."""
    known = [text for _, text in gap.files] + [gap.prefix, gap.suffix]
    return [[line for line in text.split("\n") if line.strip()] for text in known]


def begun(gap: Any) -> str:
    """What stands on the gap's first line before it."""
    return str(gap.prefix).rpartition("\n")[2]


def words(text: str) -> list[str]:
    return WORD.findall(text)
