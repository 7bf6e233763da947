"""Whether two query results are the same: multisets of rows, in order where asked, columns in any order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

Rows = Sequence[tuple[object, ...]]


def same_result(gold: Rows, given: Rows, *, ordered: bool) -> bool:
    """True when one assignment of `given`'s columns to `gold`'s makes all rows equal, as a multiset or in order.

    Values are equal as SQLite's and Python's are: 1 and 1.0, NULL and NULL, never 1 and '1'. Two empty results are equal.
    """
    if len(gold) != len(given):
        return False
    if not gold:
        return True
    return len(gold[0]) == len(given[0]) and _assign(gold, given, [], ordered)


def _assign(gold: Rows, given: Rows, chosen: list[int], ordered: bool) -> bool:
    """Assign the next column; a partial assignment must already give equal rows, so wrong ones end early."""
    width = len(chosen)
    if chosen and not _equal([r[:width] for r in gold], [tuple(r[c] for c in chosen) for r in given], ordered):
        return False
    if width == len(gold[0]):
        return True
    tried: set[tuple[object, ...]] = set()
    for column in range(len(given[0])):
        values = tuple(r[column] for r in given)
        if column in chosen or values in tried:  # equal columns stand for one another
            continue
        tried.add(values)
        if _assign(gold, given, [*chosen, column], ordered):
            return True
    return False


def _equal(a: Rows, b: Rows, ordered: bool) -> bool:
    return list(a) == list(b) if ordered else Counter(a) == Counter(b)
