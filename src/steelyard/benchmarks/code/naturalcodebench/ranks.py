"""How ranks by this benchmark shift against another one, ties sharing their average rank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from steelyard.core.words import GATES


@dataclass(frozen=True, slots=True)
class Shift:
    """One model. Ranks count from 1, ties share the average; shift = other - here: above 0 it does better here."""

    name: str
    here: float
    other: float

    @property
    def shift(self) -> float:
        return self.other - self.here


def shifts(here: Mapping[str, float], other: Mapping[str, float]) -> tuple[list[Shift], float]:
    """The models that have both scores, best here first, and Kendall's tau-b of the two rankings (NaN for fewer than two)."""
    from scipy.stats import kendalltau, rankdata

    names = sorted(set(here) & set(other))
    if not names:
        return [], float("nan")
    ranks = [rankdata([-scores[name] for name in names]) for scores in (here, other)]
    found = [Shift(name, float(a), float(b)) for name, a, b in zip(names, *ranks, strict=True)]
    tau = kendalltau([here[n] for n in names], [other[n] for n in names]).statistic if len(names) > 1 else float("nan")
    return sorted(found, key=lambda one: (one.here, one.name)), float(tau)


def against(values: Any, other: str) -> dict[str, str]:
    """Where the contender of a summary's `values` stands here and on another benchmark, among all that the pool has of both.

    {} where it lacks one of the two, or stands alone.
    """
    if values.contender in GATES:
        return {}
    means: list[dict[str, float]] = [{}, {}]
    for one in (v for v in (values, *values.others) if v.contender not in GATES):
        for table, found in zip(means, (one("pass_at_1"), one("pass_at_1", other)), strict=True):
            if found:
                table[one.contender] = sum(found.values()) / len(found)
    found, tau = shifts(*means)
    mine = next((shift for shift in found if shift.name == values.contender), None)
    if mine is None or len(found) < 2:
        return {}
    text = f"{mine.shift:+g} (rank {mine.here:g} here, {mine.other:g} there, of {len(found)}; tau-b of all {tau:.2f})"
    return {f"rank against {other}": text}
