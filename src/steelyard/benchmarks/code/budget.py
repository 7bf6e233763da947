"""Token budgets: what of a text, of two sides or of many files fits into so many tokens."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

Count = Callable[[str], int]

BYTES_PER_TOKEN = 3.5
# The counter used where no tokenizer is given, by the name under which results should mention it.
APPROXIMATION = f"UTF-8 bytes / {BYTES_PER_TOKEN:g}"


def tokens(text: str) -> int:
    """About how many tokens a code model's tokenizer makes of a text: UTF-8 bytes / 3.5, rounded up."""
    return math.ceil(len(text.encode("utf-8", "replace")) / BYTES_PER_TOKEN)


def cut_left(text: str, room: int, count: Count = tokens) -> str:
    """The longest end of a text that has at most `room` tokens. count: must not fall when a text grows."""
    return text[len(text) - _longest(len(text), lambda n: count(text[len(text) - n :]) <= room) :]


def cut_right(text: str, room: int, count: Count = tokens) -> str:
    """The longest beginning of a text that has at most `room` tokens."""
    return text[: _longest(len(text), lambda n: count(text[:n]) <= room)]


def both_sides(before: str, after: str, room: int, count: Count = tokens) -> tuple[str, str]:
    """`before` cut from the left and `after` from the right, the room split in proportion to their lengths in tokens.

    Source: LM_inference.py of EvoCodeBench (infilling).
    """
    left, right = count(before), count(after)
    if left + right <= room:
        return before, after
    share = max(0, room) * left // (left + right)
    return cut_left(before, share, count), cut_right(after, max(0, room) - share, count)


def halves(before: str, after: str, room: int, count: Count = tokens) -> tuple[str, str]:
    """`before` cut from the left and `after` from the right, half of the room for each (ExecRepoBench, utils.py)."""
    return cut_left(before, room // 2, count), cut_right(after, room // 2, count)


def pack(files: Sequence[tuple[str, str]], room: int, count: Count = tokens) -> list[tuple[str, str]]:
    """The first (path, text) that fit together; the first that does not is cut from the right, its last line dropped.

    Source: ExecRepoBench, utils.py: whole files while their sum stays below the room, then one piece, then no more.
    """
    packed: list[tuple[str, str]] = []
    for path, text in files:
        need = count(text)
        if need < room:
            packed.append((path, text))
            room -= need
            continue
        piece = cut_right(text, room, count).rpartition("\n")[0]
        return [*packed, (path, piece)] if piece else packed
    return packed


def _longest(most: int, fits: Callable[[int], bool]) -> int:
    """The largest n of 0..most for which `fits(n)`, where it holds up to some n and for none above it; 0 where for none."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low
