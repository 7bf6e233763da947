"""`steelyard profile`: Dolan-More performance profiles of any benchmark's costs, as a table, JSON or SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from steelyard.core.card import Card
from steelyard.core.errors import InputError, unknown
from steelyard.core.spec import parse_spec
from steelyard.core.words import GATES, Direction, Kind, Metric
from steelyard.report.plain import print_json
from steelyard.report.results import Scores, Where, card_of, load, metric_of
from steelyard.report.terminal import console, interval, number, print_table

if TYPE_CHECKING:
    from steelyard.pool import Pool
    from steelyard.stats.profiles import Profile


def cost_of(card: Card, name: str) -> Metric:
    """The metric profiled: `name`, else the primary one if it is a cost, else the first that is.

    A cost is a metric where lower is better, or a rate, of which the inverse is one. InputError where there is none.
    """
    if name:
        wanted = [metric_of(card, name)]
    else:
        wanted = [card.primary, *(m.metric() for m in card.metrics if m.kind is Kind.DURATION), *card.metric.values()]
    found = next((m for m in wanted if m.direction is Direction.LOWER or m.kind is Kind.RATE), None)
    if found is None:
        shown = name or "no metric"
        raise InputError(
            f"a profile needs a cost; {shown} of {card.name} is none.", "Name a metric where lower is better: --metric."
        )
    return found


@dataclass(frozen=True)
class Costs:
    """table: (contenders, cases) median costs, infinite where a measured case gave none. lost: cases dropped because
    not everybody was measured on them."""

    scores: Scores
    contenders: list[str]
    groups: list[str]
    table: NDArray[np.float64]
    lost: int


def costs(
    pool: Pool, benchmark: str, metric: str = "", contenders: Sequence[str] = (), where: Where | None = None,
    version: str | None = None,
) -> Costs:  # fmt: skip
    """The costs of everybody on the cases that have the metric, or the primary one: a case that nobody solves counts.

    Trials of a case: their median. Raises InputError where there is no cost, nothing measured, or no case in common.
    """
    card = card_of(pool, benchmark)
    fact = cost_of(card, metric)
    scores = load(pool, benchmark, fact.name, where=where, version=version)
    groups = dict(zip(scores.cases, scores.groups, strict=True))
    if fact.name != card.primary.name:
        main = load(pool, benchmark, card.primary.name, where=where, version=scores.version)
        groups |= dict(zip(main.cases, main.groups, strict=True))
    known = _weighed(pool, scores)
    names = list(contenders) or sorted({who for who, case in known if case in groups and who not in GATES})
    if odd := [name for name in names if name not in {who for who, _ in known}]:
        raise unknown("contender", odd[0], {who for who, _ in known}, where=f"the measurements of {benchmark}")
    kept = [case for case in groups if all((name, case) in known for name in names)]
    if not kept:
        raise InputError(
            f"no case of {benchmark} was measured for all of {', '.join(names)}.", "Choose contenders: --with."
        )
    table = np.full((len(names), len(kept)), np.inf)
    for (n, name), (k, case) in product(enumerate(names), enumerate(kept)):
        if name in scores.contenders and case in scores.cases:
            values = scores.of(name)[scores.cases.index(case)]
            if not np.isnan(values).all():
                table[n, k] = np.nanmedian(values)
    if fact.kind is Kind.RATE:
        with np.errstate(divide="ignore"):
            table = np.where(np.isfinite(table), 1.0 / table, np.inf)
    return Costs(scores, names, [groups[case] for case in kept], table, len(groups) - len(kept))


def _weighed(pool: Pool, scores: Scores) -> set[tuple[str, str]]:
    """(contender, case) of every cell of this version that was measured, whatever came of it."""
    sql = 'SELECT DISTINCT contender, "case" FROM latest WHERE benchmark = $b AND benchmark_version = $v'
    table = pool.query(sql, {"b": scores.card.name, "v": scores.version})
    return set(zip(table.column(0).to_pylist(), table.column(1).to_pylist(), strict=True))


def rows_of(found: Costs, limit: float) -> tuple[list[dict[str, Any]], Profile]:
    """One row a contender, the largest area first: area under the profile over [1, limit] with its interval over cases
    (groups whole), and the shares of cases solved fastest, within 2 and `limit` times the fastest, and at all."""
    from steelyard.stats.estimates import estimate
    from steelyard.stats.profiles import performance_profile, performance_ratios

    profile = performance_profile(found.table)
    areas = profile.area(limit)
    ratios = performance_ratios(found.table)
    rows = []
    for at, name in enumerate(found.contenders):
        e = estimate(np.clip((limit - ratios[at]) / (limit - 1), 0.0, 1.0), Kind.FRACTION, found.groups)
        rows.append(
            {
                "contender": name, "area": float(areas[at]), "low": e.low, "high": e.high,
                "fastest": float(profile.at(1.0)[at]), "within_2": float(profile.at(2.0)[at]),
                "within_limit": float(profile.at(limit)[at]), "solved": float(np.isfinite(found.table[at]).mean()),
            }
        )  # fmt: skip
    return sorted(rows, key=lambda row: (-row["area"], row["contender"])), profile


def drawing(profile: Profile, names: Sequence[str], order: Sequence[str], limit: float, title: str) -> str:
    """The step profiles as an SVG document; names: as in the profile; order: as in the legend."""
    from steelyard.report.charts import document

    taus = np.append(profile.taus[profile.taus < limit], limit)
    values = [
        {"contender": name, "ratio": float(tau), "share": float(profile.at(tau)[at])}
        for at, name in enumerate(names)
        for tau in taus
    ]
    series = {"field": "contender", "type": "nominal", "sort": list(order)}
    return document(
        {
            "$schema": "https://vega.github.io/schema/vega-lite/v6.json", "title": title, "width": 540, "height": 320,
            "data": {"values": values},
            "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2},
            "encoding": {
                "x": {"field": "ratio", "type": "quantitative", "title": "cost over the best of the case",
                      "scale": {"domain": [1, limit]}},
                "y": {"field": "share", "type": "quantitative", "title": "share of cases", "scale": {"domain": [0, 1]}},
                "color": {**series, "scale": {"scheme": "tableau10" if len(names) <= 10 else "tableau20"}},
            },
        }
    )  # fmt: skip


def profile_and_print(
    benchmark: str, contenders: Sequence[str], *, metric: str, where: str, limit: float, svg: Path | None,
    data: str | None, pool: str | None, as_json: bool,
) -> None:  # fmt: skip
    """`steelyard profile`."""
    from steelyard.pool import Pool
    from steelyard.stats.claims import compile_where
    from steelyard.weigh.plan import version_of

    if not limit > 1:
        raise InputError(f"--limit is {limit:g}.", "It is a ratio to the best, above 1.")
    spec = parse_spec(benchmark)
    names = [str(parse_spec(c)) for c in contenders]
    with Pool(pool, readonly=True) as store:
        card = card_of(store, spec.name)
        version = version_of(card, spec, data) if spec.options or data is not None else None
        keep = compile_where(where) if where else None
        found = costs(store, spec.name, metric, names, keep, version)
    rows, profile = rows_of(found, limit)
    title = f"{card.name} {found.scores.version}: performance profile of {found.scores.metric.name}, {len(found.groups)} cases"
    if svg is not None:
        svg.write_text(
            drawing(profile, found.contenders, [r["contender"] for r in rows], limit, title), encoding="utf-8"
        )
    if as_json:
        print_json(
            {
                "benchmark": card.name, "version": found.scores.version, "metric": found.scores.metric.name,
                "limit": limit, "rows": rows, "cases": len(found.groups), "cases_lost": found.lost,
                "taus": profile.taus.tolist(), "shares": dict(zip(found.contenders, profile.shares.tolist(), strict=True)),
            }
        )  # fmt: skip
        return
    shares = ("fastest", "within_2", "within_limit", "solved")
    shown = [
        {"contender": r["contender"], "area": f"{number(r['area'])} {interval(r['low'], r['high'])}"}
        | {s: f"{r[s]:.0%}" for s in shares}
        for r in rows
    ]
    heads = ["contender", f"area to {limit:g}x (95%)", "fastest", "within 2x", f"within {limit:g}x", "solved"]
    print_table(shown, ["contender", "area", *shares], title, heads)
    out = console()
    out.print("A profile depends on the set: another contender may change every row.", style="dim")
    if found.lost:
        out.print(f"{found.lost} cases dropped: not measured for everybody.", style="yellow")
    if svg is not None:
        out.print(f"wrote {svg}")
