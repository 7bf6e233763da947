"""The ledger: every claim of every card, measured here, with its verdict, scale and reason."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from steelyard import catalog
from steelyard.catalog.suites import papers
from steelyard.core.card import Card, Claim
from steelyard.core.errors import MEASURED_FAILURE, MissingError, SteelyardError, unknown
from steelyard.core.spec import parse_spec
from steelyard.report.evidence import (
    Member,
    NotMeasuredError,
    OutOfReachError,
    data_for,
    data_names,
    member_of,
    on_data,
    table_of,
)  # fmt: skip
from steelyard.report.plain import print_json
from steelyard.report.terminal import console, interval, number, print_table

if TYPE_CHECKING:
    from steelyard.pool import Pool
    from steelyard.stats.claims import Judgement

VERDICTS = ("holds", "fails", "undecided", "out of reach")
STATES = (*VERDICTS, "not measured")  # what a row shows: its verdict, or that there is none yet


def judgements(
    pool: Pool, names: Sequence[str] = (), *, measure: bool = False, data: str | None = None, only: Sequence[str] = (),
    time_s: float | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """One row a claim: card, claim, says, published, source, state, verdict, value, low, high, scale, reason, ...

    state: the verdict, or `not measured` where there is none (verdict is then empty); reason says what is lacking.
    names: cards (all with claims when empty). measure: take what the pool lacks first. only: claim ids.
    """
    rows = []
    deadline = None if time_s is None else time.monotonic() + time_s
    for name in names or sorted(catalog.entries()):
        entry = catalog.find(name)
        card = entry.full()
        ids = [claim.id for claim in card.claims]
        if len(names) == 1 and (odd := [o for o in only if o not in ids]):
            raise unknown("claim", odd[0], ids, where=card.name)
        for claim in card.claims:
            if not only or claim.id in only:
                left = None if deadline is None else deadline - time.monotonic()
                go_on = measure and (left is None or left > 0)
                rows.append(_row(pool, entry, card, claim, go_on, data, left))
    return rows


def _row(
    pool: Pool, entry: catalog.Entry, card: Card, claim: Claim, measure: bool, data: str | None, time_s: float | None
) -> dict[str, Any]:
    from steelyard.stats.claims import Judgement, out_of_reach

    machines: list[str] = []
    judged: Judgement | None = None
    try:
        judged = _judge(pool, entry, card, claim, measure, data, time_s, machines)
        reason = judged.detail
    except OutOfReachError as error:
        judged, reason = out_of_reach(str(error)), str(error)
    except MissingError as error:
        judged, reason = out_of_reach(error.what), error.what
    except NotMeasuredError as error:
        reason = str(error)
    except SteelyardError as error:
        reason = f"cannot be judged: {error.what}"
        judged = Judgement("undecided", detail=reason)
    return {
        "card": card.name, "row": card.row, "claim": claim.id, "says": claim.says, "source": claim.source,
        "published": claim.expect, "statistic": f"{claim.over} of {claim.statistic}", "metric": claim.metric,
        "state": judged.verdict if judged else "not measured", "verdict": judged.verdict if judged else "",
        "value": judged.value if judged else float("nan"),
        "low": judged.low if judged else float("nan"),
        "high": judged.high if judged else float("nan"),
        "typical": list(judged.typical) if judged and judged.typical else None,
        "more_needed": judged.more_needed if judged else None,
        "unit": judged.unit if judged else "",
        "notes": judged.notes if judged else [],
        "scale": claim.scale, "needs": claim.needs, "machine": sorted(set(machines)), "reason": reason,
        "command": f"steelyard claims {card.name} --only {claim.id}",
    }  # fmt: skip


def _judge(
    pool: Pool, entry: catalog.Entry, card: Card, claim: Claim, measure: bool, data: str | None, time_s: float | None,
    machines: list[str],
) -> Judgement:  # fmt: skip
    from steelyard.stats.claims import Samples, check_claim, judge

    if claim.scale.startswith("out of reach"):
        raise OutOfReachError(claim.scale.removeprefix("out of reach").lstrip(": "))
    _check_needs(claim)
    expect, contender, baseline, where = check_claim(claim, claim.where)
    home = parse_spec(claim.benchmark or card.name)
    if catalog.find(home.name).card.kind != "benchmark":
        raise NotMeasuredError(f"claim {claim.id!r} names no benchmark that measures it")
    sides = [
        [member_of(text, home) for text in side.members] if side is not None else [] for side in (contender, baseline)
    ]
    everyone = [*sides[0], *sides[1]]
    official = next((n.partition(":")[2] for n in claim.needs if n.startswith("data:")), "")
    # published tables stand beside the card; what is scaled down may be judged on our own small data
    asks = bool(official) and claim.scale.startswith("as published") and not any(m.published for m in everyone)
    given = asks and data is None
    if given and not on_data(pool, home.name):
        raise OutOfReachError(f"needs the official data of {official}: --data PATH")
    if asks and data is not None and data_for(home.name, data) is None:
        raise OutOfReachError(f"{data} holds nothing called {' or '.join(data_names(home.name))}")
    if any(n == "rank" for n, _ in expect.reads) and not sides[1]:
        raise NotMeasuredError(f"claim {claim.id!r} asks for a rank and names no field (baseline)")
    if measure and not given:
        _measure(pool, everyone, data, where, time_s, claim.trials)
    tables = {}
    for key in {key for _, key in expect.reads} - {"margin"} or {""}:
        metric = key or claim.metric
        tables[key] = table_of(pool, entry, sides, metric, where, data, machines, claim.unit, given)
    return judge(claim, Samples(tables))


def _check_needs(claim: Claim) -> None:
    """Raise OutOfReachError for what is not on this machine: ISA extensions, models, accounts."""
    from steelyard.probe import machine

    for need in claim.needs:
        kind, _, name = need.partition(":")
        if kind == "model":
            from steelyard import llm

            known = {alias for model in llm.list_models() for alias in (model.name, *model.aliases)}
            if name not in known:
                raise OutOfReachError(f"needs the model {name}")
        elif kind == "data":
            continue  # `_judge` looks whether it was given, now or before
        elif need in machine().capabilities or need in ("valgrind",):
            continue
        else:
            raise OutOfReachError(f"needs {need}")


def _measure(
    pool: Pool, members: Sequence[Member], data: str | None, where: Any, time_s: float | None, trials: int | None
) -> None:  # fmt: skip
    """Weigh what the pool lacks, one run for each benchmark, all contenders of a comparison interleaved.

    A contender that nobody has written yet is left out: the table then says what the pool lacks of it.
    """
    from steelyard.report.running import weigh_visibly
    from steelyard.weigh import Budget

    wanted: dict[str, list[str]] = {}
    for member in members:
        text = catalog.benchmark(member.benchmark.name).card.interface == "generator"  # then it may be any model
        known = text or ":" in member.spec.name or member.spec.name in catalog.entries()
        if known and not member.published:
            wanted.setdefault(str(member.benchmark), []).append(str(member.spec))
    for benchmark, specs in wanted.items():
        keep = where if where.text else None
        done = weigh_visibly(
            benchmark, list(dict.fromkeys(specs)), pool=pool, data=data_for(parse_spec(benchmark).name, data),
            where=keep, trials=trials, budget=Budget(time_s=time_s),
        )  # fmt: skip
        if done.stopped:
            raise KeyboardInterrupt


def judge_and_print(
    names: Sequence[str], *, measure: bool, data: str | None, only: str, fail_on: str, budget: str, pool: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """`steelyard claims`."""
    from steelyard.pool import Pool
    from steelyard.report.running import seconds

    wanted = [w.strip() for w in fail_on.split(",") if w.strip()]
    if odd := [w for w in wanted if w not in STATES]:
        raise unknown("verdict", odd[0], STATES, where="--fail-on")
    with Pool(pool, readonly=not measure) as store:
        rows = judgements(
            store, names, measure=measure, data=data, only=[o.strip() for o in only.split(",") if o.strip()],
            time_s=seconds(budget, "--time") if budget else None,
        )  # fmt: skip
    if as_json:
        print_json(rows)
    else:
        print_ledger(rows)
    if any(row["state"] in wanted for row in rows):
        raise SystemExit(MEASURED_FAILURE)


def print_ledger(rows: Sequence[dict[str, Any]]) -> None:
    """The ledger: what was published, what is measured here, the verdict."""
    shown = []
    for r in rows:
        here = "" if np.isnan(r["value"]) else number(r["value"])
        if here and r["low"] != r["high"]:
            here += f" {interval(r['low'], r['high'])}"
        typical = f"; typical case {number(r['typical'][0])}" if r["typical"] else ""
        why = r["reason"] if r["state"] == "out of reach" or not here else ""
        if r["state"] == "undecided" and r["more_needed"]:
            why = f"about {r['more_needed']} more {r['unit']} would settle it"
        shown.append(
            {"claim": f"{r['card']}/{r['claim']}", "says": r["says"], "published": r["published"],
             "here": here + typical, "verdict": r["state"], "scale": r["scale"].split(":")[0], "why": why}
        )  # fmt: skip
    print_table(shown, ["claim", "published", "here", "verdict", "scale", "why"])
    count = {v: sum(r["state"] == v for r in rows) for v in STATES}
    console().print(f"\n{len(rows)} claims: " + ", ".join(f"{n} {v}" for v, n in count.items() if n))


def print_papers(*, pool: str | None, as_json: bool) -> None:
    """`steelyard papers`: the seventy systems and how their claims stand here."""
    from steelyard.pool import Pool

    with Pool(pool) as store:  # the papers are listed before anything was measured, too
        names = [name for name, e in catalog.entries().items() if e.full().claims]
        rows = judgements(store, names, measure=False) if names else []
    out = []
    for paper in papers():
        here = [n for n in paper["names"] if n in catalog.entries()]
        mine = [r for r in rows if r["row"] == paper["row"]]
        count = {v: sum(r["state"] == v for r in mine) for v in STATES}
        out.append({**paper, "here": here, "claims": len(mine), **count,
                    "command": f"steelyard claims {' '.join(dict.fromkeys(r['card'] for r in mine))}" if mine else ""})  # fmt: skip
    if as_json:
        print_json(out)
        return
    shown = [
        {"row": p["row"], "system": p["system"], "arXiv": p["arxiv"], "claims": p["claims"] or "",
         **{v: p[v] or "" for v in STATES}, "": p["command"] if p["here"] else "not weighable yet"}
        for p in out
    ]  # fmt: skip
    print_table(shown, ["row", "system", "arXiv", "claims", *STATES, ""])
