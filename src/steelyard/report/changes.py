"""What changed in the ledger since a moment: the verdicts before and now, and the measurements in between.

Nothing is recorded for it: a verdict is judged from measurements, so the ledger of a past moment is judged anew from the
measurements that had been started by then. It works on any pool, read only, and only cards whose benchmarks have new
measurements are judged at all. What it cannot show is a change that comes from a new code or card.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from steelyard import catalog
from steelyard.catalog.suites import papers
from steelyard.core.card import Claim
from steelyard.core.errors import InputError, unknown
from steelyard.core.spec import parse_spec
from steelyard.report.ledger import judgements
from steelyard.report.plain import print_json
from steelyard.report.terminal import console, interval, number, print_table

if TYPE_CHECKING:
    from steelyard.pool import Pool

_SPAN = re.compile(r"(\d+)\s*([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def moment(pool: Pool, text: str, now: float) -> float:
    """The moment `text` names, in seconds since the epoch: a span back from `now` (7d), a date (UTC), or just before a run.

    Raises InputError for anything else.
    """
    if match := _SPAN.fullmatch(text.strip()):
        return now - int(match[1]) * _SECONDS[match[2]]
    try:
        when = datetime.fromisoformat(text.strip())
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except ValueError:
        pass
    table = pool.query("SELECT min(started_at) FROM measurements WHERE run = $run", {"run": text})
    began = table.column(0)[0].as_py()
    if began is None:
        raise InputError(
            f"--since: {text!r} is no date, no span and no run of this pool.",
            "Write 2026-01-31, 2026-01-31T12:00, 12h, 7d, or the name of a run.",
        )
    return float(began) - 1e-3


def measured_since(pool: Pool, since: float) -> list[dict[str, Any]]:
    """What was measured after `since`, a row for each benchmark: rows, failures, contenders, runs, last."""
    table = pool.query(
        """SELECT benchmark, count(*) AS rows, count(*) FILTER (status <> 'ok') AS failures,
        list_sort(list(DISTINCT contender)) AS contenders, list_sort(list(DISTINCT run)) AS runs, max(started_at) AS last
        FROM measurements WHERE started_at > $since GROUP BY benchmark ORDER BY benchmark""",
        {"since": since},
    )
    return [dict(row) for row in table.to_pylist()]


def changes(pool: Pool, since: float, follow: Sequence[str] = ()) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(claims whose verdict is another than at `since`, what was measured meanwhile).

    A change has what `judgements` gives now, and `before` and `after` (a verdict, or "not measured"), `value_before`,
    `low_before`, `high_before`, `why`, `when` (seconds since the epoch, of the newest measurement) and `system`.
    follow: only what concerns these papers (number, arXiv id or card), benchmarks or contenders. Raises InputError for
    a name that nothing has.
    """
    from steelyard.pool import Pool as Store

    wanted = [_followed(pool, name) for name in follow]
    fresh = {row["benchmark"]: row for row in measured_since(pool, since)}
    past = Store(pool.path, until=since)
    systems = {paper["row"]: paper["system"] for paper in papers()}
    found = []
    for entry in catalog.entries().values() if fresh else ():
        card = entry.full()
        touched = {c.id: names for c in card.claims if (names := _benchmarks(c, card.name) & set(fresh))}
        ids = [
            c.id for c in card.claims
            if c.id in touched and (not wanted or any(_concerns(w, c, card.name, card.row) for w in wanted))
        ]  # fmt: skip
        if not ids:
            continue
        before = {row["claim"]: row for row in judgements(past, [card.name], only=ids)}
        for row in judgements(pool, [card.name], only=ids):
            old = before[row["claim"]]
            if _verdict(old) != _verdict(row):
                news = [fresh[name] for name in sorted(touched[row["claim"]])]
                found.append({
                    **row, "before": _verdict(old), "after": _verdict(row), "value_before": old["value"],
                    "low_before": old["low"], "high_before": old["high"], "why": "; ".join(map(_news, news)),
                    "when": max(n["last"] for n in news), "system": systems.get(card.row, card.title),
                })  # fmt: skip
    mine = [row for row in fresh.values() if not wanted or any(_met(w, row) for w in wanted)]
    return sorted(found, key=lambda row: (-row["when"], row["card"], row["claim"])), mine


def _verdict(row: Mapping[str, Any]) -> str:
    return str(row["verdict"]) or "not measured"


def _benchmarks(claim: Claim, card: str) -> set[str]:
    """The benchmarks whose measurements a claim reads."""
    try:
        home = parse_spec(claim.benchmark or card).name
    except InputError:
        home = card
    return {home, *re.findall(r"benchmark=([\w.-]+)", f"{claim.contender} {claim.baseline}")}


def _news(row: Mapping[str, Any]) -> str:
    names = list(row["contenders"])
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    failed = f", {row['failures']:,} of them failures" if row["failures"] else ""
    return f"{row['rows']:,} new measurements{failed} on {row['benchmark']} ({shown})"


def _followed(pool: Pool, name: str) -> set[str]:
    """All names of what the user follows: a card, the paper with its number and arXiv id, a contender in the pool."""
    for paper in papers():
        names = {str(paper["row"]), paper["arxiv"], *paper["names"]} - {""}
        if name in {str(paper["row"]), paper["arxiv"]} or (name in paper["names"] and name not in catalog.entries()):
            return names
    contenders = pool.query("SELECT DISTINCT contender FROM measurements").column(0).to_pylist()
    known = {*catalog.entries(), *pool.cards(), *contenders}
    if name not in known:
        raise unknown("paper, benchmark or contender", name, map(str, known), where="--follow")
    return {name}


def _concerns(names: set[str], claim: Claim, card: str, row: int) -> bool:
    if names & {card, str(row), *_benchmarks(claim, card)}:
        return True
    sides = f"{claim.contender} {claim.baseline}"
    return any(re.search(rf"(?<![\w./-]){re.escape(name)}(?![\w./-])", sides) for name in names)


def _met(names: set[str], row: Mapping[str, Any]) -> bool:
    return row["benchmark"] in names or not names.isdisjoint(row["contenders"])


def verdict_line(row: Mapping[str, Any]) -> str:
    """One change in a line: `holds -> fails: 1.02 [0.98, 1.06], was 1.31 [1.28, 1.35]`."""

    def figure(value: float | None, low: float, high: float) -> str:
        return (
            ""
            if value is None or value != value
            else f"{number(value)} {interval(low, high)}"
            if low != high
            else number(value)
        )

    now = figure(row["value"], row["low"], row["high"])
    was = figure(row["value_before"], row["low_before"], row["high_before"])
    return f"{row['before']} -> {row['after']}" + (f": {now}" if now else "") + (f", was {was}" if was else "")


def print_changes(*, since: str, follow: Sequence[str], pool: str | None, as_json: bool) -> None:
    """`steelyard papers --since`."""
    import time

    from steelyard.pool import Pool

    store = Pool(pool, readonly=True)
    start = moment(store, since, time.time())
    changed, fresh = changes(store, start, follow)
    if as_json:
        print_json({"since": start, "changes": changed, "measured": fresh})
        return
    shown = [
        {
            "claim": f"{r['card']}/{r['claim']}",
            "change": verdict_line(r),
            "why": r["why"],
            "scale": r["scale"].split(":")[0],
        }
        for r in changed
    ]
    day = datetime.fromtimestamp(start, UTC).strftime("%Y-%m-%d %H:%M UTC")
    if shown:
        print_table(shown, ["claim", "change", "scale", "why"], f"verdicts that changed since {day}")
    else:
        console().print(f"No verdict changed since {day}.")
    for row in fresh:
        console().print(f"  {_news(row)}", style="dim", markup=False)
