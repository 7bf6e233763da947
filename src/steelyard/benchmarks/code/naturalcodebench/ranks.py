"""How ranks by this benchmark shift against another one, ties sharing their average rank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


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
