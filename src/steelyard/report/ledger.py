"""The ledger: every claim of every card, measured here, with its verdict, scale and reason."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from steelyard import catalog
from steelyard.catalog.suites import papers
from steelyard.core.card import Card, Claim
from steelyard.core.contender import options_of
from steelyard.core.errors import MEASURED_FAILURE, InputError, MissingError, SteelyardError, unknown
from steelyard.core.spec import Spec, parse_spec
from steelyard.core.words import Direction, Kind
from steelyard.report.results import Scores, load
from steelyard.report.terminal import console, interval, number, print_json, print_table

if TYPE_CHECKING:
    from steelyard.pool import Pool
    from steelyard.stats.claims import Judgement, Table

VERDICTS = ("holds", "fails", "undecided", "out of reach")


class OutOfReachError(Exception):
    """What a claim needs and this machine lacks."""


class NotMeasuredError(Exception):
    """What a claim needs and the pool lacks."""


@dataclass(frozen=True)
class Member:
    """One member of a claim's side: where its numbers are. `benchmark` is a spec with the options that belong to it."""

    text: str
    spec: Spec
    benchmark: Spec
    published: bool = False


def judgements(
    pool: Pool, names: Sequence[str] = (), *, measure: bool = False, data: str | None = None, only: Sequence[str] = (),
    time_s: float | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """One row a claim: card, claim, says, published, source, verdict, value, low, high, typical, scale, machine, reason.

    names: cards (all with claims when empty). measure: take what the pool lacks first. only: claim ids.
    """
    rows = []
    for name in names or sorted(catalog.entries()):
        entry = catalog.find(name)
        card = entry.full()
        ids = [claim.id for claim in card.claims]
        if len(names) == 1 and (odd := [o for o in only if o not in ids]):
            raise unknown("claim", odd[0], ids, where=card.name)
        for claim in card.claims:
            if not only or claim.id in only:
                rows.append(_row(pool, entry, card, claim, measure, data, time_s))
    return rows


def _row(
    pool: Pool, entry: catalog.Entry, card: Card, claim: Claim, measure: bool, data: str | None, time_s: float | None
) -> dict[str, Any]:
    from steelyard.stats.claims import out_of_reach

    machines: list[str] = []
    reason = ""
    try:
        judged = _judge(pool, entry, card, claim, measure, data, time_s, machines)
        reason = judged.detail
    except OutOfReachError as error:
        judged, reason = out_of_reach(str(error)), str(error)
    except MissingError as error:
        judged, reason = out_of_reach(error.what), error.what
    except NotMeasuredError as error:
        judged, reason = None, f"not measured yet: {error}"
    except SteelyardError as error:
        judged, reason = None, f"cannot be judged: {error.what}"
    return {
        "card": card.name, "row": card.row, "claim": claim.id, "says": claim.says, "source": claim.source,
        "published": claim.expect, "statistic": f"{claim.over} of {claim.statistic}", "metric": claim.metric,
        "verdict": judged.verdict if judged else "undecided",
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
    _check_needs(claim, data)
    expect, contender, baseline, where = check_claim(claim, claim.where)
    home = parse_spec(claim.benchmark or card.name)
    if catalog.find(home.name).card.kind != "benchmark":
        raise NotMeasuredError(f"claim {claim.id!r} names no benchmark that measures it")
    sides = [
        [_member(text, home) for text in side.members] if side is not None else [] for side in (contender, baseline)
    ]
    everyone = [*sides[0], *sides[1]]
    if any(n == "rank" for n, _ in expect.reads) and not sides[1]:
        raise NotMeasuredError(f"claim {claim.id!r} asks for a rank and names no field (baseline)")
    if measure:
        _measure(pool, everyone, data, where, time_s, claim.trials)
    tables = {}
    for key in {key for _, key in expect.reads} - {"margin"} or {""}:
        metric = key or claim.metric
        tables[key] = _table(pool, entry, sides, metric, where, data, machines, claim.unit)
    return judge(claim, Samples(tables))


def _check_needs(claim: Claim, data: str | None) -> None:
    """Raise OutOfReachError for what is not on this machine: ISA extensions, models, official data, accounts."""
    from steelyard.probe import machine

    for need in claim.needs:
        kind, _, name = need.partition(":")
        if kind == "model":
            from steelyard import llm

            known = {alias for model in llm.list_models() for alias in (model.name, *model.aliases)}
            if name not in known:
                raise OutOfReachError(f"needs the model {name}")
        elif kind == "data":
            # published tables stand beside the card; what is scaled down may be judged on our own small data
            if data is None and claim.scale.startswith("as published") and "published:" not in claim.contender:
                raise OutOfReachError(f"needs the official data of {name}: --data PATH")
        elif need in machine().capabilities or need in ("valgrind",):
            continue
        else:
            raise OutOfReachError(f"needs {need}")


def _member(text: str, home: Spec) -> Member:
    """Split the options of a member into the benchmark's and its own."""
    if text.startswith("published:"):
        return Member(text, parse_spec(text.removeprefix("published:")), home, published=True)
    for word in ("gold", "data", "audit"):
        if text == word:
            text = "gold"
    spec = parse_spec(text)
    own = dict(spec.options)
    bench_name = str(own.pop("benchmark", home.name))
    bench = catalog.benchmark(bench_name).card
    theirs = {o.name for o in bench.options if o.scope == "benchmark"}
    entry = catalog.entries().get(spec.name)
    mine = set()
    if entry is not None and entry.card.kind == "contender":
        mine = {field.replace("_", "-") for field in options_of(entry.load())} | set(options_of(entry.load()))
    moved = {k: own.pop(k) for k in list(own) if k in theirs and k not in mine}
    options = {**(dict(home.options) if bench_name == home.name else {}), **moved}
    return Member(text, Spec(spec.name, own, spec.solvers), Spec(bench_name, options))


def _measure(
    pool: Pool, members: Sequence[Member], data: str | None, where: Any, time_s: float | None, trials: int | None
) -> None:  # fmt: skip
    """Weigh what the pool lacks, one run for each benchmark, all contenders of a comparison interleaved."""
    from steelyard.report.running import weigh_visibly
    from steelyard.weigh import Budget

    wanted: dict[str, list[str]] = {}
    for member in members:
        if not member.published:
            wanted.setdefault(str(member.benchmark), []).append(str(member.spec))
    for benchmark, specs in wanted.items():
        keep = where if where.text else None
        weigh_visibly(
            benchmark, list(dict.fromkeys(specs)), pool=pool, data=_data_for(parse_spec(benchmark).name, data),
            where=keep, trials=trials, budget=Budget(time_s=time_s),
        )  # fmt: skip


def _data_for(benchmark: str, data: str | None) -> str | None:
    """`--data` is a file, or a folder with one file or folder for each benchmark, named like it or as its card says."""
    if data is None or not Path(data).is_dir():
        return data
    named = catalog.benchmark(benchmark).card.data
    names = {named} if named else {benchmark, benchmark.replace("-", "_")}
    found = sorted(p for p in Path(data).iterdir() if p.name.split(".")[0] in names)
    return str(found[0]) if found else None


def _table(
    pool: Pool, entry: catalog.Entry, sides: Sequence[Sequence[Member]], metric: str, where: Any, data: str | None,
    machines: list[str], asked: str = "",
) -> Table:  # fmt: skip
    from steelyard.stats.claims import Table

    if any(m.published for side in sides for m in side):
        return _published_table(entry, sides, metric, where)
    scores: dict[str, Scores] = {}
    for member in {m.text: m for side in sides for m in side}.values():
        try:
            scores[member.text] = _scores(pool, member, metric, where, data)
        except InputError as error:
            raise NotMeasuredError(error.what) from error
        machines += scores[member.text].machines
    first = next(iter(scores.values()))
    keys = {text: _keys(s) for text, s in scores.items()}
    shared = [k for k in keys[next(iter(keys))] if k and all(k in other for other in keys.values())]
    if not shared:
        raise NotMeasuredError("the contenders share no case")
    arrays = {text: s.values[0][[keys[text].index(k) for k in shared]] for text, s in scores.items()}
    rounds = min(a.shape[1] for a in arrays.values())
    wanted = asked or ("trials" if first.card.timing else "cases")
    varies = any(np.nanmax(np.ptp(a, axis=1), initial=0.0) > 0 for a in arrays.values() if a.shape[1] > 1)
    unit = wanted if wanted == "cases" or (varies and rounds > 1) else "none"
    if unit == "none":
        arrays = {text: a[:, :1] for text, a in arrays.items()}
    elif unit != "cases":
        arrays = {text: a[:, :rounds] for text, a in arrays.items()}
    at = [keys[next(iter(keys))].index(k) for k in shared]
    contender, baseline = ({m.text: arrays[m.text] for m in side} for side in sides)
    return Table(
        contender,
        baseline,
        first.metric.kind,
        first.metric.direction,
        unit,  # type: ignore[arg-type]
        [first.groups[i] for i in at] if unit == "cases" else None,
    )


def _scores(pool: Pool, member: Member, metric: str, where: Any, data: str | None) -> Scores:
    from steelyard.weigh.plan import version_of

    card = catalog.benchmark(member.benchmark.name).card
    version = None
    if member.benchmark.options or data is not None:
        version = version_of(card, member.benchmark, _data_for(card.name, data))
    keep = where if where.text else None
    return load(pool, card.name, metric, contenders=[str(member.spec)], where=keep, version=version)


def _keys(scores: Scores) -> list[str]:
    """What a case is called in the benchmarks it is shared with: its `pair`, else its id."""
    return [str(a.get("pair") or c) for a, c in zip(scores.attributes, scores.cases, strict=True)]


def _published_table(entry: catalog.Entry, sides: Sequence[Sequence[Member]], metric: str, where: Any) -> Table:
    """Figures from the paper: `published.csv` beside the card. Each option of a member filters by attribute."""
    from steelyard.stats.claims import Table

    path = entry.path.parent / "published.csv"
    if not path.is_file():
        raise NotMeasuredError(f"{entry.name} has no published.csv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = [dict(r, attributes=json.loads(r["attributes"])) for r in csv.DictReader(file)]

    def pick(member: Member) -> dict[str, float]:
        name = member.spec.name
        found = {}
        for row in rows:
            attributes = {**row["attributes"], "case": row["case"], "contender": row["contender"]}
            named = name.startswith("all") or name in (row["contender"], attributes.get("set"))
            fits = all(str(attributes.get(k)) == str(v) for k, v in member.spec.options.items())
            if row["metric"] == metric and named and fits and (not where.text or where(attributes)):
                found[row["case"]] = float(row["value"])
        if not found:
            raise NotMeasuredError(f"published.csv of {entry.name} has no {metric} of {member.text}")
        return found

    values = {m.text: pick(m) for side in sides for m in side}
    shared = [c for c in next(iter(values.values())) if all(c in v for v in values.values())]
    if not shared:
        raise NotMeasuredError("the published figures share no case")
    contender, baseline = ({m.text: np.array([values[m.text][c] for c in shared]) for m in side} for side in sides)
    return Table(contender, baseline, Kind.REAL, Direction.HIGHER, "none")


def judge_and_print(
    names: Sequence[str], *, measure: bool, data: str | None, only: str, fail_on: str, time: str, pool: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """`steelyard claims`."""
    from steelyard.pool import Pool
    from steelyard.report.running import seconds

    wanted = [w.strip() for w in fail_on.split(",") if w.strip()]
    if odd := [w for w in wanted if w not in VERDICTS]:
        raise unknown("verdict", odd[0], VERDICTS, where="--fail-on")
    with Pool(pool, readonly=not measure) as store:
        rows = judgements(
            store, names, measure=measure, data=data, only=[o.strip() for o in only.split(",") if o.strip()],
            time_s=seconds(time, "--time") if time else None,
        )  # fmt: skip
    if as_json:
        print_json(rows)
    else:
        print_ledger(rows)
    if any(row["verdict"] in wanted for row in rows):
        raise SystemExit(MEASURED_FAILURE)


def print_ledger(rows: Sequence[dict[str, Any]]) -> None:
    """The ledger: what was published, what is measured here, the verdict."""
    shown = []
    for r in rows:
        here = "" if np.isnan(r["value"]) else number(r["value"])
        if here and r["low"] != r["high"]:
            here += f" {interval(r['low'], r['high'])}"
        typical = f"; typical case {number(r['typical'][0])}" if r["typical"] else ""
        why = r["reason"] if r["verdict"] == "out of reach" or not here else ""
        if r["verdict"] == "undecided" and r["more_needed"]:
            why = f"about {r['more_needed']} more {r['unit']} would settle it"
        shown.append(
            {"claim": f"{r['card']}/{r['claim']}", "says": r["says"], "published": r["published"],
             "here": here + typical, "verdict": r["verdict"], "scale": r["scale"].split(":")[0], "why": why}
        )  # fmt: skip
    print_table(shown, ["claim", "published", "here", "verdict", "scale", "why"])
    count = {v: sum(r["verdict"] == v for r in rows) for v in VERDICTS}
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
        count = {v: sum(r["verdict"] == v for r in mine) for v in VERDICTS}
        out.append({**paper, "here": here, "claims": len(mine), **count,
                    "command": f"steelyard claims {' '.join(dict.fromkeys(r['card'] for r in mine))}" if mine else ""})  # fmt: skip
    if as_json:
        print_json(out)
        return
    shown = [
        {"row": p["row"], "system": p["system"], "arXiv": p["arxiv"], "claims": p["claims"] or "",
         **{v: p[v] or "" for v in VERDICTS}, "": p["command"] if p["here"] else "not weighable yet"}
        for p in out
    ]  # fmt: skip
    print_table(shown, ["row", "system", "arXiv", "claims", *VERDICTS, ""])
