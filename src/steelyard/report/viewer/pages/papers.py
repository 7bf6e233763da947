"""The front page (papers and how their claims stand here), one paper, and the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from steelyard import catalog
from steelyard.catalog.suites import papers
from steelyard.report.html import STATES, tally
from steelyard.report.html import papers as by_card
from steelyard.report.ledger import judgements
from steelyard.report.viewer.asking import Ask, NotThereError, Page
from steelyard.report.viewer.queries import claimants, reads

SORTS = {"settled": "most settled first", "newest": "measured last first", "row": "as numbered"}
SHOWN = 40  # claims on one page of the ledger


def _judged(ask: Ask) -> dict[str, list[dict[str, Any]] | None]:
    """The rows of the ledger by card; None for cards still being judged."""
    return {
        name: ask.get(
            "verdicts", ("ledger", name), ask.store.stamp_of(*reads(card)),
            partial(judgements, ask.store.pool, [name], measure=False), slow=True,
        )
        for name, card in claimants().items()
    }  # fmt: skip


def _papers(ask: Ask, judged: Mapping[str, list[dict[str, Any]] | None]) -> list[dict[str, Any]]:
    measured, known = ask.store.benchmarks(), claimants()
    rows = []
    for paper in papers():
        cards = [n for n, card in known.items() if card.row == paper["row"] or (not card.row and n in paper["names"])]
        here = [n for n in paper["names"] if n in catalog.entries()]
        claims = [r for n in cards for r in judged[n] or []]
        groups = [measured[n] for n in here if n in measured]
        count = {v: sum(r["state"] == v for r in claims) for v in STATES}
        rows.append(
            {
                "row": paper["row"], "system": paper["system"], "arxiv": paper["arxiv"], "track": paper["track"],
                "names": here, "state": "weighable" if here else "not weighable yet",
                "claims": sum(len(known[n].claims) for n in cards), **count, "tally": tally(claims),
                "waiting": any(judged[n] is None for n in cards), "last": max((g.last for g in groups), default=0.0),
                "rows": sum(g.rows for g in groups), "command": f"steelyard claims {' '.join(cards)}" if cards else "",
                "cards": cards,
            }
        )  # fmt: skip
    return rows


def front(ask: Ask) -> Page:
    """The papers: searchable, by track, most settled and newest first."""
    judged = _judged(ask)
    rows = _papers(ask, judged)
    tracks = sorted({p["track"] for p in rows})
    track, state = ask.choice("track", ["", *tracks]), ask.choice("state", ["", "weighable", "not weighable yet"])
    sort, q = ask.choice("sort", list(SORTS)), ask.one("q")
    total = {v: sum(p[v] for p in rows) for v in STATES}
    shown = [
        p
        for p in rows
        if (not track or p["track"] == track) and (not state or p["state"] == state)
        and all(w in f"{p['system']} {p['arxiv']} {' '.join(p['names'])} {p['track']}".lower() for w in q.lower().split())
    ]  # fmt: skip
    settled = {p["row"]: p["holds"] + p["fails"] for p in shown}
    keys = {
        "settled": lambda p: (-settled[p["row"]], -p["last"], not p["names"], p["row"]),
        "newest": lambda p: (-p["last"], -settled[p["row"]], not p["names"], p["row"]),
        "row": lambda p: p["row"],
    }
    shown.sort(key=keys[sort])
    every = [r for found in judged.values() for r in found or []]
    plain = [{k: v for k, v in p.items() if k not in ("tally", "waiting", "cards")} for p in shown]
    context = {
        "papers": shown, "tracks": tracks, "sorts": SORTS, "total": total, "all": len(rows), "tally": tally(every),
        "claims": sum(p["claims"] for p in rows), "weighable": sum(bool(p["names"]) for p in rows),
        "groups": list(ask.store.benchmarks().values())[:8],
    }  # fmt: skip
    return Page("Papers and their claims", "front.html.j2", context, {"papers": plain})


def paper(ask: Ask) -> Page:
    """One paper: what it is called here, its claims with verdicts, the commands."""
    found = next((p for p in papers() if str(p["row"]) == ask.one("row")), None)
    if found is None:
        raise NotThereError(f"there is no paper {ask.one('row')!r}.", "The front page lists rows 1 to 70.")
    entries = {n: catalog.entries()[n] for n in found["names"] if n in catalog.entries()}
    cards = [n for n, card in claimants().items() if card.row == found["row"] or (not card.row and n in found["names"])]
    rows: list[dict[str, Any]] = []
    for name in cards:
        stamp = ask.store.stamp_of(*reads(claimants()[name]))
        rows += ask.get(
            f"verdicts of {name}", ("ledger", name), stamp,
            partial(judgements, ask.store.pool, [name], measure=False), slow=True,
        ) or []  # fmt: skip
    measured = ask.store.benchmarks()
    context = {
        "paper": found, "entries": [e.card for e in entries.values()], "cards": by_card(rows), "measured": measured,
        "known": {n: len(claimants()[n].claims) for n in cards},
    }  # fmt: skip
    return Page(found["system"], "paper.html.j2", context, {"claims": rows})


def ledger(ask: Ask) -> Page:
    """Every claim with its verdict, filtered by card, track, verdict and words."""
    judged = _judged(ask)
    rows = [r for found in judged.values() for r in found or []]
    tracks = {p["row"]: p["track"] for p in papers()}
    known = sorted(judged)
    card, verdict = ask.choice("card", ["", *known]), ask.choice("verdict", ["", *STATES])
    track, q = ask.choice("track", ["", *sorted(set(tracks.values()))]), ask.one("q").lower()
    kept = [
        r
        for r in rows
        if (not card or r["card"] == card) and (not track or tracks.get(r["row"]) == track)
        and all(w in f"{r['card']} {r['claim']} {r['says']} {r['source']} {r['scale']}".lower() for w in q.split())
    ]  # fmt: skip
    shown = [r for r in kept if not verdict or r["state"] == verdict]
    page = ask.number("page", 1, 1, max(1, -(-len(shown) // SHOWN)))
    context = {
        "cards": by_card(shown[(page - 1) * SHOWN : page * SHOWN]), "tally": tally(kept), "known": known, "n": len(shown),
        "tracks": sorted(set(tracks.values())), "verdicts": STATES, "leaf": page, "pages": -(-len(shown) // SHOWN),
    }  # fmt: skip
    return Page("The ledger of claims", "ledger.html.j2", context, {"claims": shown})
