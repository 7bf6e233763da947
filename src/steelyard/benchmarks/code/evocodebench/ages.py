"""Functions of one package on both sides of a day: what is new after it, matched with what stood there before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Literal

from steelyard.benchmarks.code.evocodebench.samples import Sample
from steelyard.core.errors import InputError

Age = Literal["", "new", "old"]
AGES = ("", "new", "old")
NEW = 0.5  # at most so similar to the body that the name had before the day; above it a function was only mended


def likeness(body: str, older: Sequence[str]) -> float:
    """How much of a body stood in the nearest of some older ones: 2 x shared lines / lines of both; 0 where there is none."""
    lines = body.splitlines()
    return max((SequenceMatcher(None, lines, o.splitlines(), autojunk=False).ratio() for o in older), default=0.0)


def matched(samples: Sequence[Sample]) -> dict[str, tuple[Age, str]]:
    """namespace -> (new or old, name of its pair), for as many pairs as there are.

    A new function stands with an old one (unchanged since before the day) of its package, so that differences in lines and
    in number of dependencies, as ratios, are smallest in sum. Raises InputError where the samples say nothing of an older release.
    """
    if not any("likeness" in s.facts for s in samples):
        raise InputError(
            "option 'age' needs a slice that was built with --since: its samples are compared with an older release.",
            "steelyard build evocodebench --since DAY ...",
        )
    found: dict[str, tuple[Age, str]] = {}
    for package in dict.fromkeys(s.project.name for s in samples):
        mine = [s for s in samples if s.project.name == package]
        new = [s for s in mine if s.facts.get("likeness", 1.0) <= NEW]
        old = [s for s in mine if s.facts.get("unchanged")]
        for at, (n, o) in enumerate(_pairs(new, old)):
            pair = f"{package}/{at}"
            found[n.namespace], found[o.namespace] = ("new", pair), ("old", pair)
    return found


def _pairs(new: Sequence[Sample], old: Sequence[Sample]) -> list[tuple[Sample, Sample]]:
    from scipy.optimize import linear_sum_assignment

    if not new or not old:
        return []
    rows, columns = linear_sum_assignment([[_apart(n, o) for o in old] for n in new])
    return [(new[i], old[j]) for i, j in zip(rows, columns, strict=True)]


def _apart(a: Sample, b: Sample) -> float:
    lines = [s.body[1] - s.body[0] + 1 for s in (a, b)]
    needs = [1 + len(s.needed) for s in (a, b)]
    return abs(math.log(lines[0] / lines[1])) + abs(math.log(needs[0] / needs[1]))
