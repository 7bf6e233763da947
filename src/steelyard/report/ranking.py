"""`steelyard rank`: one ranking over one or many benchmarks, by any method, and how much of it survives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from steelyard import catalog
from steelyard.core.errors import InputError, unknown
from steelyard.core.words import GATES, Direction, Status
from steelyard.report.plain import print_json
from steelyard.report.results import Scores, Where, card_of, load
from steelyard.report.terminal import console, interval, print_table

if TYPE_CHECKING:
    from steelyard.pool import Pool
    from steelyard.stats.aggregate import Matrix
    from steelyard.stats.rank import Ranking, Ties

PAIRWISE = ("bradley-terry", "plackett-luce")
FEWEST = 10  # cases below which a contender is not ranked, where others have so many


@dataclass(frozen=True)
class Field:
    """Everything that is ranked. x: (contenders, cases), higher is better, NaN where not measured.

    refused: contender -> number of cases, too few to rank. odd: contender -> why to look twice before crowning it.
    """

    names: list[str]
    x: np.ndarray
    groups: list[str]
    sources: list[str]
    refused: dict[str, int]
    odd: dict[str, str]

    def matrix(self) -> Matrix:
        """For the methods of stats.aggregate."""
        from steelyard.stats.aggregate import matrix

        return matrix(self.x, self.sources)


def field_of(sets: Sequence[Scores], least: int | None = None) -> Field:
    """Join the cases of all `sets`; metrics may differ, but must each have a direction.

    Trials of a case become their median. A contender with fewer cases than `least` is refused; the default is 10, or
    half of the cases where there are fewer than 20.
    """
    from steelyard.stats.oddity import oddities

    names = sorted({name for s in sets for name in s.contenders})
    columns, groups, sources = [], [], []
    for s in sets:
        if s.metric.direction is Direction.NONE:
            raise InputError(f"metric {s.metric.name} of {s.card.name} has no better or worse.", "Rank another metric.")
        middle = np.full((len(names), len(s.cases)), np.nan)
        for name in s.contenders:
            values = s.of(name)
            full = ~np.isnan(values).all(axis=1)
            middle[names.index(name), full] = np.nanmedian(values[full], axis=1)
        columns.append(-middle if s.metric.direction is Direction.LOWER else middle)
        groups += [f"{s.card.name}/{g}" for g in s.groups]
        sources += [s.card.name] * len(s.cases)
    x = np.concatenate(columns, axis=1)
    counts = (~np.isnan(x)).sum(axis=1)
    bar = least if least is not None else min(FEWEST, -(-x.shape[1] // 2))
    kept = [i for i, n in enumerate(counts) if n >= bar or n == 0]
    refused = {names[i]: int(n) for i, n in enumerate(counts) if 0 < n < bar}
    if not (counts[kept] > 0).any():
        raise InputError(
            f"nobody was measured on {bar} of the {x.shape[1]} cases: too few to rank.",
            "Select more cases, or lower --least.",
        )
    odd = {names[kept[i]]: why for i, why in oddities(x[kept], np.array(sources)).items()}
    return Field([names[i] for i in kept], x[kept], groups, sources, refused, odd)


def ranking_of(
    field: Field, method: str = "bradley-terry", ties: Ties | None = None, draws: int | None = None
) -> Ranking:
    """One ranking. method: a name of stats.aggregate.METHODS. ties: half or each; None is the method's own rule.

    Bradley-Terry and Plackett-Luce have analytic intervals, robust to dependence within groups of cases; the others
    resample groups `draws` times (200).
    """
    from steelyard.stats.aggregate import METHODS
    from steelyard.stats.rank import rank

    if method not in METHODS:
        raise unknown("method", method, METHODS)
    if method in PAIRWISE:
        return rank(field.x, field.names, field.groups, ties=ties or official_ties(method))
    if ties is not None:
        raise InputError(f"--ties says nothing to {method}.", f"It belongs to {' and '.join(PAIRWISE)}.")
    return _with_progress(method, field, draws or 200)


def _with_progress(method: str, field: Field, draws: int) -> Ranking:
    """`rank_by`, saying how far its resamples are: some methods take seconds each."""
    from steelyard.stats.aggregate import METHODS
    from steelyard.stats.rank_by import meeting, rank_by
    from steelyard.weigh.progress import Bar

    m, bar = field.matrix(), Bar()
    parts = meeting(m.scores, np.flatnonzero(~np.isnan(m.scores).all(axis=1)))

    def counted(some: Matrix) -> np.ndarray:
        try:
            return METHODS[method](some)
        finally:
            bar.advance(method, "", Status.OK)

    with bar.over(f"ranking by {method}", len(parts) * (draws + 1)):
        return rank_by(counted, m, field.names, field.groups, draws)


def official_ties(method: str) -> Ties:
    """A tie is a win each way in ONEBench's Plackett-Luce, half a win each in the Arena's Bradley-Terry."""
    return "each" if method == "plackett-luce" else "half"


def rows_of(ranking: Ranking, odd: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """One row a contender: component, tier, rank interval, strength with interval, cases, what is odd about it."""
    rows = []
    for at, component in enumerate(ranking.components, 1):
        for m in component.members:
            rows.append(
                {
                    "component": at, "tier": m.tier, "rank": m.rank, "rank_low": m.rank_low, "rank_high": m.rank_high,
                    "contender": m.name, "strength": m.strength, "low": m.low, "high": m.high, "cases": m.cases,
                    "odd": (odd or {}).get(m.name, ""),
                }
            )  # fmt: skip
    return rows


def load_all(
    pool: Pool, benchmarks: Sequence[str], metric: str, where: Where | None,
    cases: Mapping[str, set[str]] | None = None,
) -> list[Scores]:  # fmt: skip
    """The newest numbers of each benchmark, gold and empty left out: they are gates, not contenders.

    cases: benchmark -> ids of a selection; None takes all.
    """
    sets = []
    for name in benchmarks:
        if cases is not None and name not in cases:
            continue
        keep = where if cases is None else within(cases[name], where)
        s = load(pool, name, metric, where=keep)
        names = [c for c in s.contenders if c not in GATES]
        if names:
            sets.append(load(pool, name, metric, contenders=names, where=keep))
    if not sets:
        raise InputError("nobody but gold and empty was measured on what is left.", "Name other benchmarks or cases.")
    return sets


def within(cases: set[str], where: Where | None = None) -> Where:
    """The filter that keeps the `cases` of one benchmark, and of those what `where` keeps."""
    return lambda facts: facts["case"] in cases and (where is None or where(facts))


def measured(pool: Pool) -> list[str]:
    """The benchmarks that the pool has measurements of and the catalog has cards of."""
    table = pool.query("SELECT DISTINCT benchmark FROM measurements ORDER BY benchmark")
    known = {e.name for e in catalog.benchmarks()} | set(pool.cards())
    return [name for name in table.column(0).to_pylist() if name in known]


def rankable(pool: Pool) -> list[str]:
    """Those of them whose primary metric has a better and a worse."""
    return [name for name in measured(pool) if card_of(pool, name).primary.direction is not Direction.NONE]


def field_from(
    pool: str | None, benchmarks: Sequence[str], metric: str, where: str, selection: str, least: int | None
) -> tuple[Field, list[str]]:
    """The field and the benchmarks behind it, read from the pool."""
    from steelyard.pool import Pool
    from steelyard.stats.claims import compile_where

    with Pool(pool, readonly=True) as store:
        cases = store.selection(selection) if selection else None
        names = list(benchmarks) or (sorted(cases) if cases is not None else rankable(store))
        if not names:
            raise InputError("the pool holds no measurements.", "Measure something first:  steelyard run quickstart")
        sets = load_all(store, names, metric, compile_where(where) if where else None, cases)
    return field_of(sets, least), [s.card.name for s in sets]


def rank_and_print(
    benchmarks: Sequence[str], *, metric: str, where: str, selection: str, method: str, ties: str, least: int | None,
    draws: int, study: str, missing: str, repetitions: int, k: int, pool: str | None, as_json: bool,
) -> None:  # fmt: skip
    """`steelyard rank`."""
    if ties not in ("", "half", "each"):
        raise unknown("rule for ties", ties, ("half", "each"), where="--ties")
    field, names = field_from(pool, benchmarks, metric, where, selection, least)
    if study:
        from steelyard.report.studying import study_and_print

        methods = [m.strip() for m in method.split(",") if m.strip()]
        study_and_print(field, names, study, methods, missing, repetitions, k, as_json)
        return
    method = method or "bradley-terry"
    rule: Any = ties or None
    ranking = ranking_of(field, method, rule, draws)
    effect = ties_effect(field, ranking) if method in PAIRWISE else ""
    if as_json:
        print_json({"benchmarks": names, "method": method, "rows": rows_of(ranking, field.odd),
                    "unmeasured": ranking.unmeasured, "refused": field.refused,
                    "ties": ranking.ties if method in PAIRWISE else None,
                    "tied_share": ranking.tied_share, "ties_effect": effect, "notes": ranking.notes})  # fmt: skip
        return
    print_ranking(ranking, field, f"ranking over {', '.join(names)} ({method} on per-case scores, 95%)")
    if effect:
        console().print(effect, style="dim")


def print_ranking(ranking: Ranking, field: Field, title: str) -> None:
    """The tiers, then what does not compare, who is odd, who was refused and who was not measured."""
    rows = rows_of(ranking, field.odd)
    shown = [
        {
            "tier": r["tier"],
            "rank": f"{r['rank_low']}-{r['rank_high']}" if r["rank_low"] != r["rank_high"] else str(r["rank_low"]),
            "contender": r["contender"],
            "strength": f"{r['strength']:+.3g} {interval(r['low'], r['high'])}",
            "cases": r["cases"],
            "group": r["component"],
            "look twice": r["odd"],
        }
        for r in rows
    ]
    several = len(ranking.components) > 1
    columns = [*(["group"] if several else []), "tier", "rank", "contender", "strength", "cases"]
    print_table(shown, [*columns, *(["look twice"] if field.odd else [])], title)
    out = console()
    if several:
        out.print("Groups never met, or one never won against the other: their ranks do not compare.", style="yellow")
    for component in ranking.components:
        leader = component.members[0].name
        if leader in field.odd and len(component.members) > 1:
            sound = next((m.name for m in component.members if m.name not in field.odd), "")
            instead = f"; the first without such a sign is {sound}" if sound else ""
            out.print(f"{leader} leads and is not to be crowned unseen: {field.odd[leader]}{instead}.", style="yellow")
    lines = list(ranking.notes)
    if field.refused:
        few = ", ".join(f"{name} ({n} cases)" for name, n in field.refused.items())
        lines.append(f"too few measurements to rank: {few}")
    if ranking.unmeasured:
        lines.append(f"not measured: {', '.join(ranking.unmeasured)}")
    for line in lines:
        out.print(line, style="dim")


def ties_effect(field: Field, ranking: Ranking) -> str:
    """What the other rule for ties would change, in one line; "" where nothing is tied."""
    from steelyard.stats.rank import rank
    from steelyard.stats.stability import tau_b

    if not ranking.tied_share:
        return ""
    other: Ties = "half" if ranking.ties == "each" else "each"
    there = rank(field.x, field.names, field.groups, ties=other, draws=100)
    place: list[dict[str, int]] = [
        {m.name: m.rank + 1000 * at for at, c in enumerate(r.components) for m in c.members} for r in (ranking, there)
    ]
    shared = sorted(set(place[0]) & set(place[1]))
    tau = tau_b(*(np.array([p[n] for n in shared], float) for p in place))
    moved = sum(place[0][n] != place[1][n] for n in shared)
    words = {"each": "a win each way", "half": "half a win each way"}
    return (
        f"{ranking.tied_share:.0%} of comparisons are ties, counted as {words[ranking.ties]}; as {words[other]}: "
        f"{len(there.components)} component(s), {moved} of {len(shared)} change rank, tau-b {tau:.3f}"
    )
