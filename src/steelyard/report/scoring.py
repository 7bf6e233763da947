"""`steelyard score`: given outputs through a benchmark's scorer, as a table or JSON."""

from __future__ import annotations

import os
import sys

from steelyard.core.errors import InputError
from steelyard.core.spec import parse_spec
from steelyard.report.plain import print_json
from steelyard.report.terminal import console, interval, number, print_table


def score_and_print(
    benchmark: str, predictions: str, *, data: str | None, partial: bool, skip_bad: bool, workers: int | None,
    isolation: str, as_json: bool,
) -> None:  # fmt: skip
    """Read, match, score in parallel with progress, print."""
    from rich.console import Console
    from rich.progress import Progress

    from steelyard.llm.predictions import match, read_predictions, score, summary
    from steelyard.sandbox import set_isolation
    from steelyard.weigh.plan import load_benchmark

    set_isolation(isolation)
    card, bench = load_benchmark(parse_spec(benchmark))
    if card.interface != "generator":
        raise InputError(f"{card.name} scores no outputs: it measures {card.interface}s.", f"steelyard run {card.name}")
    tell = (lambda message: print(f"steelyard: dropped {message}", file=sys.stderr)) if skip_bad else None
    given = read_predictions(predictions, tell)
    cases = list(bench.cases(data))
    pairs = match(cases, given, partial)
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(card.name, total=len(pairs))
        rows = score(bench, pairs, workers or os.cpu_count() or 1, lambda: progress.advance(task))
    totals = summary(rows, cases, {name: m.kind for name, m in card.metric.items()})
    if as_json:
        print_json({"benchmark": card.name, "cases": rows, "summary": totals})
        return
    units = {name: m.unit for name, m in card.metric.items()}
    shown = [
        {"metric": name, "value": f"{number(t['value'], units.get(name, '1'))} {interval(t['low'], t['high'])}",
         "cases": t["n"], "notes": "; ".join(t["notes"])}
        for name, t in totals.items()
    ]  # fmt: skip
    print_table(shown, ["metric", "value", "cases", "notes"], f"{card.name}: {len(rows)} outputs scored")
    errors: dict[str, int] = {}
    for row in rows:
        if row["error"]:
            kind = row["error"].splitlines()[0].split(":")[0]
            errors[kind] = errors.get(kind, 0) + 1
    for kind, count in sorted(errors.items(), key=lambda e: -e[1])[:8]:
        console().print(f"  {count} x {kind}", style="dim")
