"""The charts of a section: a metric along the size of the case, and quality against cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from steelyard.core.errors import InputError
from steelyard.core.words import Direction, Kind, Metric
from steelyard.report.charts import Axis, Chart, Point, curves, lines, scatter
from steelyard.report.comparing import TIMES, comparison_of, estimate_of
from steelyard.report.results import Scores
from steelyard.report.scales import SCALED, SHARES, quantities, quantity, ratio
from steelyard.report.sections import Section, only
from steelyard.report.views import has_values

SIZES = ("elements", "bytes", "size", "length", "tokens", "n")
COSTS = {"s", "B", "J", "token", "FLOP", "instruction", "shot"}


LONGEST, STEPS = 32.0, 60  # a profile is drawn up to this ratio, in about so many steps


def typical(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(cases,) the median over trials of (cases, trials); NaN where there is no number."""
    out = np.full(len(values), np.nan)
    full = ~np.isnan(values).all(axis=1)
    out[full] = np.nanmedian(values[full], axis=1)
    return out


def size_of(scores: Scores) -> str:
    """The attribute that tells how large a case is: a number on every case with three values or more; "" if none."""
    names = [
        name
        for name in dict.fromkeys(k for a in scores.attributes for k in a)
        if all(isinstance(a.get(name), int | float) and not isinstance(a.get(name), bool) for a in scores.attributes)
        and len({a[name] for a in scores.attributes}) >= 3
    ]
    return next((n for n in SIZES if n in names), names[0] if len(names) == 1 else "")


def by_size(section: Section, scores: Scores, baseline: str, series: Mapping[str, int]) -> list[Chart]:
    """The metric by size, and for times and rates its ratio to the baseline; none where cases have no size."""
    full = only(scores, [i for i in range(len(scores.cases)) if not _empty(scores, i)])
    size = size_of(full) if full.cases else ""
    drawn = [c for c in series if has_values(scores, c)]
    if not size or not drawn or scores.metric.kind in SHARES:
        return []
    values = sorted({a[size] for a in full.attributes})
    x = Axis(f"{size} of a case", Metric(size, "B" if size == "bytes" else "1"), log=values[0] > 0)
    slices = {v: only(full, [i for i, a in enumerate(full.attributes) if a[size] == v]) for v in values}
    plain, against = [], []
    for name in drawn:
        for v, part in slices.items():
            plain += _point(part, name, series[name], v, _size(v, x.metric))
            if (
                scores.metric.kind in TIMES
                and name != baseline
                and has_values(part, name)
                and has_values(part, baseline)
            ):
                against += _ratio(part, name, baseline, series[name], v, _size(v, x.metric))
    hidden = len([c for c in scores.contenders if has_values(scores, c)]) - len(drawn)
    tail = f" The {hidden} others are in the tables." if hidden > 0 else ""
    y = Axis(_title(scores.metric), scores.metric, log=all(p.y > 0 for p in plain))
    label = f"{scores.metric.name} of {section.card.name} by {size}, one line a contender"
    charts = []
    if plain:
        title = f"{scores.metric.name} by {size}"
        caption = f"Bands are 95% intervals.{tail}"
        charts.append(_chart(title, caption, lines(plain, x, y, label), [size, scores.metric.name], plain))
    if against:
        title = f"{scores.metric.name} against {baseline}"
        faster = {Direction.LOWER: "Below 1× is faster than", Direction.HIGHER: "Above 1× is faster than"}
        caption = f"{faster.get(scores.metric.direction, '1× is')} {baseline}. Bands are 95% intervals.{tail}"
        beside = Axis(f"ratio of {scores.metric.name}", scores.metric, True, "ratio")
        drawing = lines(against, x, beside, f"{label}, as a ratio to {baseline}")
        charts.append(_chart(title, caption, drawing, [size, "ratio"], against))
    return charts


def _empty(scores: Scores, case: int) -> bool:
    return bool((scores.values[:, case] != scores.values[:, case]).all())


def _title(metric: Metric) -> str:
    better = {Direction.LOWER: ", lower is better", Direction.HIGHER: ", higher is better", Direction.NONE: ""}
    return in_unit(metric) + better[metric.direction]


def in_unit(metric: Metric) -> str:
    """The name, with the unit where the ticks do not tell it."""
    return (
        metric.name if metric.unit in (*SCALED, "1", "") or metric.kind in SHARES else f"{metric.name} ({metric.unit})"
    )


def _size(value: float, metric: Metric) -> str:
    """A size in full: 1 048 576, 4 MiB."""
    whole = metric.unit == "1" and value == int(value)
    return f"{value:,.0f}".replace(",", "\u202f") if whole else quantity(value, metric)


def _point(part: Scores, name: str, series: int, x: float, size: str) -> list[Point]:
    if not has_values(part, name):
        return []
    try:
        e = estimate_of(part, name)
    except InputError:
        return []
    cells = (name, size, quantities(e.value, e.low, e.high, part.metric), str(e.n))
    return [Point(series, float(x), e.value, e.low, e.high, _said(cells), cells)]


def _ratio(part: Scores, name: str, baseline: str, series: int, x: float, size: str) -> list[Point]:
    try:
        c = comparison_of(part, name, baseline)
    except InputError:
        return []
    if not (c.n and math.isfinite(c.estimate)):
        return []
    cells = (name, size, ratio(c.estimate, c.low, c.high), str(c.n))
    return [Point(series, float(x), c.estimate, c.low, c.high, _said(cells), cells)]


def _said(cells: tuple[str, ...]) -> str:
    return f"{cells[0]}, {cells[1]}: {cells[2]}, n = {cells[3]}"


def profile(section: Section, times: Scores, series: Mapping[str, int], names: Sequence[str]) -> Chart | None:
    """Dolan-More profiles of times, one line a contender; None where nobody solved anything (see stats.profiles)."""
    from steelyard.stats.profiles import performance_profile

    middle = np.stack([typical(times.of(name)) for name in names])
    solved = ~np.isnan(middle).all(axis=0)
    if not solved.any():
        return None
    made = performance_profile(middle[:, solved])
    last = min(float(made.taus[-1]), LONGEST)
    taus = np.unique(np.append(np.geomspace(1.0, max(last, 1.01), STEPS), made.taus[made.taus <= last][:STEPS]))
    points = []
    for at, name in enumerate(names):
        before = math.nan
        for tau in taus:
            share = float(made.at(tau)[at])
            if share == before and tau != taus[-1]:
                continue
            cells = (name, f"{tau:.3g}×", f"{100 * share:.1f} %", str(int(solved.sum())))
            says = f"{name}: within {cells[1]} of the best on {cells[2]} of the cases"
            if not math.isnan(before):
                points.append(Point(series[name], float(tau), before, math.nan, math.nan, says, cells))
            points.append(Point(series[name], float(tau), share, math.nan, math.nan, says, cells))
            before = share
    x = Axis("time over the best time of the case", Metric("ratio"), log=True, scale="ratio")
    y = Axis("share of the cases", Metric("share", kind=Kind.FRACTION))
    title = f"performance profile of {times.metric.name}"
    caption = "How often a contender is within so many times the fastest; higher and further left is better."
    drawing = curves(points, x, y, f"{title} on {section.card.name}, one line a contender")
    return _chart(title, caption, drawing, ["within", "share of the cases"], points)


def _chart(
    title: str, caption: str, drawing: Mapping[str, Markup], headers: list[str], points: Sequence[Point]
) -> Chart:
    rows = [list(p.cells) for p in points]
    return Chart(title, caption, drawing["wide"], drawing["narrow"], ["contender", *headers, "n"], rows)


def is_cost(metric: Metric) -> bool:
    """Whether a metric is something spent: time, memory, tokens, energy, operations."""
    return metric.kind is Kind.DURATION or (metric.unit in COSTS and metric.kind is not Kind.RATE)


def trades(section: Section, series: Mapping[str, int]) -> list[Chart]:
    """Quality against cost, at most two charts, the primary metric always on one of the axes."""
    if not section.metrics:
        return []
    primary, *rest = section.metrics
    costs = [s for s in rest if is_cost(s.metric)]
    good = [
        s
        for s in rest
        if not is_cost(s.metric) and s.metric.kind is not Kind.RATE and s.metric.direction is not Direction.NONE
    ]
    if is_cost(primary.metric):
        good.sort(key=lambda s: ("error" not in s.metric.name, s.metric.direction is not Direction.LOWER))
        pairs = [(q, primary) for q in good]  # against a cost stand errors first: other figures often follow from it
    elif primary.metric.kind is Kind.RATE or primary.metric.direction is Direction.NONE:
        pairs = []
    else:
        pairs = [(primary, c) for c in costs]
    return [chart for q, c in pairs[:2] if (chart := trade(section, q, c, series))]


def trade(section: Section, quality: Scores, cost: Scores, series: Mapping[str, int]) -> Chart | None:
    """One metric against another, with the front of those that no other beats on both; None for fewer than two."""
    points = []
    for name in series:
        if not (has_values(quality, name) and has_values(cost, name)):
            continue
        try:
            q, c = estimate_of(quality, name), estimate_of(cost, name)
        except InputError:
            continue
        good, spent = (quantities(e.value, e.low, e.high, s.metric) for s, e in ((quality, q), (cost, c)))
        says = f"{name}: {quality.metric.name} {good}, n = {q.n}; {cost.metric.name} {spent}, n = {c.n}"
        cells = (name, good, str(q.n), spent, str(c.n))
        points.append(Point(series[name], c.value, q.value, q.low, q.high, says, cells, c.low, c.high))
    if len(points) < 2:
        return None
    sign = -1.0 if quality.metric.direction is Direction.LOWER else 1.0
    points.sort(key=lambda p: p.x)
    front = [p for p in points if not any(_beats(o, p, sign) for o in points)]
    x = Axis(f"{in_unit(cost.metric)}, less is cheaper", cost.metric, log=_wide([p.x for p in points]))
    curved = quality.metric.kind not in SHARES and _wide([p.y for p in points])
    y = Axis(_title(quality.metric), quality.metric, log=curved)
    title = f"{quality.metric.name} against {cost.metric.name}"
    drawing = scatter(points, front, x, y, f"{title}, one point a contender of {section.card.name}")
    rows = [[*p.cells, "yes" if p in front else "no"] for p in points]
    headers = ["contender", quality.metric.name, "n", cost.metric.name, "n", "on the front"]
    caption = "Crosses are 95% intervals. On the dashed steps nobody else is both better and cheaper."
    return Chart(title, caption, drawing["wide"], drawing["narrow"], headers, rows)


def _beats(a: Point, b: Point, sign: float) -> bool:
    """Whether `a` is at least as good and as cheap as `b`, and one of the two truly."""
    return a.x <= b.x and sign * a.y >= sign * b.y and (a.x < b.x or sign * a.y > sign * b.y)


def _wide(values: Sequence[float]) -> bool:
    return min(values) > 0 and max(values) / min(values) > 5
