"""Figures that a benchmark computes from its own metrics: a published aggregate, a join with its base benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from steelyard.core.errors import InputError
from steelyard.report.results import Scores, Where, load
from steelyard.report.terminal import number, print_table

if TYPE_CHECKING:
    from steelyard.pool import Pool


def summaries(
    pool: Pool, bench: Any, benchmark: str, version: str, contenders: Sequence[str], where: Where
) -> list[dict[str, Any]]:
    """What `bench.summary` makes of each contender's metrics, a row or several; none where the benchmark has no summary.

    `summary` is given `Values`. where: which of the benchmark's cases count.
    """
    if not hasattr(bench, "summary"):
        return []
    rows = []
    for contender in contenders:
        found = bench.summary(Values(pool, benchmark, version, contender, where, contenders))
        rows += [{"contender": contender, **row} for row in (found if isinstance(found, list) else [found]) if row]
    return rows


@dataclass(frozen=True)
class Values:
    """What the pool has of one contender on the cases that count, as a benchmark's `summary` asks for it.

    Cases that two benchmarks share go by their attribute `pair`.
    """

    pool: Pool
    benchmark: str
    version: str
    contender: str
    where: Where
    contenders: Sequence[str] = ()

    @property
    def others(self) -> list[Values]:
        """The same of the other contenders that are shown."""
        return [replace(self, contender=name) for name in self.contenders if name != self.contender]

    def __call__(self, metric: str, other: str = "") -> Mapping[str, float]:
        """case -> value, the trials of a case averaged; empty where the pool has none. other: of that benchmark."""
        return {case: float(np.mean(trials)) for case, trials in self.trials(metric, other).items()}

    def trials(self, metric: str, other: str = "") -> Mapping[str, list[float]]:
        """case -> the values of its trials; a case that has none is left out."""
        scores = self._scores(metric, other)
        if scores is None:
            return {}
        present = [row[~np.isnan(row)].tolist() for row in scores.values[0]]
        return {key: row for key, row in zip(_keys(scores), present, strict=True) if row}

    def attributes(self, metric: str) -> Mapping[str, Mapping[str, Any]]:
        """case -> its attributes, for the cases that have a number or a failure of that metric."""
        scores = self._scores(metric, "")
        return dict(zip(_keys(scores), scores.attributes, strict=True)) if scores else {}

    def _scores(self, metric: str, other: str) -> Scores | None:
        version, where = (None, None) if other else (self.version, self.where)
        who = [self.contender]
        try:
            return load(self.pool, other or self.benchmark, metric, contenders=who, version=version, where=where)
        except InputError:
            return None


def _keys(scores: Scores) -> list[str]:
    return [str(a.get("pair") or c) for a, c in zip(scores.attributes, scores.cases, strict=True)]


def print_summaries(rows: Sequence[dict[str, Any]]) -> None:
    """The same as a table; a column for each figure that any contender has."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    shown = [{k: v if isinstance(v, str) else number(v) for k, v in row.items()} for row in rows]
    if rows:
        print_table(shown, names)
