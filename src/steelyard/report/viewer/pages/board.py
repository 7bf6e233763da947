"""Leaderboard, quality against cost, performance profiles."""

from __future__ import annotations

from typing import Any

from steelyard.core.errors import InputError
from steelyard.core.words import GATES, Direction
from steelyard.report import plots, views
from steelyard.report.charts import SERIES, Chart
from steelyard.report.sections import Section, only
from steelyard.report.viewer.asking import Ask, Page
from steelyard.report.viewer.pages.common import chosen, filtered, kept_cases, metric_of, pick, section_of

WORDS = {"bradley-terry": "by the order of contenders within each case (Bradley-Terry)"}


def _methods() -> dict[str, str]:
    """Ways to rank, each in words."""
    from steelyard.stats.aggregate import METHODS

    return WORDS | {name: f"by {name}" for name in METHODS if name not in WORDS}


def leaderboard(ask: Ask) -> Page:
    """Tiers and intervals of one benchmark, one ranking over several, or the list to choose from."""
    names = ask.many("b")
    if not names:
        groups = list(ask.store.benchmarks().values())
        plain = [
            {"benchmark": g.name, "contenders": len(g.contenders), "rows": g.rows, "failed": g.failed, "last": g.last}
            for g in groups
        ]
        cards = {g.name: ask.store.card(g.name) for g in groups}
        return Page("Leaderboards", "boards.html.j2", {"groups": groups, "cards": cards}, {"benchmarks": plain})
    for name in names:
        chosen(Ask(ask.store, ask.keep, ask.path, {"b": [name]}))
    return _one(ask, names[0]) if len(names) == 1 else _several(ask, names)


def _state(ask: Ask) -> tuple[Any, ...]:
    return (ask.one("where"), *ask.many("with"), ask.one("metric"), ask.one("baseline"), ask.one("method"))


def _one(ask: Ask, name: str) -> Page:
    whole = section_of(ask, name)
    section = filtered(ask, whole)
    scores = metric_of(ask, section) if section.metrics else None
    method = ask.choice("method", list(_methods()))
    stamp = ask.store.stamp_of(name)
    context: dict[str, Any] = {
        "names": [name], "card": section.card, "section": section, "scores": scores, "tiers": None, "forest": None,
        "charts": [], "strips": None, "everyone": [s.contender for s in whole.sources], "methods": _methods(),
        "method": method, "baseline": "", "legend": [], "measured": list(ask.store.benchmarks()),
    }  # fmt: skip
    tables: dict[str, Any] = {"contenders": []}
    page = Page(section.card.title, "board.html.j2", context, tables)
    if scores is None:
        return page
    ranked = [c for c in scores.contenders if views.has_values(scores, c)]
    baseline = pick(ask, "baseline", ranked, views.baseline_of(section)) if ranked else ""
    key = (name, *_state(ask))
    if len(ranked) > 1:
        tiers = ask.get(
            "the ranking", ("tiers", *key), stamp, lambda: views.tiers_of([only(scores, contenders=ranked)], method),
            slow=method not in WORDS,
        )  # fmt: skip
    else:
        tiers = views.Tiers(sentence=f"A ranking needs two contenders with numbers; there are {len(ranked)}.")
    forest = ask.get(
        f"comparisons of {len(ranked)} contenders on {len(scores.cases)} cases", ("forest", *key), stamp,
        lambda: views.forest(section, scores, baseline), slow=True,
    )  # fmt: skip
    compared = forest is not None
    if forest is None:
        alone = ("alone", *key)
        forest = ask.get("estimates", alone, stamp, lambda: views.forest(section, scores, baseline, paired=False))
    series = views.series_of(section, baseline, forest) if forest and baseline else {}
    charts: list[Chart] = []
    if forest and compared and len(scores.cases) <= plots.STEPS * 10:
        charts = (
            ask.get("charts", ("sizes", *key), stamp, lambda: plots.by_size(section, scores, baseline, series)) or []
        )
    order = [r["name"] for r in forest.rows] if forest else []
    context |= {
        "tiers": tiers, "forest": forest, "charts": charts, "strips": views.strips(section, order) if order else None,
        "baseline": baseline, "legend": list(series.items()),
    }  # fmt: skip
    tables["contenders"] = [_plain(r) for r in forest.rows] if forest else []
    tables["tiers"] = [{k: v for k, v in r.items() if k != "bar"} for r in tiers.rows] if tiers else []
    page.drawings = {c.title: c.wide for c in charts}
    return page


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row of a forest without what is only drawn."""
    kept = ("name", "text", "n", "against", "verdict", "p", "more", "failed", "baseline")
    return {k: row[k] for k in kept} | {"notes": "; ".join(row["notes"]), "provenance": " ".join(row["provenance"])}


def _several(ask: Ask, names: list[str]) -> Page:
    """One ranking over the cases of several benchmarks, each by its primary metric or the one named."""
    sets, left = [], []
    for name in names:
        section = section_of(ask, name)
        wanted = ask.one("metric")
        scores = next((s for s in section.metrics if s.metric.name == (wanted or section.card.primary.name)), None)
        who = [c for c in scores.contenders if views.has_values(scores, c)] if scores else []
        cases = kept_cases(scores, ask.one("where")) if scores else []
        if scores is None or not who or not cases or scores.metric.direction is Direction.NONE:
            left.append(name)
        else:
            sets.append(only(scores, cases, [c for c in who if c not in GATES and c in (ask.many("with") or who)]))
    method = ask.choice("method", list(_methods()))
    if not sets:
        raise InputError("none of these benchmarks has numbers that can be ranked.", "Choose other ones, or a metric.")
    stamp = ask.store.stamp_of(*names)
    tiers = ask.get(
        "tiers",
        ("several", *names, *_state(ask)),
        stamp,
        lambda: views.tiers_of(sets, method),
        slow=method not in WORDS,
    )
    context = {
        "names": names, "tiers": tiers, "left": left, "methods": _methods(), "method": method,
        "counts": [(s.card.name, s.metric.name, len(s.cases), len(s.contenders)) for s in sets],
        "measured": list(ask.store.benchmarks()),
    }  # fmt: skip
    rows = [{k: v for k, v in r.items() if k != "bar"} for r in tiers.rows] if tiers else []
    return Page("Ranking over several benchmarks", "several.html.j2", context, {"tiers": rows})


def pareto(ask: Ask) -> Page:
    """Quality against cost: who is beaten by nobody on both."""
    section = filtered(ask, section_of(ask, chosen(ask)))
    known = {s.metric.name: s for s in section.metrics}
    costs = [n for n, s in known.items() if plots.is_cost(s.metric)]
    goods = [n for n, s in known.items() if n not in costs and s.metric.direction is not Direction.NONE]
    context: dict[str, Any] = {
        "section": section, "chart": None, "legend": [], "known": list(known), "quality": "", "cost": "",
        "measured": list(ask.store.benchmarks()),
    }  # fmt: skip
    page = Page(f"Quality against cost on {section.card.name}", "pareto.html.j2", context, {"points": []})
    if not known:
        return page
    quality = metric_of(ask, section, "quality") if ask.one("quality") else known[(goods or list(known))[0]]
    cost = metric_of(ask, section, "cost") if ask.one("cost") else known[(costs or list(known))[-1]]
    context |= {"quality": quality.metric.name, "cost": cost.metric.name}
    if cost is quality:
        return page
    both = [c for c in quality.contenders if views.has_values(quality, c) and views.has_values(cost, c)]
    series = _series(section, both)
    chart = ask.get(
        "the chart", ("pareto", section.card.name, quality.metric.name, cost.metric.name, *_state(ask)),
        ask.store.stamp_of(section.card.name), lambda: (plots.trade(section, quality, cost, series),),
    )  # fmt: skip
    context |= {"chart": chart[0] if chart else None, "legend": list(series.items()), "hidden": len(both) - len(series)}
    return _with_chart(page, chart[0] if chart else None, "points")


def profiles(ask: Ask) -> Page:
    """How often each contender is close to the fastest."""
    section = filtered(ask, section_of(ask, chosen(ask)))
    times = [
        s
        for s in section.metrics
        if s.metric.direction is Direction.LOWER and s.values.size and (s.values[s.values == s.values] > 0).all()
    ]
    context: dict[str, Any] = {
        "section": section, "chart": None, "legend": [], "times": [s.metric.name for s in times], "metric": "",
        "measured": list(ask.store.benchmarks()),
    }  # fmt: skip
    page = Page(f"Performance profiles on {section.card.name}", "profiles.html.j2", context, {"steps": []})
    if not times:
        return page
    scores = metric_of(ask, section) if ask.one("metric") else times[0]
    if scores not in times:
        raise InputError(
            f"{scores.metric.name} has no performance profile.", "It needs positive numbers of which less is better."
        )
    names = [c for c in scores.contenders if views.has_values(scores, c)]
    series = _series(section, names)
    chart = ask.get(
        "the profiles", ("profiles", section.card.name, scores.metric.name, *_state(ask)),
        ask.store.stamp_of(section.card.name), lambda: (plots.profile(section, scores, series, list(series)),),
    )  # fmt: skip
    context |= {
        "chart": chart[0] if chart else None, "legend": list(series.items()), "metric": scores.metric.name,
        "hidden": len(names) - len(series),
    }  # fmt: skip
    return _with_chart(page, chart[0] if chart else None, "steps")


def _series(section: Section, names: list[str]) -> dict[str, int]:
    """The places in the legend: the baseline first."""
    base = views.baseline_of(section)
    order = [n for n in (base, *names) if n in names]
    return {name: at for at, name in enumerate(dict.fromkeys(order)) if at < SERIES}


def _with_chart(page: Page, chart: Chart | None, table: str) -> Page:
    if chart is not None:
        headers = [f"{h} {i}" if chart.headers.count(h) > 1 else h for i, h in enumerate(chart.headers)]
        page.tables[table] = [dict(zip(headers, row, strict=True)) for row in chart.rows]
        page.drawings[chart.title] = chart.wide
    return page
