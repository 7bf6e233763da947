"""`steelyard rank`: per-case orders over one or many benchmarks, strengths with intervals, tiers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from steelyard import catalog
from steelyard.core.errors import InputError
from steelyard.core.words import Direction
from steelyard.report.results import Scores, Where, load
from steelyard.report.terminal import console, interval, print_json, print_table

if TYPE_CHECKING:
    from steelyard.pool import Pool
    from steelyard.stats.rank import Ranking

GATES = ("gold", "empty")


def ranking_of(sets: Sequence[Scores]) -> Ranking:
    """One ranking over all cases of all `sets`; only the order within a case counts, so metrics may differ.

    Trials of a case are averaged (times: their median). Metrics without a direction are refused.
    """
    from steelyard.stats.rank import rank

    names = sorted({name for s in sets for name in s.contenders})
    columns, groups, lower = [], [], []
    for s in sets:
        if s.metric.direction is Direction.NONE:
            raise InputError(f"metric {s.metric.name} of {s.card.name} has no better or worse.", "Rank another metric.")
        middle = np.full((len(names), len(s.cases)), np.nan)
        for name in s.contenders:
            values = s.of(name)
            full = ~np.isnan(values).all(axis=1)
            middle[names.index(name), full] = np.nanmedian(values[full], axis=1)
        columns.append(middle)
        groups += [f"{s.card.name}/{g}" for g in s.groups]
        lower += [s.metric.direction is Direction.LOWER] * len(s.cases)
    return rank(np.concatenate(columns, axis=1), names, groups, np.array(lower))


def rows_of(ranking: Ranking) -> list[dict[str, Any]]:
    """One row a contender: component, tier, rank interval, strength (log odds) with interval, cases."""
    rows = []
    for at, component in enumerate(ranking.components, 1):
        for m in component.members:
            rows.append(
                {
                    "component": at, "tier": m.tier, "rank": m.rank, "rank_low": m.rank_low, "rank_high": m.rank_high,
                    "contender": m.name, "strength": m.strength, "low": m.low, "high": m.high, "cases": m.cases,
                }
            )  # fmt: skip
    return rows


def load_all(pool: Pool, benchmarks: Sequence[str], metric: str, where: Where | None) -> list[Scores]:
    """The newest numbers of each benchmark, gold and empty left out: they are gates, not contenders."""
    sets = []
    for name in benchmarks:
        s = load(pool, name, metric, where=where)
        names = [c for c in s.contenders if c not in GATES]
        if names:
            sets.append(load(pool, name, metric, contenders=names, where=where))
    return sets


def measured(pool: Pool) -> list[str]:
    """The benchmarks that the pool has measurements of and the catalog has cards of."""
    table = pool.query("SELECT DISTINCT benchmark FROM measurements ORDER BY benchmark")
    known = {e.name for e in catalog.benchmarks()} | set(pool.cards())
    return [name for name in table.column(0).to_pylist() if name in known]


def rank_and_print(benchmarks: Sequence[str], *, metric: str, where: str, pool: str | None, as_json: bool) -> None:
    """`steelyard rank`."""
    from steelyard.pool import Pool
    from steelyard.stats.claims import compile_where

    with Pool(pool, readonly=True) as store:
        names = list(benchmarks) or measured(store)
        if not names:
            raise InputError("the pool holds no measurements.", "Measure something first:  steelyard run quickstart")
        sets = load_all(store, names, metric, compile_where(where) if where else None)
    ranking = ranking_of(sets)
    rows = rows_of(ranking)
    if as_json:
        print_json({"benchmarks": names, "method": "bradley-terry", "rows": rows, "unmeasured": ranking.unmeasured,
                    "tied_share": ranking.tied_share, "notes": ranking.notes})  # fmt: skip
        return
    shown = [
        {
            "tier": r["tier"],
            "rank": f"{r['rank_low']}-{r['rank_high']}" if r["rank_low"] != r["rank_high"] else str(r["rank_low"]),
            "contender": r["contender"],
            "strength": f"{r['strength']:+.2f} {interval(r['low'], r['high'])}",
            "cases": r["cases"],
            "group": r["component"],
        }
        for r in rows
    ]
    several = len(ranking.components) > 1
    columns = [*(["group"] if several else []), "tier", "rank", "contender", "strength", "cases"]
    print_table(shown, columns, f"ranking over {', '.join(names)} (Bradley-Terry on per-case orders, 95%)")
    out = console()
    if several:
        out.print("Groups never met, or one never won against the other: their ranks do not compare.", style="yellow")
    for note in [*ranking.notes, *([f"not measured: {', '.join(ranking.unmeasured)}"] if ranking.unmeasured else [])]:
        out.print(note, style="dim")
