"""Where a claim's numbers are: the members of its sides, their measurements or published figures, as one table."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from steelyard import catalog
from steelyard.core.card import Card
from steelyard.core.contender import options_of
from steelyard.core.errors import InputError
from steelyard.core.spec import Spec, parse_spec
from steelyard.core.words import Direction, Kind
from steelyard.report.results import Scores, load

if TYPE_CHECKING:
    from steelyard.pool import Pool
    from steelyard.stats.claims import Table


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


def member_of(text: str, home: Spec) -> Member:
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
    if entry is not None and entry.kind == "contender":
        mine = {field.replace("_", "-") for field in options_of(entry.load())} | set(options_of(entry.load()))
    moved = {k: own.pop(k) for k in list(own) if k in theirs and k not in mine}
    options = {**(dict(home.options) if bench_name == home.name else {}), **moved}
    return Member(text, Spec(spec.name, own, spec.solvers), Spec(bench_name, options))


def data_for(benchmark: str, data: str | None) -> str | None:
    """`--data` for one benchmark: a file or its own folder as it is; of a folder of several what is named like the
    benchmark, or as its card says. None where the folder holds nothing of it.
    """
    if data is None or not Path(data).is_dir():
        return data
    names = data_names(benchmark)
    found = sorted(p for p in Path(data).iterdir() if p.name.split(".")[0] in names)
    return str(found[0]) if found else data if Path(data).resolve().name in names else None


def data_names(benchmark: str) -> list[str]:
    """What the official data of a benchmark may be called inside a folder of several."""
    named = catalog.benchmark(benchmark).card.data
    return [named] if named else [benchmark, benchmark.replace("-", "_")]


def table_of(
    pool: Pool, entry: catalog.Entry, sides: Sequence[Sequence[Member]], metric: str, where: Any, data: str | None,
    machines: list[str], asked: str = "", given: bool = False,
) -> Table:  # fmt: skip
    """What a claim is judged on. asked: what the claim says is a sample (`unit`), "" for the benchmark's own.

    given: without `data`, only what was measured on data that a user gave counts.
    """
    from steelyard.stats.claims import Table
    from steelyard.stats.evidence import TIMES

    if any(m.published for side in sides for m in side):
        return _published(entry, sides, metric, where)
    scores: dict[str, Scores] = {}
    for member in {m.text: m for side in sides for m in side}.values():
        try:
            scores[member.text] = _scores(pool, member, metric, where, data, given)
        except InputError as error:
            raise NotMeasuredError(error.what) from error
        machines += scores[member.text].machines
    first = next(iter(scores.values()))
    keys = {text: _keys(s) for text, s in scores.items()}
    shared = [k for k in keys[next(iter(keys))] if k and all(k in other for other in keys.values())]
    if not shared:
        raise NotMeasuredError("the contenders share no case")
    at = {text: [keys[text].index(k) for k in shared] for text in scores}
    unit = asked or ("trials" if first.card.timing else "cases")
    if first.card.timing:
        arrays = _rounds(scores, at, {str(m.benchmark) for side in sides for m in side})
    else:
        arrays = {text: s.values[0][at[text]] for text, s in scores.items()}
    if unit != "cases":
        rounds = min(a.shape[1] for a in arrays.values())
        arrays = {text: a[:, :rounds] for text, a in arrays.items()}
        varies = any(np.nanmax(np.ptp(a, axis=1), initial=0.0) > 0 for a in arrays.values())
        if not varies and (
            rounds > 1 or first.metric.kind not in TIMES
        ):  # a time varies, though one round cannot show it
            unit = "none"
    if all(np.isnan(a).all() for a in arrays.values()) or _apart(arrays):
        raise _without_numbers(scores)
    if unit == "none":
        arrays = {text: a[:, :1] for text, a in arrays.items()}
    contender, baseline = ({m.text: arrays[m.text] for m in side} for side in sides)
    return Table(
        contender,
        baseline,
        first.metric.kind,
        first.metric.direction,
        unit,  # type: ignore[arg-type]
        [first.groups[i] for i in at[next(iter(at))]] if unit == "cases" else None,
    )


def _rounds(
    scores: Mapping[str, Scores], at: Mapping[str, Sequence[int]], benchmarks: set[str]
) -> dict[str, NDArray[np.float64]]:
    """(cases, rounds) of each member's timings: the rounds that all members took in one and the same run.

    Members of different benchmarks are never in one run: they are paired by trial. A case has as many rounds as the one
    with the fewest; one without any is NaN. Raises NotMeasuredError where no case has a round of all members.
    """
    same_run = len(benchmarks) == 1
    found: dict[str, list[dict[Any, float]]] = {
        text: [
            {(r if same_run else r[1]): v for r, v in zip(s.rounds, s.values[0][i], strict=True) if not np.isnan(v)}
            for i in at[text]
        ]
        for text, s in scores.items()
    }
    together = [[r for r in case[0] if all(r in other for other in case)] for case in zip(*found.values(), strict=True)]
    count = min((len(rounds) for rounds in together if rounds), default=0)
    if not count:
        if any(all(not case for case in cases) for cases in found.values()):
            raise _without_numbers(scores)
        names = " ".join(f'--with "{text}"' for text in scores)
        raise NotMeasuredError(
            f"the contenders were never timed in one run; measure them again together:  steelyard run "
            f"{next(iter(benchmarks))} {names}"
        )
    return {
        text: np.array([[c[r] for r in rounds[-count:]] if rounds else [np.nan] * count
                        for c, rounds in zip(cases, together, strict=True)])
        for text, cases in found.items()
    }  # fmt: skip


def _apart(arrays: Mapping[str, NDArray[np.float64]]) -> bool:
    """Whether no case has a number of every member."""
    return not np.logical_and.reduce([~np.isnan(a).all(axis=1) for a in arrays.values()]).any()


def _without_numbers(scores: Mapping[str, Scores]) -> OutOfReachError | NotMeasuredError:
    """Why no case has a number of every member: this machine cannot run one of them, or cells failed."""
    failures = [f for s in scores.values() for f in s.failures]
    for name, _, _, status, error in sorted(failures, key=lambda f: f[3] != "unsupported"):
        said = f"{name}: {error.splitlines()[0] if error else status}"
        return OutOfReachError(said) if status == "unsupported" else NotMeasuredError(f"no number; {status}: {said}")
    return NotMeasuredError("no case has a number of every contender")


def on_data(pool: Pool, benchmark: str) -> bool:
    """Whether the pool has measurements of a benchmark on data that the user gave."""
    from steelyard.weigh.plan import without_data

    return any(without_data(v) != v for v in {row["benchmark_version"] for row in pool.counts(benchmark)})


def _version(pool: Pool, card: Card, benchmark: Spec, data: str | None, given: bool) -> str | None:
    """The version that a claim reads: the one of `data`; without it the newest with these options, whatever it was
    measured on (given: on data that a user gave); None where the pool has nothing of the benchmark."""
    from steelyard.weigh.plan import version_of, without_data

    wanted = version_of(card, benchmark, data_for(card.name, data))
    if data is not None:
        return wanted
    rows = [(r["last"], r["benchmark_version"]) for r in pool.counts(card.name)]
    found = [(last, v) for last, v in rows if without_data(v) == wanted and not (given and v == wanted)]
    return max(found)[1] if found else wanted if rows else None


def _scores(pool: Pool, member: Member, metric: str, where: Any, data: str | None, given: bool) -> Scores:
    card = catalog.benchmark(member.benchmark.name).card
    version = _version(pool, card, member.benchmark, data, given)
    keep = where if where.text else None
    return load(pool, card.name, metric, contenders=[str(member.spec)], where=keep, version=version)


def _keys(scores: Scores) -> list[str]:
    """What a case is called in the benchmarks it is shared with: its `pair`, else its id."""
    return [str(a.get("pair") or c) for a, c in zip(scores.attributes, scores.cases, strict=True)]


def _published(entry: catalog.Entry, sides: Sequence[Sequence[Member]], metric: str, where: Any) -> Table:
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
