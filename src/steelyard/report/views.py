"""A section as a page shows it: rankings, intervals, charts, failures and commands, in words and positions."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from steelyard.core.errors import InputError
from steelyard.core.words import Direction, Metric
from steelyard.report.charts import SERIES
from steelyard.report.comparing import TIMES, table
from steelyard.report.ranking import field_of, ranking_of, rows_of
from steelyard.report.results import Scores
from steelyard.report.scales import SHARES, Scale, bar, quantities, quantity, ratio, scale_over, tick_label, ticks
from steelyard.report.sections import Section, only
from steelyard.report.terminal import interval, p_value

BETTER = {
    Direction.HIGHER: "higher is better",
    Direction.LOWER: "lower is better",
    Direction.NONE: "neither way is better",
}
GOOD, BAD = ("faster", "better"), ("slower", "worse")
CELLS = 8000  # more squares than this make a slow page


@dataclass(frozen=True)
class Line:
    """The axis of a column of bars: ticks as (percent, label), and where no difference lies."""

    ticks: list[tuple[float, str]]
    reference: float | None = None


@dataclass(frozen=True)
class Forest:
    """One metric of every contender. rows: see `forest`; problem: why a comparison could not be made."""

    metric: Metric
    better: str
    baseline: str
    rows: list[dict[str, Any]]
    estimate: Line | None
    against: Line | None
    problem: str = ""


@dataclass(frozen=True)
class Tiers:
    """The ranking: rows with rank intervals and bars of strength; sentence: why there is none, or what to mind."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    line: Line | None = None
    sentence: str = ""
    notes: list[str] = field(default_factory=list)


def has_values(scores: Scores, contender: str) -> bool:
    return contender in scores.contenders and not bool(np.isnan(scores.of(contender)).all())


def baseline_of(section: Section) -> str:
    """The card's baseline, else the first of the card's contenders, else of all, that has numbers."""
    if not section.metrics:
        return ""
    primary, card = section.metrics[0], section.card
    return next((c for c in (card.baseline, *card.contenders, *primary.contenders) if has_values(primary, c)), "")


def series_of(section: Section, baseline: str, forest_of_primary: Forest | None) -> dict[str, int]:
    """The place of each contender in the legend: the baseline 0, then the rest from the best on, as many as there are."""
    names = [r["name"] for r in forest_of_primary.rows if r["bar"]] if forest_of_primary else []
    rest = [n for n in names if n != baseline]
    return {name: at for at, name in enumerate([baseline, *rest][:SERIES])}


def forest(section: Section, scores: Scores, baseline: str, *, paired: bool = True) -> Forest:
    """Estimates and comparisons of one metric, best first. Contenders without any number stand last, saying so.

    paired: without it only the estimates, which take a fraction of the time.
    """
    names = [c for c in scores.contenders if has_values(scores, c)]
    base = baseline if baseline in names else (names[0] if names else "")
    problem, rows = "", []
    try:
        rows = table(only(scores, contenders=names), base) if names and paired else []
    except InputError as error:
        problem = str(error)
    if problem or not paired:
        for name in names:
            try:
                rows += table(only(scores, contenders=[name]), name)
            except InputError as own:
                problem = str(own)
    lower = scores.metric.direction is Direction.LOWER
    rows.sort(key=lambda r: (r["estimate"] if lower else -r["estimate"], r["contender"]))
    kind = next((k for r in rows for k in ("ratio", "difference") if k in r), "")
    line = _line([v for r in rows for v in (r["estimate"], r["low"], r["high"])], scores.metric)
    ends = [v for r in rows if kind in r for v in (r[kind], r[f"{kind}_low"], r[f"{kind}_high"])]
    beside = _line([*ends, 1.0 if kind == "ratio" else 0.0], scores.metric, kind) if kind else None
    shown = [_row(section, scores, r, kind, line, beside, alone=bool(problem) or not paired) for r in rows]
    shown += [_blank(section, scores, n) for n in scores.contenders if n not in {r["name"] for r in shown}]
    return Forest(
        scores.metric, BETTER[scores.metric.direction], base, shown, line[1] if rows else None,
        beside[1] if beside else None, problem,
    )  # fmt: skip


def _line(values: Sequence[float], metric: Metric, kind: str = "") -> tuple[Scale, Line]:
    finite = [v for v in values if math.isfinite(v) and v < 1e300]
    positive = bool(finite) and min(finite) > 0
    wide = kind == "ratio" or (metric.kind not in SHARES and positive and max(finite) / min(finite) > 20)
    within = (0.0, 1.0) if metric.kind in SHARES and not kind else None
    scale = scale_over(finite, log=wide and kind != "difference", within=within)
    marks = [(scale.at(t), tick_label(t, metric, scale=kind)) for t in ticks(scale, "" if kind else metric.unit, 5)]
    reference = {"ratio": 1.0, "difference": 0.0}.get(kind)
    return scale, Line(marks, scale.at(reference) if reference is not None else None)


def _row(
    section: Section, scores: Scores, r: dict[str, Any], kind: str, line: Any, beside: Any, *, alone: bool
) -> dict[str, Any]:
    """One row of a forest: texts, bars, verdict and notes."""
    metric, name = scores.metric, r["contender"]
    timing = metric.kind in TIMES and scores.values.shape[2] > 1
    unit = "rounds" if timing else "cases"
    groups = f" in {r['clusters']} group{'s' * (r['clusters'] > 1)}" if not timing and r["clusters"] < r["n"] else ""
    over = f", {len(scores.cases)} cases" if timing else ""
    words, mark = "baseline" if r["baseline"] and not alone else "", None
    against = {"ratio": "1.00×", "difference": quantity(0.0, metric, difference=True)}.get(kind, "") if words else ""
    if kind in r:
        ends = (r[kind], r[f"{kind}_low"], r[f"{kind}_high"])
        against = ratio(*ends) if kind == "ratio" else quantities(*ends, metric, difference=True)
        words, mark = r["verdict"], bar(beside[0], *ends)
    return {
        "name": name,
        "provenance": section.provenance(name, metric.name),
        "baseline": words == "baseline",
        "text": quantities(r["estimate"], r["low"], r["high"], metric),
        "n": f"n = {r['n']} {unit}{over}{groups}",
        "bar": bar(line[0], r["estimate"], r["low"], r["high"]),
        "against": against,
        "against_bar": mark,
        "verdict": words,
        "tone": "good" if words in GOOD else "bad" if words in BAD else "flat",
        "p": p_value(r["p_adjusted"]) if "p_adjusted" in r else "",
        "more": r.get("more_needed"),
        "failed": r["failed"],
        "notes": [n for n in r["notes"] if n],
    }


def _blank(section: Section, scores: Scores, name: str) -> dict[str, Any]:
    failed = sum(1 for f in scores.failures if f[0] == name)
    why = f"no number: all {failed} cells failed" if failed else "no number: nothing finite was measured"
    return {
        "name": name, "provenance": section.provenance(name, scores.metric.name), "baseline": False, "text": "–", "n": "n = 0",
        "bar": None, "against": "", "against_bar": None, "verdict": why, "tone": "bad", "p": "", "more": None,
        "failed": failed, "notes": [],
    }  # fmt: skip


def tiers(section: Section) -> Tiers:
    """The ranking over the primary metric's cases, or the sentence that says why there is none."""
    if not section.metrics:
        return Tiers(sentence="Nothing was measured, so there is nothing to rank.")
    primary = section.metrics[0]
    names = [c for c in primary.contenders if has_values(primary, c)]
    if len(names) < 2:
        return Tiers(sentence=f"A ranking needs two contenders with numbers; there {'is one' if names else 'is none'}.")
    return tiers_of([only(primary, contenders=names)])


def tiers_of(sets: Sequence[Scores], method: str = "bradley-terry") -> Tiers:
    """The ranking over the cases of all `sets`, or the sentence that says why there is none; see `ranking_of`."""
    try:
        ranking = ranking_of(field_of(sets, least=1), method)
    except InputError as error:
        return Tiers(sentence=str(error))
    rows = rows_of(ranking)
    scale, line = _line(
        [v for r in rows for v in (r["strength"], r["low"], r["high"])] + [0.0], _STRENGTH, "difference"
    )
    several = len(ranking.components) > 1
    for r in rows:
        r["group"] = r["component"] if several else None
        r["ranks"] = str(r["rank_low"]) if r["rank_low"] == r["rank_high"] else f"{r['rank_low']}–{r['rank_high']}"
        lone = math.isnan(r["low"])
        r["text"] = "" if lone else f"{r['strength']:+.2f} {interval(r['low'], r['high'])}".replace("-", "−")
        r["bar"] = None if lone else bar(scale, r["strength"], r["low"], r["high"])
    notes = list(ranking.notes)
    if several:
        notes.append("Contenders of different groups never met, or one won every time.")
    return Tiers(rows, line, notes=notes)


_STRENGTH = Metric("strength")


def strips(section: Section, order: Sequence[str]) -> dict[str, Any]:
    """Contender x case, one small bar a case, hardest case last; only for shares and up to 200 cases."""
    if not section.metrics:
        return {}
    primary = section.metrics[0]
    n = len(primary.cases)
    if primary.metric.kind not in SHARES or not 1 <= n <= 200 or n * len(order) > CELLS:
        return {}
    means = {c: _means(primary.of(c)) for c in order}
    hard = -np.nan_to_num(np.array([np.nan_to_num(m, nan=0.0) for m in means.values()])).mean(axis=0)
    at = np.lexsort((np.array(primary.cases), hard))
    failed: dict[tuple[str, str], str] = {(f[0], f[1]): f[3] for f in primary.failures}
    rows = []
    for name in order:
        cells = []
        for place, i in enumerate(at):
            case, value = primary.cases[i], float(means[name][i])
            status = failed.get((name, case), "not measured")
            level = "none" if status == "not measured" else "lost"
            cells.append(
                {
                    "x": round(100 * place / n, 3), "width": round(100 / n * 0.86, 3),
                    "level": level if math.isnan(value) else f"l{round(4 * min(1.0, max(0.0, value)))}",
                    "says": f"{case}: {status if math.isnan(value) else quantity(value, primary.metric)}",
                }
            )  # fmt: skip
        rows.append({"name": name, "cells": cells, "passed": int(np.nansum(means[name] == 1.0)), "cases": n})
    return {"rows": rows, "cases": n}


def _means(values: Any) -> Any:
    return np.array([row[~np.isnan(row)].mean() if (~np.isnan(row)).any() else np.nan for row in values])


def failures(section: Section) -> list[dict[str, Any]]:
    """Failed cells by contender, status and the first line of the error, the most frequent first."""
    found: dict[tuple[str, str, str], list[tuple[str, int, str]]] = {}
    for who, case, trial, status, error in section.failures:
        lines = error.strip().splitlines()
        found.setdefault((who, status, lines[0][:200] if lines else "no reason recorded"), []).append(
            (case, trial, error)
        )
    groups = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    return [
        {
            "contender": who, "status": status, "reason": reason, "count": len(cells),
            "cases": list(dict.fromkeys(c for c, _, _ in cells)), "example": cells[0][2].strip()[:2000],
        }
        for (who, status, reason), cells in groups
    ]  # fmt: skip


def commands(section: Section, baseline: str, pool: str) -> list[tuple[str, str]]:
    """(what it does, the command) to measure, compare and judge all this again."""
    name, names = section.card.name, [s.contender for s in section.sources]
    if not names:
        return [("measure it", f"steelyard run {name}")]
    own = f" --pool {shlex.quote(pool)}" if pool else ""
    data = " --data DATA" if "data=" in section.version else ""
    deep = max(s.values.shape[2] for s in section.metrics) if section.metrics else 1
    trials = f" --trials {deep}" if deep > 1 else ""
    listed = " ".join(f"--with {shlex.quote(n)}" for n in names)
    out = [("measure it again", f"steelyard run {name} {listed}{trials}{data}{own}")]
    if len(names) > 1 and baseline:
        rest = " ".join(shlex.quote(n) for n in [baseline, *(n for n in names if n != baseline)])
        out.append(("compare", f"steelyard compare {rest} --on {name}{own}"))
    return [
        *out,
        ("judge the claims", f"steelyard claims {name}{own}"),
        ("this report", f"steelyard report {name}{own}"),
    ]
