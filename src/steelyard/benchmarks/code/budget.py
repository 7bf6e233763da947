"""Token budgets of prompts: what is cut, and on which side. Tokens are counted by a given callable."""

from __future__ import annotations

import math
from collections.abc import Callable

Count = Callable[[str], int]


def tokens(text: str) -> int:
    """An approximation that needs no tokenizer: one token for each 3.5 bytes of code, rounded up."""
    return math.ceil(len(text.encode("utf-8", "replace")) / 3.5)


def cut_left(text: str, room: int, count: Count = tokens) -> str:
    """The longest end of `text`, in whole lines, of at most `room` tokens."""
    lines = text.split("\n")
    return _longest(lambda n: "\n".join(lines[len(lines) - n :]) if n else "", len(lines), room, count)


def cut_right(text: str, room: int, count: Count = tokens) -> str:
    """The longest beginning of `text`, in whole lines, of at most `room` tokens."""
    lines = text.split("\n")
    return _longest(lambda n: "\n".join(lines[:n]), len(lines), room, count)


def both_sides(above: str, below: str, room: int, count: Count = tokens) -> tuple[str, str]:
    """`above` cut from the left and `below` from the right; the room is split in proportion to their lengths."""
    sizes = count(above), count(below)
    if sum(sizes) <= room:
        return above, below
    share = room * sizes[0] // sum(sizes)
    return cut_left(above, share, count), cut_right(below, room - share, count)


def _longest(part: Callable[[int], str], most: int, room: int, count: Count) -> str:
    """The largest part(n) of at most `room` tokens; part grows with n."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if count(part(middle)) <= room else (low, middle - 1)
    return part(low)
