"""Figures that a benchmark computes from its own metrics: a published aggregate, a join with its base benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from steelyard.core.errors import InputError
from steelyard.report.results import load
from steelyard.report.terminal import number, print_table

if TYPE_CHECKING:
    from steelyard.pool import Pool


def summaries(pool: Pool, bench: Any, benchmark: str, version: str, contenders: Sequence[str]) -> list[dict[str, Any]]:
    """One row a contender of what `bench.summary` makes of its metrics; none where the benchmark has no summary.

    `summary` is given a function of (metric, benchmark="" for its own): case -> value, empty where the pool has none.
    Cases that two benchmarks share go by their attribute `pair`; the trials of a case are averaged.
    """
    if not hasattr(bench, "summary"):
        return []
    rows = []
    for contender in contenders:

        def values(metric: str, other: str = "", who: str = contender) -> Mapping[str, float]:
            try:
                scores = load(
                    pool, other or benchmark, metric, contenders=[who], version=None if other else version
                )  # fmt: skip
            except InputError:
                return {}
            means = [row[~np.isnan(row)] for row in scores.values[0]]
            keys = [str(a.get("pair") or c) for a, c in zip(scores.attributes, scores.cases, strict=True)]
            return {key: float(row.mean()) for key, row in zip(keys, means, strict=True) if row.size}

        if found := bench.summary(values):
            rows.append({"contender": contender, **found})
    return rows


def print_summaries(rows: Sequence[dict[str, Any]]) -> None:
    """The same as a table; a column for each figure that any contender has."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    shown = [{k: v if isinstance(v, str) else number(v) for k, v in row.items()} for row in rows]
    if rows:
        print_table(shown, names)
