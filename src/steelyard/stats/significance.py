"""The p-value of a claim's own comparison, for expectations such as `p >= 0.05`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from steelyard.core.errors import InputError
from steelyard.core.words import Direction, Kind

from .evidence import TIMES, Drawn, Table, stack
from .pairs import holm, mcnemar, sign_flip
from .resample import Array, codes
from .sides import Side


def p_value(
    name: str,
    table: Table,
    point: Array,
    sides: tuple[Side, Side | None],
    alternative: tuple[int | None, int | None],
    family: int,
    draws: int,
    seed: int,
) -> float:
    """`p` of the chosen pair of members, or `p_holm`: adjusted over all pairs, and at least for a family of that size.

    point: (members, cases) values by which best and worst are chosen. alternative: the members of a | b to take.
    """
    ours, theirs = list(table.contender.values()), list(table.baseline.values())
    if not theirs:
        raise InputError(f"{name} needs a baseline.", 'Add baseline = "...".')
    level = point.mean(axis=1)
    levels = (level[: len(ours)], level[len(ours) :])
    kinds = ["one" if side is None else side.kind for side in sides]
    chosen = tuple(
        _choose(levels[k], kinds[k], table.direction) if taken is None else taken for k, taken in enumerate(alternative)
    )
    pairs = [(i, j) for i in range(len(ours)) for j in range(len(theirs))]
    each = [
        paired_p(replace(table, contender={"a": ours[i]}, baseline={"b": theirs[j]}), draws, seed) for i, j in pairs
    ]
    at = pairs.index((chosen[0], chosen[1]))
    return each[at] if name == "p" else _adjusted(each, at, family)


def _adjusted(each: Sequence[float], at: int, family: int) -> float:
    return min(1.0, max(float(holm(each)[at]), each[at] * family))


def _choose(level: Array, kind: str, direction: Direction) -> int:
    """The member a p-value is about: the only one, or the best or worst of several."""
    if level.size > 1 and kind not in ("best", "worst"):
        raise InputError("p of a set is not defined.", "Name best of {...}, worst of {...}, a | b or one contender.")
    highest = (kind == "best") == (direction != Direction.LOWER)
    return int(np.argmax(level) if highest else np.argmin(level))


def paired_p(table: Table, draws: int, seed: int) -> float:
    """Exact McNemar for single binary cases, else sign flips of groups of cases or of trials (log ratios of times)."""
    members = [*table.contender.values(), *table.baseline.values()]
    if any(isinstance(m, Drawn) for m in members):
        raise InputError("p needs values case by case, not draws of a statistic.", "Judge the interval instead.")
    x, kept, _ = stack(table, [np.asarray(m, float) for m in members])
    if table.unit == "trials":
        x = np.log(x) if table.kind in TIMES and (x > 0).all() else x
        return sign_flip((x[0] - x[1]).mean(axis=0), draws, seed)
    d = (x[0] - x[1])[:, 0]
    group = codes(None if table.groups is None else [table.groups[i] for i in kept], d.size)
    if table.kind == Kind.BINARY and np.isin(x, (0.0, 1.0)).all() and (d.size == 0 or group.max() + 1 == d.size):
        return mcnemar(int((d > 0).sum()), int((d < 0).sum()))
    return sign_flip(np.bincount(group, d).astype(float), draws, seed)
