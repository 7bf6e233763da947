"""Charts drawn once as SVG: no script, no font, no network; colours are the page's, so that they follow light and dark."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from steelyard.core.words import Metric
from steelyard.report.scales import SHARES, scale_over, tick_label, ticks
from steelyard.report.untrusted import inline, visible

Spec = dict[str, Any]

SHAPES = (
    "square",
    "circle",
    "triangle-up",
    "diamond",
    "triangle-down",
    "cross",
    "triangle-right",
    "triangle-left",
    "M-1,-0.4H1V0.4H-1Z",
)
DASHES = ([1, 0], [1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [1, 0], [6, 3], [2, 2], [8, 3, 2, 3])
SERIES = len(SHAPES)
_WIDTHS = {"wide": (540, 300), "narrow": (340, 290)}


@dataclass(frozen=True)
class Point:
    """One mark: which series (its place in the legend), where, how sure, and what it says when pointed at.

    cells: the same in words, for the table beside the chart.
    """

    series: int
    x: float
    y: float
    low: float
    high: float
    says: str
    cells: tuple[str, ...]
    x_low: float = float("nan")
    x_high: float = float("nan")


@dataclass(frozen=True)
class Axis:
    """What an axis shows. scale: `ratio` where values are multiples of the baseline's, else empty."""

    title: str
    metric: Metric
    log: bool = False
    scale: str = ""


@dataclass(frozen=True)
class Chart:
    """A chart for wide and for narrow screens, with the same numbers as a table."""

    title: str
    caption: str
    wide: Markup
    narrow: Markup
    headers: list[str]
    rows: list[list[str]]


def lines(points: Sequence[Point], x: Axis, y: Axis, label: str) -> dict[str, Markup]:
    """Lines with bands of 95% intervals, drawn wide and narrow; a ratio axis has a rule at 1."""

    def layers(plane: _Plane) -> list[Spec]:
        made = []
        if y.scale == "ratio":
            made.append(_layer([{"y": 1.0}], {"type": "rule", "color": "var(--ink)", "opacity": 0.55}, y=plane.y()))
        for series, rows in plane.series():
            colour = f"var(--s{series})"
            band = {"type": "area", "color": colour, "opacity": 0.14}
            line = {"type": "line", "color": colour, "strokeWidth": 2, "strokeDash": DASHES[series]}
            made.append(_layer(rows, band, x=plane.x(), y=plane.y("low"), y2={"field": "high"}))
            made.append(_layer(rows, line, x=plane.x(), y=plane.y()))
        return [*made, *plane.marks(60)]

    return _draw(points, x, y, layers, label)


def scatter(points: Sequence[Point], front: Sequence[Point], x: Axis, y: Axis, label: str) -> dict[str, Markup]:
    """Points with intervals both ways, and the steps through those that no other beats on both axes."""

    def layers(plane: _Plane) -> list[Spec]:
        made = []
        if len(front) > 1:
            edge = {"type": "line", "color": "var(--muted)", "strokeDash": [3, 3], "interpolate": "step-after"}
            made.append(_layer([{"x": p.x, "y": p.y} for p in front], edge, x=plane.x(), y=plane.y()))
        for series, rows in plane.series():
            rule = {"type": "rule", "color": f"var(--s{series})", "strokeWidth": 1.5, "opacity": 0.8}
            made.append(_layer(rows, rule, x=plane.x(), y=plane.y("low"), y2={"field": "high"}))
            made.append(_layer(rows, rule, x=plane.x("x_low"), x2={"field": "x_high"}, y=plane.y()))
        return [*made, *plane.marks(130)]

    return _draw(points, x, y, layers, label)


def curves(points: Sequence[Point], x: Axis, y: Axis, label: str) -> dict[str, Markup]:
    """Lines through many points, with one mark half way up each to tell them apart without colour."""

    def layers(plane: _Plane) -> list[Spec]:
        made = []
        for series, rows in plane.series():
            line = {"type": "line", "color": f"var(--s{series})", "strokeWidth": 2, "strokeDash": DASHES[series]}
            made.append(_layer(rows, line, x=plane.x(), y=plane.y(), order={"field": "at", "type": "quantitative"}))
        own = ([p for p in points if p.series == series] for series, _ in plane.series())
        halfway = [next(p for p in curve if p.y >= (curve[0].y + curve[-1].y) / 2) for curve in own]
        marked = _Plane(halfway, x, y, plane.narrow)
        marked.scales = plane.scales
        return [*made, *marked.marks(70)]

    return _draw(points, x, y, layers, label)


def _layer(rows: list[Spec], mark: Spec, **encoding: Spec) -> Spec:
    return {"data": {"values": rows}, "mark": mark, "encoding": encoding}


class _Plane:
    """Points between two axes at one width: the encodings that the layers of a chart share."""

    def __init__(self, points: Sequence[Point], x: Axis, y: Axis, narrow: bool) -> None:
        self.points, self.axes, self.most, self.narrow = points, (x, y), (4 if narrow else 7, 6), narrow
        ends = [v for p in points for v in (p.y, p.low, p.high)] + [1.0] * (y.scale == "ratio")
        across = [v for p in points for v in (p.x, p.x_low, p.x_high)]
        self.scales = (
            scale_over(across, log=x.log, within=_within(x)),
            scale_over(ends, log=y.log, within=_within(y)),
        )

    def x(self, field: str = "x") -> Spec:
        return {"field": field, **self._along(0)}

    def y(self, field: str = "y") -> Spec:
        return {"field": field, **self._along(1)}

    def _along(self, at: int) -> Spec:
        scale, axis = self.scales[at], self.axes[at]
        values = ticks(scale, "" if axis.scale else axis.metric.unit, self.most[at])
        labels = [tick_label(v, axis.metric, scale=axis.scale) for v in values]
        pick = f"{json.dumps(labels)}[indexof({json.dumps(values)}, datum.value)]"
        kind = "log" if scale.log else "linear"
        return {
            "type": "quantitative",
            "title": axis.title,
            "scale": {"type": kind, "domain": [scale.low, scale.high], "nice": False, "zero": False},
            "axis": {"values": values, "labelExpr": pick, "grid": at == 1, "labelOverlap": True},
        }

    def series(self) -> list[tuple[int, list[Spec]]]:
        """Each series with its data; an interval with one end reaches to the edge of the chart, one with none is not drawn."""
        out = []
        for series in sorted({p.series for p in self.points}):
            rows = []
            for at, p in enumerate(sorted((p for p in self.points if p.series == series), key=lambda p: p.x)):
                row = {"x": p.x, "y": p.y, "says": p.says, "at": at}
                for low, high, middle, scale in (
                    ("x_low", "x_high", p.x, self.scales[0]),
                    ("low", "high", p.y, self.scales[1]),
                ):
                    least, most = getattr(p, low), getattr(p, high)
                    if not (math.isfinite(least) or math.isfinite(most)):
                        least = most = middle
                    row |= {low: max(least, scale.low), high: min(most, scale.high)}
                rows.append(row)
            out.append((series, rows))
        return out

    def marks(self, size: int) -> list[Spec]:
        """One mark a point, with a shape of its own for each series: colour alone tells nothing apart."""
        made = []
        for series, rows in self.series():
            mark = {
                "type": "point", "shape": SHAPES[series], "size": size, "opacity": 1, "fill": f"var(--s{series})",
                "stroke": "var(--card)", "strokeWidth": 1,
            }  # fmt: skip
            says = {"field": "says", "type": "nominal"}
            made.append(_layer(rows, mark, x=self.x(), y=self.y(), description=says))
        return made


def _within(axis: Axis) -> tuple[float, float] | None:
    return (0.0, 1.0) if axis.metric.kind in SHARES and not axis.scale else None


def _draw(
    points: Sequence[Point], x: Axis, y: Axis, layers: Callable[[_Plane], list[Spec]], label: str
) -> dict[str, Markup]:
    look = {
        "labelColor": "var(--muted)", "titleColor": "var(--muted)", "gridColor": "var(--line)", "labelFontSize": 12,
        "titleFontSize": 12, "titleFontWeight": "normal", "domain": False, "ticks": False, "labelPadding": 6,
        "titlePadding": 8,
    }  # fmt: skip
    above = {"titleAngle": 0, "titleAlign": "left", "titleAnchor": "start", "titleX": 0, "titleY": -10}
    return {
        kind: render(
            {
                "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
                "width": width,
                "height": height,
                "padding": 4,
                "background": "transparent",
                "autosize": {"type": "fit", "contains": "padding"},
                "config": {"axis": look, "axisY": above, "view": {"stroke": None}},
                "layer": layers(_Plane(points, x, y, kind == "narrow")),
            },
            label,
        )
        for kind, (width, height) in _WIDTHS.items()
    }


def render(spec: dict[str, Any], label: str) -> Markup:
    """A Vega-Lite specification as inline SVG that a screen reader announces as `label`."""
    import vl_convert

    return inline(vl_convert.vegalite_to_svg(_cleaned(spec), allowed_base_urls=[]), label)


def document(spec: dict[str, Any]) -> str:
    """A Vega-Lite specification as an SVG document of its own, to be kept as a file; colours are the specification's."""
    import vl_convert

    return str(vl_convert.vegalite_to_svg(_cleaned(spec), allowed_base_urls=[]))


def _cleaned(part: Any) -> Any:
    if isinstance(part, dict):
        return {k: _cleaned(v) for k, v in part.items()}
    return [_cleaned(v) for v in part] if isinstance(part, list) else visible(part)
