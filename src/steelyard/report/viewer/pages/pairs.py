"""Two contenders beside each other, and how far benchmarks agree."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from steelyard.core.errors import InputError
from steelyard.core.words import GATES, Direction
from steelyard.report import views
from steelyard.report.comparing import comparison_of, more_needed
from steelyard.report.plots import in_unit, typical
from steelyard.report.results import Scores
from steelyard.report.scales import SHARES, quantities, quantity, ratio, scale_over, tick_label, ticks
from steelyard.report.sections import only
from steelyard.report.viewer.asking import Ask, Page
from steelyard.report.viewer.pages.common import chosen, filtered, metric_of, pick, section_of
from steelyard.report.viewer.queries import agreement

LISTED, GRID = 15, 32  # cases listed on either side; squares along each axis of a crowded plot
CROWD = 400  # more points than this are drawn as squares that tell how many


def compare(ask: Ask) -> Page:
    """Contender `c` against `a` on one metric: paired plot, wins and losses, significance, the cases that differ most."""
    section = filtered(ask, section_of(ask, chosen(ask)))
    scores = metric_of(ask, section)
    names = [c for c in scores.contenders if views.has_values(scores, c)]
    context: dict[str, Any] = {
        "section": section, "scores": scores, "names": names, "a": "", "c": "", "said": None, "plot": None,
        "measured": list(ask.store.benchmarks()),
    }  # fmt: skip
    page = Page(f"Two contenders on {section.card.name}", "compare.html.j2", context, {"cases": []})
    if len(names) < 2:
        return page
    a = pick(ask, "a", names, views.baseline_of(section) if views.baseline_of(section) in names else names[0])
    c = pick(ask, "c", names, next(n for n in names if n != a))
    context |= {"a": a, "c": c}
    if a == c:
        raise InputError(f"{a} is compared with itself.", "Choose two different contenders.")
    metric = scores.metric
    x, y = typical(scores.of(a)), typical(scores.of(c))
    both = np.flatnonzero(~np.isnan(x) & ~np.isnan(y))
    gain = (y - x) * (-1.0 if metric.direction is Direction.LOWER else 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ranked = np.abs(np.log(y / x)) if (x[both] > 0).all() and (y[both] > 0).all() else np.abs(gain)
    order = both[np.argsort(-ranked[both], kind="stable")]
    said = ask.get(
        "the paired test", ("pair", section.card.name, metric.name, a, c, ask.one("where"), *ask.many("with")),
        ask.store.stamp_of(section.card.name), lambda: _said(scores, c, a), slow=True,
    )  # fmt: skip

    def row(i: int) -> dict[str, Any]:
        return {"case": scores.cases[i], "a": quantity(float(x[i]), metric), "c": quantity(float(y[i]), metric)}

    directed = metric.direction is not Direction.NONE
    context |= {
        "said": said, "plot": plot(x[both], y[both], [scores.cases[i] for i in both], scores), "n": len(both),
        "wins": int((gain[both] > 0).sum()) if directed else None, "losses": int((gain[both] < 0).sum()),
        "ties": int((gain[both] == 0).sum()), "lost": len(scores.cases) - len(both), "unit": in_unit(metric),
        "better": [row(i) for i in order if gain[i] > 0][:LISTED],
        "worse": [row(i) for i in order if gain[i] < 0][:LISTED],
    }  # fmt: skip
    page.tables["cases"] = [
        {"case": scores.cases[i], "group": scores.groups[i], a: float(x[i]), c: float(y[i])} for i in both
    ]
    return page


def _said(scores: Scores, contender: str, baseline: str) -> dict[str, Any]:
    """The comparison in words."""
    done = comparison_of(scores, contender, baseline)
    ends = (done.estimate, done.low, done.high)
    text = ratio(*ends) if done.scale == "ratio" else quantities(*ends, scores.metric, difference=True)
    return {
        "text": text, "scale": done.scale, "verdict": done.verdict, "p": done.p, "method": done.method, "n": done.n,
        "effect": done.effect, "effect_name": done.effect_name, "more": more_needed(done), "notes": list(done.notes),
        "tone": "good" if done.verdict in views.GOOD else "bad" if done.verdict in views.BAD else "flat",
    }  # fmt: skip


def plot(x: Any, y: Any, cases: list[str], scores: Scores) -> dict[str, Any]:
    """A square plot in percent: points, or squares with how many where there are many; the diagonal is a tie."""
    metric = scores.metric
    if not len(x):
        return {}
    values = [*map(float, x), *map(float, y)]
    wide = metric.kind not in SHARES and min(values) > 0 and max(values) / min(values) > 10
    scale = scale_over(values, log=wide, within=None)
    marks = [(scale.at(t), tick_label(t, metric)) for t in ticks(scale, metric.unit, 5)]
    px, py = (np.array([scale.at(float(v)) for v in side]) for side in (x, y))
    spots: dict[tuple[float, float], list[int]] = {}
    step = 100 / GRID
    for i, (h, v) in enumerate(zip(px, py, strict=True)):
        at = (h, v) if len(x) <= CROWD else (step * (math.floor(h / step) + 0.5), step * (math.floor(v / step) + 0.5))
        spots.setdefault(at, []).append(i)
    most = max(len(s) for s in spots.values())
    points = [
        {
            "x": round(h, 2), "y": round(100 - v, 2), "n": len(own), "case": cases[own[0]],
            "size": round(0.9 + 2.1 * math.sqrt(len(own) / most), 2) if most > 1 else 1.1,
        }
        for (h, v), own in spots.items()
    ]  # fmt: skip
    return {"points": points, "ticks": marks, "crowded": most > 1}


def agree(ask: Ask) -> Page:
    """Kendall's tau-b between every two benchmarks, over the contenders they share."""
    names, boards, left = [], [], []
    for name in ask.many("b") or list(ask.store.benchmarks()):
        chosen(Ask(ask.store, ask.keep, ask.path, {"b": [name]}))
        means = ask.get(f"means of {name}", ("means", name), ask.store.stamp_of(name), partial(_means, ask, name))
        if means is None:
            continue
        if len(means) < 3:
            left.append(name)
        else:
            names.append(name)
            boards.append(means)
    tau, n = agreement(boards)
    rows: list[list[dict[str, Any]]] = [
        [
            {
                "tau": None if math.isnan(tau[i, j]) else float(tau[i, j]), "n": int(n[i, j]),
                "ends": _ends(float(tau[i, j]), int(n[i, j])) if i != j else (math.nan, math.nan),
                "level": "none" if math.isnan(tau[i, j]) else f"{'neg' if tau[i, j] < 0 else 'pos'}{round(4 * abs(tau[i, j]))}",
            }
            for j in range(len(names))
        ]
        for i in range(len(names))
    ]  # fmt: skip
    plain = [
        {
            "a": names[i],
            "b": names[j],
            "tau_b": rows[i][j]["tau"],
            "n": rows[i][j]["n"],
            "low": rows[i][j]["ends"][0],
            "high": rows[i][j]["ends"][1],
        }
        for i in range(len(names))
        for j in range(i + 1, len(names))
    ]
    context = {"names": names, "rows": rows, "left": left}
    return Page("Agreement between benchmarks", "agreement.html.j2", context, {"pairs": plain})


def _ends(tau: float, n: int) -> tuple[float, float]:
    """Its 95% interval over the choice of contenders; NaN where there is no tau."""
    from steelyard.stats.agreement import score_interval

    return (math.nan, math.nan) if math.isnan(tau) else score_interval(tau, n, "kendall")


def _means(ask: Ask, name: str) -> dict[str, float]:
    """How good each contender is on a benchmark: the mean over cases of its primary metric, higher is better."""
    section = ask.store.section(name)
    if not section.metrics or section.metrics[0].metric.direction is Direction.NONE:
        return {}
    scores = only(section.metrics[0])
    sign = -1.0 if scores.metric.direction is Direction.LOWER else 1.0
    middle = {c: typical(scores.of(c)) for c in scores.contenders if c not in GATES}
    return {c: sign * float(np.nanmean(m)) for c, m in middle.items() if not np.isnan(m).all()}
