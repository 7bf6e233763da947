"""`steelyard rank --study`: all methods side by side on data made thinner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from steelyard.core.errors import InputError, unknown
from steelyard.core.words import Status
from steelyard.report.plain import print_json
from steelyard.report.terminal import console, print_table

if TYPE_CHECKING:
    from steelyard.report.ranking import Field

STUDIES = {
    "sparsity": "Kendall's tau-b with the complete-data ranking by {reference}",
    "top-k": "share of the {k} best that stay so when cases are dropped",
    "separability": "of the pairs two halves order alike, the share that all cases order so",
}
SLOW = ("irt",)  # only when asked for by name


def study_and_print(
    field: Field, names: Sequence[str], study: str, methods: Sequence[str], missing: str, repetitions: int, k: int,
    as_json: bool,
) -> None:  # fmt: skip
    """Run one study on the largest component of the field, all methods on the same thinned data."""
    from steelyard.stats import stability
    from steelyard.stats.aggregate import METHODS, mean_score, normalised_mean
    from steelyard.stats.rank_by import meeting
    from steelyard.weigh.progress import Bar

    if study not in STUDIES:
        raise unknown("study", study, STUDIES, where="--study")
    for name in methods:
        if name not in METHODS:
            raise unknown("method", name, METHODS)
    chosen = {n: METHODS[n] for n in methods or [m for m in METHODS if m not in SLOW]}
    fractions = _fractions(missing) or stability.FRACTIONS
    whole = field.matrix()
    parts = meeting(whole.scores, np.flatnonzero(~np.isnan(whole.scores).all(axis=1)))
    part = parts[0]
    if part.size < 3:
        raise InputError("fewer than three contenders share cases: there is no order to lose.")
    there = ~np.isnan(whole.scores[part]).all(axis=0)
    m = type(whole)(whole.scores[np.ix_(part, there)], whole.sources[there])
    several = len(set(m.sources.tolist())) > 1
    reference = (normalised_mean if several else mean_score)(m)
    runs = {
        "sparsity": lambda: stability.sparsity(m, chosen, reference, fractions, repetitions),
        "top-k": lambda: stability.top_k(m, chosen, k, fractions, repetitions),
        "separability": lambda: stability.separability(m, chosen, repetitions),
    }
    bar, points = Bar(), []
    with bar.over(f"{study} of {', '.join(names)}", len(chosen) * (1 if study == "separability" else len(fractions))):
        for point in runs[study]():
            points.append(point)
            bar.advance(point.method, f"{point.missing:g}", Status.OK)
    rows: list[dict[str, Any]] = [
        {"method": p.method, "missing": p.missing, "mean": p.mean, "low": p.low, "high": p.high, "spread": p.spread,
         "repetitions": p.repetitions, "failed": p.failed}
        for p in points
    ]  # fmt: skip
    left = [field.names[i] for other in parts[1:] for i in other]
    says = STUDIES[study].format(reference="the normalised mean" if several else "the mean", k=k)
    if as_json:
        print_json({"benchmarks": names, "study": study, "is": says, "contenders": int(part.size),
                    "cases": int(there.sum()), "rows": rows, "left_out": left})  # fmt: skip
        return
    shown = [
        {"missing": f"{f:.0%}", **{r["method"]: _cell(r) for r in rows if r["missing"] == f}}
        for f in dict.fromkeys(r["missing"] for r in rows)
    ]
    print_table(
        shown, ["missing", *chosen],
        f"{study}: {says}; {part.size} contenders, {there.sum()} cases, {repetitions} repetitions",
    )  # fmt: skip
    out = console()
    out.print(
        "mean ± standard deviation over repetitions; -: no repetition gave a ranking; (n): n of them gave none",
        style="dim",
    )
    if left:
        out.print(f"left out, they share no case with the rest: {', '.join(left)}", style="yellow")


def _cell(row: dict[str, Any]) -> str:
    if row["failed"] == row["repetitions"]:
        return "-"
    spread = "" if np.isnan(row["spread"]) else f" ±{row['spread']:.3f}"
    return f"{row['mean']:.3f}{spread}" + (f" ({row['failed']})" if row["failed"] else "")


def _fractions(text: str) -> list[float]:
    """ "0,0.5,0.9" as ascending fractions."""
    try:
        return sorted({float(part) for part in text.split(",") if part.strip()})
    except ValueError:
        raise InputError(f"--missing is {text!r}.", "Write fractions such as 0,0.5,0.9.") from None
