"""Contenders against a baseline on one benchmark: estimates, paired comparisons, how many more cases it would take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from steelyard.core.errors import InputError
from steelyard.core.spec import parse_spec
from steelyard.core.words import Direction, Kind
from steelyard.report.plain import print_json
from steelyard.report.results import Scores, Where, load
from steelyard.report.terminal import interval, number, p_value, print_table

if TYPE_CHECKING:
    from steelyard.stats.compare import Comparison
    from steelyard.stats.estimates import Estimate

TIMES = (Kind.DURATION, Kind.RATE)


def estimate_of(scores: Scores, contender: str) -> Estimate:
    """The typical value of one contender: a rate of passes, a mean, or a time (geometric mean over cases, per round)."""
    from steelyard.stats.estimates import estimate

    values = scores.of(contender)
    if scores.metric.kind in TIMES:
        values = scores.together([contender])[0] if scores.card.timing else values
        whole = values[:, ~np.isnan(values).any(axis=0)] if values.size else values
        series = np.exp(np.log(whole).mean(axis=0)) if whole.size and (whole > 0).all() else values.ravel()
        return estimate(series, scores.metric.kind)
    kind = scores.metric.kind
    means = np.array([row[~np.isnan(row)].mean() if (~np.isnan(row)).any() else np.nan for row in values])
    if kind is Kind.BINARY and not np.isin(means[~np.isnan(means)], (0.0, 1.0)).all():
        kind = Kind.FRACTION  # several trials of a case make a share
    return estimate(means, kind, scores.groups)


def comparison_of(scores: Scores, contender: str, baseline: str, margin: float | None = None) -> Comparison:
    """`contender` against `baseline`, paired by case (and by round for times: rounds of one and the same run)."""
    from steelyard.stats.compare import compare

    timing = scores.card.timing and scores.metric.kind in TIMES
    ours, theirs = scores.together([contender, baseline]) if timing else map(scores.of, (contender, baseline))
    done = compare(
        ours,
        theirs,
        scores.metric.kind,
        scores.metric.direction,
        groups=scores.groups if scores.metric.kind not in TIMES else None,
        margin=margin,
    )
    apart = timing and bool(np.isnan(ours).all())
    if apart and not any(np.isnan(scores.of(name)).all() for name in (contender, baseline)):
        again = f'steelyard run {scores.card.name} --with "{baseline}" --with "{contender}"'
        return replace(done, notes=[f"never timed in one run with {baseline}; measure them together:  {again}"])
    return done


def table(scores: Scores, baseline: str, margin: float | None = None) -> list[dict[str, Any]]:
    """One row a contender, baseline first: estimate with interval, then ratio or difference, Holm over the family."""
    from steelyard.stats.compare import adjust

    others = [name for name in scores.contenders if name != baseline]
    family = dict(zip(others, adjust([comparison_of(scores, o, baseline, margin) for o in others]), strict=True))
    rows = []
    for name in [baseline, *others]:
        e = estimate_of(scores, name)
        failed = sum(1 for f in scores.failures if f[0] == name)
        row: dict[str, Any] = {
            "contender": name, "estimate": e.value, "low": e.low, "high": e.high, "unit": scores.metric.unit,
            "n": e.n, "clusters": e.clusters, "failed": failed, "notes": e.notes, "baseline": name == baseline,
        }  # fmt: skip
        if name in family:
            c = family[name]
            row |= {
                c.scale: c.estimate, f"{c.scale}_low": c.low, f"{c.scale}_high": c.high, "p": c.p,
                "p_adjusted": c.p_adjusted, "effect": c.effect, "effect_name": c.effect_name, "verdict": c.verdict,
                "pairs": c.n, "lost": c.lost, "method": c.method, "more_needed": more_needed(c),
                "notes": [*e.notes, *(n for n in c.notes if n not in e.notes)],
            }  # fmt: skip
        rows.append(row)
    return rows


def more_needed(c: Comparison) -> int | None:
    """How many more cases (or rounds) would settle a comparison that shows no difference; None where none would."""
    from steelyard.stats.power import more_to_settle

    if c.verdict != "no difference shown" or not (math.isfinite(c.low) and math.isfinite(c.high)):
        return None
    if c.scale == "ratio" and c.low <= 0:  # a single round: its interval is everything
        return None
    if c.scale == "ratio":
        return more_to_settle(c.clusters, (math.log(c.high) - math.log(c.low)) / 2, abs(math.log(c.estimate)))
    return more_to_settle(c.clusters, (c.high - c.low) / 2, abs(c.estimate))


def shown(rows: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    """The rows as people read them."""
    out = []
    for row in rows:
        unit = row["unit"]
        against, words = ("1.00x", "baseline") if row["baseline"] else ("", "")
        if "ratio" in row and not math.isnan(row["ratio"]):
            against = f"{row['ratio']:.2f}x [{row['ratio_low']:.2f}, {row['ratio_high']:.2f}]"
        elif "difference" in row:
            against = f"{row['difference']:+.3g} [{row['difference_low']:+.3g}, {row['difference_high']:+.3g}]"
        if not row["baseline"]:
            words = ", ".join(filter(None, [row["verdict"], p_value(row["p_adjusted"])]))
            if row.get("more_needed"):
                words += f"; about {row['more_needed']} more would settle it"
        notes = [*row["notes"], *([f"{row['failed']} failed"] if row["failed"] else [])]
        out.append(
            {
                "contender": row["contender"],
                "estimate": f"{number(row['estimate'], unit)} {interval(row['low'], row['high'], unit)}",
                "against": against,
                "verdict": words,
                "notes": "; ".join(notes),
            }
        )
    return out


def print_comparison(scores: Scores, rows: Sequence[dict[str, Any]], baseline: str) -> None:
    """The table of one metric under a line that says what, how many, and on which machine."""
    from steelyard.report.machines import describe

    better = {Direction.LOWER: ", lower is better", Direction.HIGHER: "", Direction.NONE: ""}[scores.metric.direction]
    trials = scores.values.shape[2]
    title = (
        f"{scores.card.name} {scores.version}: {scores.metric.name}{better}; {len(scores.cases)} cases"
        f"{f', {trials} rounds' if trials > 1 else ''}; {describe(scores.machines)}"
    )
    headers = ["contender", f"{scores.metric.name} (95%)", f"against {baseline}", "", "notes"]
    print_table(shown(rows), ["contender", "estimate", "against", "verdict", "notes"], title, headers)


def compare_and_print(
    contenders: Sequence[str],
    on: str,
    *,
    metric: str = "",
    where: str = "",
    selection: str = "",
    measure: bool = False,
    margin: float | None = None,
    data: str | None = None,
    trials: int | None = None,
    limit: int | None = None,
    pool: str | None = None,
    as_json: bool = False,
) -> None:
    """`steelyard compare`."""
    from steelyard.pool import Pool
    from steelyard.report.running import weigh_visibly
    from steelyard.stats.claims import compile_where

    names = [str(parse_spec(c)) for c in contenders]
    if len(set(names)) < 2:
        raise InputError("compare needs two different contenders or more.", "The first is the one compared with.")
    keep: Where | None = compile_where(where) if where else None
    with Pool(pool, readonly=not measure) as store:
        if selection:
            from steelyard.report.ranking import within

            keep = within(store.selection(selection).get(parse_spec(on).name, set()), keep)
        if measure:
            done = weigh_visibly(on, names, pool=store, data=data, where=keep, trials=trials, limit=limit)
            if done.stopped:
                raise KeyboardInterrupt
        scores = load(store, parse_spec(on).name, metric, contenders=names, where=keep)
    for name in names:
        if np.isnan(scores.of(name)).all() and not any(f[0] == name for f in scores.failures):
            raise InputError(
                f"the pool has no {scores.metric.name} of {name} on {on}.", "Add --measure, or run it first."
            )
    rows = table(scores, names[0], margin)
    if as_json:
        print_json(
            {"benchmark": scores.card.name, "version": scores.version, "metric": scores.metric.name, "rows": rows}
        )
    else:
        print_comparison(scores, rows, names[0])
