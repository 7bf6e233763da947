"""The case explorer: every case against every contender, and one case opened."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from steelyard.core.errors import SteelyardError
from steelyard.report.plots import typical
from steelyard.report.scales import SHARES, quantity
from steelyard.report.viewer.asking import Ask, NotThereError, Page
from steelyard.report.viewer.pages.common import chosen, kept_cases, metric_of, section_of
from steelyard.report.viewer.queries import options

SORTS = {"hard": "hardest first", "easy": "easiest first", "split": "most divided first", "id": "by name"}
SHOWN, WIDE = 50, 16  # cases and contenders on one page
LONG = 20_000  # characters of an artifact shown on the page


def explorer(ask: Ask) -> Page:
    """Cases down, contenders across: what each scored, failures marked."""
    section = section_of(ask, chosen(ask))
    scores = metric_of(ask, section)
    metric, q = scores.metric, ask.one("q").lower()
    picked = ask.many("with")
    everyone = scores.contenders
    for name in picked:
        if name not in everyone:
            raise NotThereError(
                f"{section.card.name} has no measurements of {name!r}.", f"It has {', '.join(everyone)}."
            )
    who = picked or everyone[:WIDE]
    sort = ask.choice("sort", list(SORTS))
    middle = ask.need(
        "the table", ("middle", section.card.name, metric.name), ask.store.stamp_of(section.card.name),
        lambda: np.stack([typical(scores.of(c)) for c in everyone]),
    )[[everyone.index(c) for c in who]]  # fmt: skip
    at = [i for i in kept_cases(scores, ask.one("where")) if q in scores.cases[i].lower()]
    some = middle[:, at]
    found = ~np.isnan(some)
    mean = np.where(
        found.any(axis=0), np.where(found, some, 0.0).sum(axis=0) / np.maximum(found.sum(axis=0), 1), -np.inf
    )
    spread = np.where(
        found.any(axis=0), np.nan_to_num(some, nan=-np.inf).max(0) - np.nan_to_num(some, nan=np.inf).min(0), 0
    )
    sign = -1.0 if metric.direction == "lower" else 1.0
    names = np.array([scores.cases[i] for i in at], dtype=object)
    keys = {"hard": sign * mean, "easy": -sign * mean, "split": -spread, "id": np.zeros(len(at))}
    order = np.lexsort((names, keys[sort])) if len(at) else np.zeros(0, np.int64)
    page = ask.number("page", 1, 1, max(1, -(-len(at) // SHOWN)))
    failed = {(f[0], f[1]): f[3] for f in scores.failures}

    def row(i: int) -> dict[str, Any]:
        case = scores.cases[at[i]]
        cells = []
        for k, name in enumerate(who):
            value = float(some[k, i])
            status = failed.get((name, case), "")
            text = quantity(value, metric) if not math.isnan(value) else status or "not measured"
            level = f"l{round(4 * min(1.0, max(0.0, value)))}" if metric.kind in SHARES and value == value else ""
            cells.append({"text": text, "level": "lost" if status else level, "status": status, "value": value})
        return {"case": case, "group": scores.groups[at[i]], "facts": scores.attributes[at[i]], "cells": cells}

    shown = [row(int(i)) for i in order[(page - 1) * SHOWN : page * SHOWN]]
    context = {
        "section": section, "scores": scores, "who": who, "everyone": everyone, "rows": shown, "n": len(at), "leaf": page,
        "pages": -(-len(at) // SHOWN), "sorts": SORTS, "measured": list(ask.store.benchmarks()),
    }  # fmt: skip
    listed = [row(int(i)) for i in order] if ask.whole else shown
    plain = [
        {"case": r["case"], "group": r["group"], **{w: c["value"] for w, c in zip(who, r["cells"], strict=True)}}
        for r in listed
    ]
    return Page(f"Cases of {section.card.name}", "cases.html.j2", context, {"cases": plain})


def case(ask: Ask) -> Page:
    """One case: its attributes, what every contender did on it, and what the numbers were taken from."""
    section = section_of(ask, chosen(ask))
    wanted = ask.one("case")
    rows = ask.store.case(section, wanted)
    if not rows:
        raise NotThereError(f"{section.card.name} has no case {wanted!r}.", "The case explorer lists them.")
    metrics = list(dict.fromkeys([*section.card.metric, *(r["metric"] for r in rows)]))
    metrics = [m for m in metrics if any(r["metric"] == m for r in rows)]
    facts = section.card.metric
    by_cell: dict[tuple[str, int], dict[str, Any]] = {}
    for r in sorted(rows, key=lambda r: (r["contender"], r["trial"])):
        cell = by_cell.setdefault(
            (r["contender"], r["trial"]),
            {
                "contender": r["contender"], "trial": r["trial"], "status": r["status"], "error": "", "values": {},
                "artifacts": {}, "at": r["started_at"], "run": r["run"], "seconds": r["duration_s"],
            },
        )  # fmt: skip
        text = quantity(r["value"], facts[r["metric"]]) if r["metric"] in facts else f"{r['value']:.4g} {r['unit']}"
        cell["values"][r["metric"]] = text if r["value"] == r["value"] else r["status"]
        cell["artifacts"] |= {k: v for k, v in options(r["artifacts"]).items() if isinstance(v, str)}
        if r["status"] != "ok":
            cell |= {"status": r["status"], "error": r["error"]}
    cells = list(by_cell.values())
    having = [set(cell["artifacts"].items()) for cell in cells if cell["artifacts"]]
    shared = set.intersection(*having) if len(having) > 1 else set()
    for cell in cells[:SHOWN]:
        cell["texts"] = [(r, key, *_text(ask, key)) for r, key in cell["artifacts"].items() if (r, key) not in shared]
    names = section.metrics[0].cases if section.metrics else []
    place = names.index(wanted) if wanted in names else -1
    context = {
        "section": section, "case": wanted, "facts": options(rows[0]["case_attributes"]), "group": rows[0]["case_group"],
        "shared": [(r, key, *_text(ask, key)) for r, key in sorted(shared)], "cells": cells[:SHOWN], "n": len(cells), "metrics": metrics, "excluded": section.excluded.get(wanted, ""),
        "before": names[place - 1] if place > 0 else "", "after": names[place + 1] if 0 <= place < len(names) - 1 else "",
    }  # fmt: skip
    kept = ("contender", "trial", "metric", "value", "unit", "status", "error", "duration_s", "run", "started_at")
    plain = [{k: r[k] for k in (*kept, "machine", "artifacts")} for r in rows]
    return Page(f"{wanted}", "case.html.j2", context, {"cells": plain})


def _text(ask: Ask, key: str) -> tuple[str, int]:
    """The beginning of an artifact, and how many characters were left out; a sentence where it is gone."""
    try:
        text = ask.store.artifact(key).decode("utf-8", "backslashreplace")
    except SteelyardError as error:  # gone, damaged, or no hash at all
        return f"({error.what})", 0
    return text[:LONG], max(0, len(text) - LONG)
