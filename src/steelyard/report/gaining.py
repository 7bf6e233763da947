"""`steelyard gain`: did the search buy anything beyond its space and its training recipe?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from steelyard.benchmarks.training.nas.tables import read_sheets
from steelyard.core.errors import InputError
from steelyard.core.spec import parse_spec
from steelyard.core.words import Direction
from steelyard.report.plain import print_json
from steelyard.report.results import load
from steelyard.report.terminal import console, interval, number, p_value, print_table
from steelyard.stats.pairs import holm
from steelyard.stats.search_gain import Gain, gain

if TYPE_CHECKING:
    from steelyard.pool import Pool


def from_tables(paths: Sequence[Path]) -> tuple[dict[str, Gain], list[str]]:
    """Gains by `data set/method`, and what could not be told: columns without a partner, cells without runs."""
    gains, notes = {}, []
    for path in paths:
        if not path.exists():
            raise InputError(f"{path} is not here.", "Give a CSV file, or a folder of them: Random FOO,FOO.")
        for sheet in read_sheets(path):
            used = {c for m, c in sheet.methods.items()} | {sheet.twin(c) for c in sheet.methods.values()}
            if odd := [c for c in sheet.columns if c and c not in used]:
                notes.append(f"{sheet.name}: no partner for column {', '.join(odd)}")
            for method in sheet.methods:
                searched, random = sheet.searched(method), sheet.random(method)
                if not searched.size or not random.size:
                    notes.append(
                        f"{sheet.name}/{method}: {searched.size} searched and {random.size} random runs: left out"
                    )
                    continue
                gains[f"{sheet.name}/{method}"] = gain(searched, random)
    return gains, notes


def from_pool(
    pool: Pool, benchmark: str, searched: str, random: str, metric: str = ""
) -> tuple[dict[str, Gain], list[str]]:
    """Gains by case of a benchmark: the trials of `searched` against those of `random`; above 0 is better."""
    names = [str(parse_spec(searched)), str(parse_spec(random))]
    scores = load(pool, parse_spec(benchmark).name, metric, contenders=names)
    gains, notes = {}, []
    for at, case in enumerate(scores.cases):
        x, y = (scores.of(name)[at] for name in names)
        if np.isnan(x).all() or np.isnan(y).all():
            notes.append(f"{case}: a side has no runs: left out")
            continue
        g = gain(x, y)
        if scores.metric.direction is Direction.LOWER:
            g = replace(g, improvement=-g.improvement, low=-g.high, high=-g.low)
        gains[case] = g
    return gains, notes


def rows_of(gains: dict[str, Gain]) -> list[dict[str, Any]]:
    """One row a cell; Holm over all cells shown together."""
    adjusted = holm([g.welch_p for g in gains.values()])
    rows = []
    for (name, g), p in zip(gains.items(), adjusted, strict=True):
        words = "no difference shown"
        if p < 0.05:
            words = "better than random" if g.improvement > 0 else "worse than random"
        rows.append(
            {
                "cell": name, "relative_improvement_percent": g.improvement, "low": g.low, "high": g.high,
                "welch_p": g.welch_p, "welch_p_holm": float(p), "mann_whitney_p": g.mann_whitney_p,
                "verdict": "no test" if np.isnan(p) else words, "runs": g.runs, "mean": g.mean, "sd": g.sd,
                "min": g.lowest, "max": g.highest, "random_runs": g.random_runs, "random_mean": g.random_mean,
                "random_sd": g.random_sd, "random_min": g.random_lowest, "random_max": g.random_highest,
                "notes": list(g.notes),
            }
        )  # fmt: skip
    return rows


def gain_and_print(inputs: Sequence[str], *, on: str, metric: str, pool: str | None, as_json: bool) -> None:
    """`steelyard gain`."""
    if on:
        from steelyard.pool import Pool

        if len(inputs) != 2:
            raise InputError("--on needs two contenders.", "steelyard gain SEARCHED RANDOM --on BENCHMARK")
        with Pool(pool, readonly=True) as store:
            gains, notes = from_pool(store, on, inputs[0], inputs[1], metric)
    else:
        gains, notes = from_tables([Path(name) for name in inputs])
    if not gains:
        raise InputError("no cell has runs on both sides.", "\n".join(notes))
    rows = rows_of(gains)
    if as_json:
        print_json({"rows": rows, "notes": notes})
        return
    shown = [
        {
            "cell": r["cell"],
            "gain": f"{r['relative_improvement_percent']:+.2f} %"
            + ("" if np.isnan(r["low"]) else f" [{r['low']:+.2f}, {r['high']:+.2f}]"),
            "searched": _side(r, ""), "random": _side(r, "random_"), "p": p_value(r["welch_p"]),
            "holm": p_value(r["welch_p_holm"]), "rank": p_value(r["mann_whitney_p"]),
            "verdict": "; ".join([r["verdict"], *r["notes"]]),
        }
        for r in rows
    ]  # fmt: skip
    print_table(
        shown, ["cell", "gain", "searched", "random", "p", "holm", "rank", "verdict"],
        f"searched against the average random draw of the same space; Holm over {len(rows)} cells",
        ["cell", "improvement (95%)", "searched", "random", "Welch", "Holm", "Mann-Whitney", ""],
    )  # fmt: skip
    values = np.array([r["relative_improvement_percent"] for r in rows])
    out = console()
    if len(rows) > 1:
        out.print(f"median {np.median(values):+.2f} %, {int((values > 0).sum())} of {len(rows)} above 0")
    for note in notes:
        out.print(note, style="yellow")


def _side(row: dict[str, Any], side: str) -> str:
    return (
        f"{number(row[side + 'mean'])} sd {number(row[side + 'sd'])} "
        f"{interval(row[side + 'min'], row[side + 'max'])} x{row[side + 'runs']}"
    )
