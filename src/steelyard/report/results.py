"""From the pool to arrays: one metric of one benchmark as contenders x cases x trials."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from steelyard import catalog
from steelyard.core.card import Card
from steelyard.core.errors import InputError, unknown
from steelyard.core.words import Metric
from steelyard.pool.schema import IMPORTED

if TYPE_CHECKING:
    import pyarrow as pa

    from steelyard.pool import Pool

Where = Callable[[Mapping[str, Any]], bool]


@dataclass(frozen=True)
class Scores:
    """One metric. values: (contenders, cases, trials), NaN where there is no number.

    rounds: (run, trial) of each place of the last axis. Timings of several runs stand one after the other, so that what
    has the same place was taken side by side; of everything else the last run counts (and run is "").
    failures: (contender, case, trial, status, error) of cells that failed. version: the benchmark's version shown.
    machines: the fingerprints the numbers were taken on (JSON).
    """

    card: Card
    metric: Metric
    version: str
    contenders: list[str]
    cases: list[str]
    groups: list[str]
    attributes: list[dict[str, Any]]
    values: NDArray[np.float64]
    failures: list[tuple[str, str, int, str, str]]
    machines: list[str]
    rounds: list[tuple[str, int]] = field(default_factory=list)

    def of(self, contender: str) -> NDArray[np.float64]:
        """(cases, trials) of one contender; InputError when the pool has nothing of it."""
        if contender not in self.contenders:
            raise unknown("contender", contender, self.contenders, where=f"the measurements of {self.card.name}")
        return self.values[self.contenders.index(contender)]

    def together(self, names: Sequence[str]) -> NDArray[np.float64]:
        """(names, cases, rounds): of each case the rounds in which all `names` have a number, the newest of them, as many
        as the case with the fewest has; NaN on a case without any.
        """
        values = np.stack([self.of(name) for name in names])
        full = ~np.isnan(values).any(axis=0)
        count = min((n for n in full.sum(axis=1).tolist() if n), default=1)
        out = np.full((len(names), len(self.cases), count), np.nan)
        for case in np.flatnonzero(full.any(axis=1)):
            out[:, case] = values[:, case, np.flatnonzero(full[case])[-count:]]
        return out


def card_of(pool: Pool, benchmark: str) -> Card:
    """The card of a benchmark: the catalog's, else the one that an import left in the pool. InputError for neither."""
    known = {entry.name: entry.card for entry in catalog.benchmarks()}
    found = known.get(benchmark) or pool.card(benchmark)
    if found is None:
        raise unknown("benchmark", benchmark, [*known, *pool.cards()])
    return found


def metric_of(card: Card, name: str) -> Metric:
    if not name:
        return card.primary
    from steelyard.weigh.run import COST

    known = {**COST, **card.metric}
    if name not in known:
        raise unknown("metric", name, known, where=card.name)
    return known[name]


@dataclass(frozen=True)
class Cells:
    """What the pool has of one version of a benchmark, of each contender its newest code; columns of codes.

    table: sorted by case, contender and trial, so that the same pool gives the same digits when resampled.
    """

    card: Card
    version: str
    table: pa.Table


_COLUMNS = ("value", "error", "case_attributes", "case_group", "machine", "provenance", "contender_config")


def cells_of(pool: Pool, card: Card, version: str) -> Cells:
    """The newest numbers of every metric. Timings of a contender count from the machine it was measured on last, and
    those of earlier runs too: they are paired within a run."""
    from steelyard.pool.columns import codes, words

    table = pool.newest(card.name, _COLUMNS, runs=card.timing)
    of_version = codes(table, "benchmark_version") == _place(words(table, "benchmark_version"), version)
    table = table if of_version.all() else table.filter(of_version)
    who, started = codes(table, "contender"), np.asarray(codes(table, "started_at"), float)
    order = np.lexsort((-np.arange(len(who)), started, who))
    last = order[np.append(who[order][1:] != who[order][:-1], True)] if len(order) else order
    current = np.ones(len(who), bool)
    for name in ("code_version", *(["machine"] if card.timing else [])):
        found = codes(table, name)
        newest = np.zeros(int(who.max(initial=-1)) + 1, np.int64)
        newest[who[last]] = found[last]
        current &= found == newest[who]
    table = table if current.all() else table.filter(current)
    contender, case = (_ranks(words(table, name))[codes(table, name)] for name in ("contender", "case"))
    order = np.lexsort((codes(table, "trial"), contender, case))
    return Cells(card, version, table.take(order).unify_dictionaries().combine_chunks())


def _place(words: Sequence[str], word: str) -> int:
    return words.index(word) if word in words else -1


def _ranks(words: Sequence[str]) -> NDArray[np.int64]:
    """The place of each word in alphabetical order."""
    ranks = np.empty(len(words), np.int64)
    ranks[sorted(range(len(words)), key=words.__getitem__)] = np.arange(len(words))
    return ranks


def load(
    pool: Pool,
    benchmark: str,
    metric: str = "",
    *,
    contenders: Sequence[str] | None = None,
    where: Where | None = None,
    version: str | None = None,
    cells: Cells | None = None,
) -> Scores:
    """The newest numbers of `metric` (default: the primary one).

    Of each contender only its newest code counts, and of a benchmark only one version: `version`, else the newest.
    cells: what `cells_of` read, where several metrics are wanted. Raises InputError when the pool holds nothing of it.
    """
    card = cells.card if cells else card_of(pool, benchmark)
    fact = metric_of(card, metric)
    cells = cells or cells_of(pool, card, version or newest_version(pool, benchmark))
    return scores_of(cells, fact, contenders=contenders, where=where)


def scores_of(
    cells: Cells, metric: Metric, *, contenders: Sequence[str] | None = None, where: Where | None = None
) -> Scores:
    """One metric of `cells` as an array; see `load`."""
    from steelyard.pool.columns import codes, words

    table = cells.table
    table = table.filter(codes(table, "metric") == _place(words(table, "metric"), metric.name))
    who, case, trial = (codes(table, name) for name in ("contender", "case", "trial"))
    known, cases = words(table, "contender"), words(table, "case")
    first = np.sort(np.unique(case, return_index=True)[1])  # rows are sorted by case
    attributes = _picked(table, "case_attributes", first)
    facts = [json.loads(text) for text in attributes]
    ids = [cases[c] for c in case[first]]
    groups = [group or name for group, name in zip(_picked(table, "case_group", first), ids, strict=True)]
    kept = [i for i, c in enumerate(ids) if where is None or where({"case": c, "id": c, **facts[i]})]
    names = list(contenders) if contenders is not None else sorted(known[w] for w in np.unique(who))
    row_of = np.full(len(known), -1)
    for place, name in enumerate(known):
        row_of[place] = names.index(name) if name in names else -1
    column_of = np.full(len(cases), -1)
    column_of[case[first[kept]]] = np.arange(len(kept))
    wanted = np.flatnonzero((row_of[who] >= 0) & (column_of[case] >= 0))
    if not wanted.size:
        raise InputError(
            f"the pool has no {metric.name} of {cells.card.name} for {', '.join(names) or 'anyone'}"
            + (" on the cases kept by --where." if where else "."),
            f"Measure it first:  steelyard run {cells.card.name}",
        )
    rounds, place = _rounds(table, wanted, cells.card.timing)
    values = np.full((len(names), len(kept), len(rounds)), np.nan)
    values[row_of[who[wanted]], column_of[case[wanted]], place] = codes(table, "value")[wanted]
    ok = codes(table, "status") == _place(words(table, "status"), "ok")
    lost = wanted[~ok[wanted]]
    failures = list(
        zip(
            (known[w] for w in who[lost]), (cases[c] for c in case[lost]), map(int, trial[lost]),
            _picked(table, "status", lost), _picked(table, "error", lost), strict=True,
        )
    )  # fmt: skip
    machines = sorted(set(_picked(table, "machine", wanted)))
    return Scores(
        cells.card, metric, cells.version, names, [ids[i] for i in kept], [groups[i] for i in kept],
        [facts[i] for i in kept], values, failures, machines, rounds,
    )  # fmt: skip


def _rounds(table: pa.Table, rows: NDArray[np.int64], timing: bool) -> tuple[list[tuple[str, int]], NDArray[np.int64]]:
    """The rounds of `Scores`, in order of time, and the place of each row among them."""
    from steelyard.pool.columns import codes, words

    trial = codes(table, "trial")[rows]
    if not timing:
        return [("", t) for t in range(1 + int(trial.max()))], trial
    run, started = codes(table, "run")[rows], np.asarray(codes(table, "started_at"), float)[rows]
    known, found = words(table, "run"), np.unique(run)
    began = {int(r): float(started[run == r].min()) for r in found}
    pairs, place = np.unique(np.stack([run, trial]), axis=1, return_inverse=True)
    order = sorted(range(pairs.shape[1]), key=lambda k: (began[int(pairs[0, k])], known[pairs[0, k]], pairs[1, k]))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return [(known[pairs[0, k]], int(pairs[1, k])) for k in order], rank[place.ravel()]


def _picked(table: pa.Table, name: str, rows: NDArray[np.int64]) -> list[str]:
    from steelyard.pool.columns import codes, words

    known = words(table, name)
    return [known[code] for code in codes(table, name)[rows]]


def newest_version(pool: Pool, benchmark: str) -> str:
    """The version of a benchmark measured last, one that was imported only where there is no other; InputError for none."""
    found = [(r["code_version"] != IMPORTED, r["last"], r["benchmark_version"]) for r in pool.counts(benchmark)]
    if not found:
        raise InputError(
            f"the pool has no measurements of {benchmark}.", f"Measure it first:  steelyard run {benchmark}"
        )
    return str(max(found)[2])
