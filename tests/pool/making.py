"""Rows for the tests of the pool."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from steelyard.core.words import Measurement

PLAIN = Measurement("sums", "1", "case-0", "adder", "correct", 1.0, started_at=1000.0, run="first", machine="box")


def row(number: int = 0, **changed: Any) -> Measurement:
    """The measurement of case `number`, with what else is `changed`."""
    return replace(PLAIN, **{"case": f"case-{number}", "value": float(number)} | changed)
