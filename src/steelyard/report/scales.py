"""Where a number and its interval lie along a line: scales, ticks, bars, and quantities in the words of a page."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from steelyard.core.words import Kind, Metric
from steelyard.report.terminal import number

SHARES = (Kind.BINARY, Kind.FRACTION)
SCALED = ("s", "B", "B/s")  # units whose values are told with a prefix; others stand in the title of the axis


@dataclass(frozen=True)
class Scale:
    """A line from `low` to `high`, logarithmic or not; positions are percent of its length."""

    low: float
    high: float
    log: bool = False

    def at(self, value: float) -> float:
        """Position of `value`, cut off at the ends."""
        low, high, v = (math.log(x) if self.log and x > 0 else x for x in (self.low, self.high, value))
        if self.log and value <= 0:
            return 0.0
        return round(100 * min(1.0, max(0.0, (v - low) / (high - low))), 2)


@dataclass(frozen=True)
class Bar:
    """A point with its interval on a scale, in percent. open_low, open_high: the interval goes on beyond the line."""

    at: float
    low: float
    high: float
    open_low: bool
    open_high: bool


def scale_over(values: Iterable[float], *, log: bool = False, within: tuple[float, float] | None = None) -> Scale:
    """A scale that holds every finite value with a little room; logarithmic only where all are positive.

    within: ends that the scale never passes, such as 0 and 1 for a share.
    """
    x = np.array([v for v in values if math.isfinite(v)] or [0.0, 1.0])
    low, high = float(x.min()), float(x.max())
    log = log and low > 0
    if log:
        room = max(0.05 * math.log(high / low), 0.01)
        return Scale(low * math.exp(-room), high * math.exp(room), True)
    room = 0.05 * (high - low) or 0.05 * abs(high) or 0.5
    low, high = low - room, high + room
    if within:
        low, high = max(low, within[0]), min(high, within[1])
    return Scale(low, high)


def bar(scale: Scale, value: float, low: float, high: float) -> Bar | None:
    """None where there is no value; an unbounded interval is drawn to the end of the line and marked."""
    if not math.isfinite(value):
        return None
    low, high = (value if math.isnan(v) else v for v in (low, high))
    floor = 0.0 if scale.log else -math.inf
    return Bar(scale.at(value), scale.at(max(low, floor)), scale.at(high), low < scale.low, high > scale.high)


def ticks(scale: Scale, unit: str = "1", most: int = 6) -> list[float]:
    """At most about `most` round values on the scale: powers of two for bytes, 1-2-5 otherwise."""
    if scale.log and unit == "B":
        first, last = math.ceil(math.log2(scale.low)), math.floor(math.log2(scale.high))
        every = max(1, math.ceil((last - first + 1) / most))
        return [2.0**e for e in range(first, last + 1) if e % every == 0]
    if scale.log:
        decades = math.log10(scale.high / scale.low)
        if decades >= 1:
            steps = (1.0,) if decades > 3 else ((1.0, 3.0) if decades > 2 else (1.0, 2.0, 5.0))
            first, last = math.floor(math.log10(scale.low)), math.ceil(math.log10(scale.high))
            stride = max(1, math.ceil((last - first) * len(steps) / (most + 2)))
            found = [s * 10.0**e for e in range(first, last + 1) if e % stride == 0 for s in steps]
            return [t for t in found if scale.low <= t <= scale.high]
    rough = (scale.high - scale.low) / max(1, most - 1)
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * s for s in (1, 2, 2.5, 5, 10) if size * s >= rough * 0.999)
    start = math.ceil(scale.low / step - 1e-9)
    found = [i * step for i in range(start, start + most + 2)]
    return [float(f"{t:.6g}") for t in found if scale.low <= t <= scale.high * (1 + 1e-9)]


def quantity(value: float, metric: Metric, *, difference: bool = False) -> str:
    """A value in its unit; shares in percent, differences signed, and differences of shares in percentage points."""
    if value is None or math.isnan(value):
        return "–"
    if metric.kind in SHARES and math.isfinite(value):
        text = f"{100 * value:.1f} {'pp' if difference else '%'}"
    else:
        text = number(value, metric.unit)
    text = ("+" if difference and value > 0 else "") + text
    return re.sub(r"^-", "−", re.sub(r"\binf\b", "∞", text))


def quantities(value: float, low: float, high: float, metric: Metric, *, difference: bool = False) -> str:
    """Value and interval, the unit standing once where it is the same: 79.1 % [72.2, 84.7]."""
    if math.isfinite(value) and not (math.isfinite(low) or math.isfinite(high)):
        return f"{quantity(value, metric, difference=difference)} (no interval)"
    parts = [quantity(v, metric, difference=difference) for v in (value, low, high)]
    units = {p.partition(" ")[2] for p in parts}
    if len(units) == 1:
        parts[1:] = [p.partition(" ")[0] for p in parts[1:]]
    return f"{parts[0]} [{parts[1]}, {parts[2]}]"


def ratio(value: float, low: float, high: float) -> str:
    """0.79× [0.77, 0.81]."""
    head, least, most = ("–" if math.isnan(v) else "∞" if v > 1e300 else f"{v:.3g}" if v >= 100 else f"{v:.2f}"
                         for v in (value, low, high))  # fmt: skip
    return f"{head}× [{least}, {most}]"


def tick_label(value: float, metric: Metric, *, scale: str = "") -> str:
    """A tick without superfluous digits. scale: `ratio` or `difference` for the axis of a comparison."""
    if scale == "ratio":
        return f"{value:g}×"
    plain = metric.unit not in SCALED and metric.kind not in SHARES
    if plain and value and not 1e-3 <= abs(value) < 1e5:
        power = math.floor(math.log10(abs(value)) + 1e-9)
        head = f"{value / 10.0**power:.3g}"
        return f"{'' if head == '1' else head + '×'}10{str(power).translate(_RAISED)}"
    unit = "1" if plain else metric.unit
    text = quantity(value, replace(metric, unit=unit), difference=scale == "difference")
    return re.sub(r"(\.\d*?)0+(?=\D|$)", lambda m: m[1] if m[1] != "." else "", text)


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
