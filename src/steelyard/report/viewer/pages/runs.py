"""Runs, failures, and questions in SQL."""

from __future__ import annotations

from typing import Any

from steelyard.core.errors import InputError
from steelyard.pool.export import jsonable
from steelyard.report import views
from steelyard.report.machines import describe
from steelyard.report.viewer.asking import Ask, Page
from steelyard.report.viewer.pages.common import chosen, section_of

SHOWN = 100
SQL_S, SQL_ROWS, SQL_MOST = 20.0, 300, 100_000  # rows on the page, and in CSV or JSON


def runs(ask: Ask) -> Page:
    """What was measured when: every run, the last one first, and every benchmark."""
    q = ask.one("q").lower()
    groups = [
        g for g in ask.store.groups("run") if q in f"{g.name} {' '.join(g.benchmarks)} {' '.join(g.contenders)}".lower()
    ]
    page = ask.number("page", 1, 1, max(1, -(-len(groups) // SHOWN)))
    rows = [
        {
            "run": g.name, "benchmarks": ", ".join(sorted(g.benchmarks)), "contenders": len(g.contenders), "rows": g.rows,
            "failed": g.failed, "first": g.first, "last": g.last, "machine": describe(sorted(g.machines)),
        }
        for g in groups
    ]  # fmt: skip
    context: dict[str, Any] = {
        "runs": rows[(page - 1) * SHOWN : page * SHOWN], "groups": list(ask.store.benchmarks().values()), "leaf": page,
        "pages": -(-len(groups) // SHOWN), "n": len(groups),
    }  # fmt: skip
    benches = [{"benchmark": g.name, "rows": g.rows, "failed": g.failed, "last": g.last} for g in context["groups"]]
    return Page("Runs", "runs.html.j2", context, {"runs": rows, "benchmarks": benches})


def failures(ask: Ask) -> Page:
    """Cells that gave no number, by contender and reason."""
    name = ask.one("b")
    if not name:
        groups = [g for g in ask.store.groups("benchmark", "contender") if g.failed]
        rows = [
            {
                "benchmark": g.name, "contender": next(iter(g.contenders), "gold or empty"), "failed": g.failed,
                "rows": g.rows, "statuses": ", ".join(f"{n} {s}" for s, n in sorted(g.statuses.items()) if s != "ok"),
                "last": g.last,
            }
            for g in sorted(groups, key=lambda g: -g.failed)
        ]  # fmt: skip
        return Page("Failures", "failures.html.j2", {"rows": rows[:500], "section": None}, {"failures": rows})
    section = section_of(ask, chosen(ask))
    who = ask.one("who")
    found = [f for f in views.failures(section) if not who or f["contender"] == who]
    context = {"section": section, "found": found, "rows": [], "cells": sum(f["count"] for f in found)}
    plain = [{**f, "cases": " ".join(f["cases"])} for f in found]
    excluded = [{"case": c, "why": w} for c, w in section.excluded.items()]
    return Page(
        f"Failures of {section.card.name}", "failures.html.j2", context, {"failures": plain, "excluded": excluded}
    )


def sql(ask: Ask) -> Page:
    """One SELECT over the pool; it can read nothing else."""
    q = ask.one("q")
    context: dict[str, Any] = {"sql": q, "columns": [], "rows": [], "n": 0, "more": False, "error": None, "ran": False}
    tables: dict[str, list[dict[str, Any]]] = {"rows": []}
    if q and ask.one("run"):
        try:
            most = SQL_MOST if ask.whole else SQL_ROWS
            table = ask.store.pool.query(q, within_s=SQL_S, at_most=most + 1)
        except InputError as error:
            if ask.whole:
                raise
            context["error"] = error
        else:
            found = [jsonable(r) for r in table.slice(0, most).to_pylist()]
            tables = {"rows": found}
            context |= {
                "columns": table.column_names,
                "rows": found,
                "n": len(found),
                "more": table.num_rows > most,
                "ran": True,
            }
    return Page("Ask in SQL", "sql.html.j2", context, tables)
