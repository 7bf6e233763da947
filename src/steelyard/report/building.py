"""`steelyard build`: makes new cases for a benchmark, shows progress, and says what was dropped and why."""

from __future__ import annotations

import inspect
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

from steelyard.core.errors import InputError
from steelyard.core.spec import parse_spec
from steelyard.report.plain import print_json
from steelyard.report.terminal import console, print_table

SHOWN = 12  # reasons of one kind are counted, not repeated


def build_and_print(name: str, *, out: str, as_json: bool, **options: Any) -> None:
    """Build, print. Options that were not given are not passed on; InputError for one the benchmark has no use for."""
    from steelyard.weigh.plan import load_benchmark
    from steelyard.weigh.progress import Bar

    card, bench = load_benchmark(parse_spec(name))
    if not hasattr(bench, "build"):
        raise InputError(
            f"{card.name} cannot be built: its cases are what its data hold.", "docs/building.md lists those that can."
        )
    given = {key: value for key, value in options.items() if value not in (None, "", [])}
    known = inspect.signature(bench.build).parameters
    if odd := [key for key in given if key not in known]:
        takes = ", ".join(
            f"--{key.rstrip('s')}" if key == "packages" else f"--{key}" for key in options if key in known
        )
        raise InputError(f"{card.name} has no use for --{odd[0]}.", f"It takes {takes}.")
    for key in ("since", "until"):
        if key in given:
            given[key] = _day(given[key], key)
    built = bench.build(out=Path(out) if out else None, progress=Bar(), **given)
    if as_json:
        print_json({"benchmark": card.name, "folder": built.folder, "cases": built.cases, "facts": built.facts,
                    "dropped": [{"what": what, "why": why} for what, why in built.dropped]})  # fmt: skip
        return
    reasons = Counter(why.partition(":")[0] for _, why in built.dropped)
    if built.dropped:
        rows = [
            {
                "dropped": str(count),
                "why": why,
                "first": next(w for w, y in built.dropped if y.partition(":")[0] == why),
            }
            for why, count in reasons.most_common(SHOWN)
        ]
        print_table(rows, ["dropped", "why", "first"])
    console().print(f"{card.name}: {built.cases} cases in {built.folder}")
    for key, value in built.facts.items():
        if isinstance(value, str | int | float):
            console().print(f"  {key}: {value}", style="dim")


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(f"--{option} is {text!r}.", "Write a day as 2026-01-31.") from None
