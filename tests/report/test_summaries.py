"""A benchmark's own figures are computed from the cases that the table above them shows."""

from __future__ import annotations

from pathlib import Path

from steelyard.pool import Pool
from steelyard.report.summaries import Values, summaries


class Counting:
    def summary(self, values: Values) -> dict[str, int]:
        return {"cases": len(values("output_tokens"))}


def test_only_the_cases_that_are_shown_count(place: Path) -> None:
    asked = {"problem/0", "problem/1", "problem/3"}  # the third is refused by the gate: nobody answered it
    with Pool(place / "pool", readonly=True) as pool:
        everything = summaries(pool, Counting(), "problems", "1", ["smollm2"], lambda case: True)
        some = summaries(pool, Counting(), "problems", "1", ["smollm2"], lambda case: case["case"] in asked)
    assert everything[0]["cases"] > 3
    assert some == [{"contender": "smollm2", "cases": 2}]
