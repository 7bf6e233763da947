"""Positions, ticks and words of quantities."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.core.words import Kind, Metric
from steelyard.report.scales import Scale, bar, quantities, quantity, ratio, scale_over, tick_label, ticks

SHARE = Metric("pass_at_1", kind=Kind.BINARY)
TIME = Metric("time", "s", kind=Kind.DURATION)


def test_a_position_is_percent_of_the_line() -> None:
    assert Scale(0.0, 4.0).at(1.0) == 25.0
    assert Scale(1.0, 100.0, log=True).at(10.0) == 50.0
    assert Scale(1.0, 100.0, log=True).at(0.0) == 0.0
    assert Scale(0.0, 1.0).at(7.0) == 100.0


def test_an_unbounded_interval_is_open_at_the_end_of_the_line() -> None:
    drawn = bar(Scale(0.0, 10.0), 5.0, -math.inf, 8.0)
    assert drawn is not None
    assert (drawn.low, drawn.at, drawn.high, drawn.open_low, drawn.open_high) == (0.0, 50.0, 80.0, True, False)
    assert bar(Scale(0.0, 1.0), math.nan, 0.0, 1.0) is None


@given(st.lists(st.floats(1e-9, 1e9), min_size=1, max_size=8), st.booleans())
def test_a_scale_holds_its_values_and_its_ticks(values: list[float], log: bool) -> None:
    scale = scale_over(values, log=log)
    assert scale.low < min(values) <= max(values) < scale.high
    marks = ticks(scale)
    assert all(scale.low <= t <= scale.high * (1 + 1e-6) for t in marks)
    assert len(set(marks)) == len(marks) <= 12


def test_shares_never_leave_zero_to_one() -> None:
    scale = scale_over([0.0, 1.0], within=(0.0, 1.0))
    assert (scale.low, scale.high) == (0.0, 1.0)


def test_ticks_are_round() -> None:
    assert ticks(Scale(0.0, 1.0), most=5) == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert ticks(Scale(900.0, 5e9, log=True), "B", 6) == [2.0**e for e in range(12, 33, 4)]
    assert ticks(Scale(0.9, 120.0, log=True)) == [1.0, 3.0, 10.0, 30.0, 100.0]


@pytest.mark.parametrize(
    ("value", "metric", "scale", "text"),
    [
        (0.25, SHARE, "", "25 %"),
        (-0.05, SHARE, "difference", "−5 pp"),
        (0.5, TIME, "ratio", "0.5×"),
        (1e-3, TIME, "", "1 ms"),
        (3e-7, Metric("error"), "", "3×10⁻⁷"),
        (1e6, Metric("elements"), "", "10⁶"),
        (500.0, Metric("output_tokens", "token"), "", "500"),
        (2.0**20, Metric("memory", "B"), "", "1 MiB"),
    ],
)
def test_tick_labels(value: float, metric: Metric, scale: str, text: str) -> None:
    assert tick_label(value, metric, scale=scale) == text


def test_quantities_say_their_unit() -> None:
    assert quantity(math.nan, TIME) == "–"
    assert quantity(0.125, SHARE, difference=True) == "+12.5 pp"
    assert quantities(0.7912, 0.722, 0.847, SHARE) == "79.1 % [72.2, 84.7]"
    assert quantities(0.5, -math.inf, math.inf, SHARE) == "50.0 % (no interval)"
    assert quantities(1.5e-3, 0.9e-3, 2e-3, TIME) == "1.50 ms [900 µs, 2 ms]"
    assert ratio(0.79, 0.774, math.inf) == "0.79× [0.77, ∞]"
