"""`steelyard report`: one HTML file that opens offline, without scripts, and trusts no text that it shows."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steelyard import catalog
from steelyard.core.errors import InputError
from steelyard.core.spec import parse_spec, walk
from steelyard.report.machines import describe
from steelyard.report.sections import Section, gather
from steelyard.report.terminal import number
from steelyard.report.untrusted import visible

if TYPE_CHECKING:
    from jinja2 import Environment

STATES = ("holds", "fails", "undecided", "out of reach", "not measured")
_BLANK: dict[str, Any] = dict.fromkeys(("reason", "unit", "statistic", "metric"), "") | {
    "typical": None, "more_needed": None, "notes": [],
}  # fmt: skip
TEMPLATES = Path(__file__).parent / "templates"


def write_report(benchmarks: list[str], out: Path, pool: str | None = None) -> Path:
    """Write rankings, intervals, charts, failures, the ledger and the machines into the file `out`; returns it.

    benchmarks: all that the pool has measurements of when none is named. pool: None means the default pool.
    Raises InputError for an unknown benchmark or a file that cannot be written, MissingError where there is no pool.
    """
    from steelyard.pool import Pool
    from steelyard.report.ledger import judgements
    from steelyard.report.ranking import measured

    with Pool(pool, readonly=True) as store:
        names = list(dict.fromkeys(benchmarks)) or measured(store)
        sections = [gather(store, name) for name in names]
        cards = cards_of(sections)
        ledger = judgements(store, cards, measure=False) if cards else []
        page = build_page(sections, ledger, written=time.time(), pool=store.path, own_pool=pool or "")
    out = Path(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(page, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise InputError(
            f"{out} cannot be written: {error.strerror or error}.", "Give another file with --out."
        ) from error
    return out


def cards_of(sections: Sequence[Section]) -> list[str]:
    """The cards whose claims the page judges: the benchmarks', then those of the contenders and solvers weighed."""
    names = [s.card.name for s in sections if s.card.name in catalog.entries()]  # an imported one makes no claims
    for source in (source for s in sections for source in s.sources):
        try:
            names += [part.name for part in walk(parse_spec(source.contender)) if part.name in catalog.entries()]
        except InputError:
            continue  # an imported name that is no spec
    return list(dict.fromkeys(names))


def build_page(
    sections: Sequence[Section], ledger: Sequence[Mapping[str, Any]], *, written: float, pool: str, own_pool: str = ""
) -> str:
    """The page as text; nothing is read or measured.

    ledger: judged claims as `judgements` gives them. written: seconds since the epoch (UTC). pool: the place of the
    numbers; own_pool: the same where it is not the default, for the commands that measure again.
    """
    from markupsafe import Markup

    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    env = environment(TEMPLATES)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    fingerprints = sorted({m for s in sections for m in s.machines})
    return env.get_template("report.html.j2").render(
        style=Markup(style),  # our own file
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
        benches=[bench(s, own_pool) for s in sections],
        papers=papers(ledger),
        tally=tally(ledger),
        machines=[_machine(m, sections) for m in fingerprints],
        machine=_named(fingerprints),
        written=written,
        pool=pool,
        version=importlib.metadata.version("steelyard"),
    )


def environment(*folders: Path) -> Environment:
    """Templates that escape everything, spell out hidden characters, and know the words of a page."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    env = Environment(
        loader=FileSystemLoader(folders), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, finalize=visible,
    )  # fmt: skip
    env.filters |= {"day": _day, "value": _value}
    return env


def bench(section: Section, pool: str) -> dict[str, Any]:
    """What the template shows of one benchmark."""
    from steelyard.report import plots, views

    baseline = views.baseline_of(section)
    forests = [views.forest(section, scores, baseline) for scores in section.metrics]
    series = views.series_of(section, baseline, forests[0] if forests else None) if baseline else {}
    order = [r["name"] for r in forests[0].rows] if forests else []
    return {
        "section": section,
        "card": section.card,
        "baseline": baseline,
        "machine": _named(section.machines),
        "cases": len(section.metrics[0].cases) if section.metrics else 0,
        "first": min((s.first for s in section.sources), default=None),
        "last": max((s.last for s in section.sources), default=None),
        "rows": sum(s.rows for s in section.sources),
        "tiers": views.tiers(section),
        "forests": forests,
        "legend": list(series.items()),
        "strips": views.strips(section, order),
        "charts": [plots.by_size(section, scores, baseline, series) for scores in section.metrics],
        "trades": plots.trades(section, series),
        "failures": views.failures(section),
        "commands": views.commands(section, baseline, pool),
    }


def papers(ledger: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The ledger by card, each with its tally."""
    cards: dict[str, list[Mapping[str, Any]]] = {}
    for row in ledger:
        machines = row.get("machine") or []
        shown = _named(machines) if isinstance(machines, list) and machines else machines or ""
        cards.setdefault(str(row["card"]), []).append({**_BLANK, "state": row["verdict"], **row, "machine": shown})
    return [{"card": card, "claims": rows, "tally": tally(rows)} for card, rows in cards.items()]


def tally(ledger: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """How many claims are in each state, with the place of each in a bar (percent)."""
    out, at = [], 0.0
    for state in STATES:
        n = sum(1 for row in ledger if row.get("state", row["verdict"]) == state)
        width = 100 * n / len(ledger) if ledger else 0.0
        out.append({"verdict": state, "n": n, "x": round(at, 3), "width": round(width, 3)})
        at += width
    return out


def _day(seconds: float | None) -> str:
    """Seconds since the epoch as 2026-08-14 09:30 UTC."""
    if not seconds:
        return "time not recorded"
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def _value(row: Any) -> str:
    """A judged value with its interval; a dash where there is none."""
    if row is None:
        return "–"
    parts = [float("nan") if v is None else float(v) for v in row]
    if parts[0] != parts[0]:
        return "–"
    head, *ends = (number(v).replace("-", "−") for v in parts)
    return f"{head} [{', '.join(ends)}]" if ends and parts[1] == parts[1] else f"{head} (no interval)"


def _named(fingerprints: Sequence[str]) -> str:
    """The machines in words, or as they are written where they are no fingerprints of ours."""
    try:
        return describe(fingerprints)
    except (ValueError, AttributeError):
        return ", ".join(fingerprints)


def _machine(fingerprint: str, sections: Sequence[Section]) -> dict[str, Any]:
    """A fingerprint as rows of name and value, with the benchmarks that were measured there."""
    try:
        facts = json.loads(fingerprint)
    except ValueError:
        facts = {"machine": fingerprint}
    facts = facts if isinstance(facts, dict) else {"machine": facts}
    return {
        "summary": facts.get("summary", "machine"),
        "facts": [row for k, v in facts.items() if k != "summary" for row in _flat(str(k), v)],
        "benchmarks": [s.card.name for s in sections if fingerprint in s.machines],
    }


def _flat(name: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [row for k, v in value.items() for row in _flat(f"{name} {k}", v)]
    if isinstance(value, list):
        sizes = all(isinstance(v, list) and len(v) == 2 and isinstance(v[1], int) for v in value)  # caches
        return [(name, ", ".join(f"{v[0]} {number(v[1], 'B')}" if sizes else str(v) for v in value) or "none")]
    return [(name, number(value, "B") if name == "memory" and isinstance(value, int) else str(value))]
