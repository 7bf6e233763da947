"""What the pool has of one benchmark, gathered for a page: every metric, who was weighed, and which cases the gate refused."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from steelyard.core.card import Card
from steelyard.core.errors import InputError
from steelyard.core.words import GATES, Provenance
from steelyard.report.results import Cells, Scores, card_of, cells_of, metric_of, newest_version, scores_of

if TYPE_CHECKING:
    from steelyard.pool import Pool


@dataclass(frozen=True)
class Source:
    """One contender as it was weighed. provenance: metric -> where its numbers come from.

    config: the options it ran with (JSON). first, last: seconds since the epoch (UTC).
    """

    contender: str
    config: str
    code_version: str
    rows: int
    first: float
    last: float
    provenance: dict[str, list[Provenance]]


@dataclass(frozen=True)
class Section:
    """One benchmark. metrics: the primary one first, without gold and empty answers; none where nothing was measured.

    gate: how many cases were checked against their own reference. excluded: case -> why no contender is scored on it.
    notes: what a reader must know before trusting the section.
    """

    card: Card
    version: str = ""
    metrics: list[Scores] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    gate: int = 0
    excluded: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def machines(self) -> list[str]:
        """The fingerprints (JSON) behind the numbers."""
        return sorted({m for scores in self.metrics for m in scores.machines if m})

    @property
    def failures(self) -> list[tuple[str, str, int, str, str]]:
        """(contender, case, trial, status, error) of every failed cell, once, whichever metric recorded it."""
        cells = {f[:3]: f for scores in reversed(self.metrics) for f in scores.failures}
        return [cells[key] for key in sorted(cells)]

    def provenance(self, contender: str, metric: str) -> list[Provenance]:
        return next((s.provenance.get(metric, []) for s in self.sources if s.contender == contender), [])


def gather(pool: Pool, name: str) -> Section:
    """Read one benchmark's newest numbers. A benchmark without any gives a section without metrics.

    Raises InputError for a name that is no benchmark.
    """
    card = card_of(pool, name)
    try:
        version = newest_version(pool, name)
    except InputError:
        return Section(card)
    return section_of(cells_of(pool, card, version))


def section_of(cells: Cells) -> Section:
    """The section of the numbers read: the primary metric, then the card's order, then what answers cost."""
    from steelyard.weigh.run import COST

    card, version = cells.card, cells.version
    sources = _sources(cells)
    names = [s.contender for s in sources]
    found = {metric for s in sources for metric in s.provenance}
    known, unknown = [], []
    order = [*dict.fromkeys([card.primary.name, *card.metric, *COST])]
    for metric in sorted(found, key=lambda m: (order.index(m) if m in order else len(order), m)):
        try:
            known.append(metric_of(card, metric).name)
        except InputError:
            unknown.append(metric)
    metrics = [scores_of(cells, metric_of(card, m), contenders=names) for m in known] if names else []
    checked, excluded = _gate(cells)
    metrics = [_without_empty(scores, excluded) for scores in metrics]
    notes = [f"Recorded, but not described by the card, and so not shown: {', '.join(unknown)}."] if unknown else []
    section = Section(card, version, metrics, sources, checked, excluded, notes)
    if len(section.machines) > 1:
        notes.append(f"These numbers were taken on {len(section.machines)} machines and are shown together.")
    return section


def only(scores: Scores, cases: Sequence[int] | None = None, contenders: Sequence[str] | None = None) -> Scores:
    """The same metric on some of its cases (by position) or some of its contenders."""
    at = list(range(len(scores.cases))) if cases is None else list(cases)
    who = list(contenders if contenders is not None else scores.contenders)
    values = scores.values[[scores.contenders.index(w) for w in who]][:, at]
    kept = {scores.cases[i] for i in at}
    return dataclasses.replace(
        scores,
        contenders=who,
        cases=[scores.cases[i] for i in at],
        groups=[scores.groups[i] for i in at],
        attributes=[scores.attributes[i] for i in at],
        values=values,
        failures=[f for f in scores.failures if f[0] in who and f[1] in kept],
    )


def _without_empty(scores: Scores, excluded: Collection[str]) -> Scores:
    """Without excluded cases, and without cases and contenders that have neither a number nor a failure."""
    seen: NDArray[np.bool_] = np.logical_not(np.isnan(scores.values).all(axis=2))
    for who, case, *_ in scores.failures:
        seen[scores.contenders.index(who), scores.cases.index(case)] = True
    cases = [i for i, case in enumerate(scores.cases) if case not in excluded and seen[:, i].any()]
    return only(scores, cases, [c for c, row in zip(scores.contenders, seen, strict=True) if row.any()])


def _sources(cells: Cells) -> list[Source]:
    from steelyard.pool.columns import codes, joint, words

    table = cells.table
    names = ("contender", "code_version", "metric", "provenance")
    columns = [codes(table, name) for name in names]
    times = np.asarray(codes(table, "started_at"), float)
    order = np.argsort(joint(columns), kind="stable")
    key = joint(columns)[order]
    starts = np.flatnonzero(np.append(True, key[1:] != key[:-1])) if len(key) else order
    known = [words(table, name) for name in names]
    config, spelled = codes(table, "contender_config"), words(table, "contender_config")
    rows: dict[str, list[tuple[Any, ...]]] = {}
    for start, end in zip(starts, np.append(starts[1:], len(order)), strict=True):
        at = order[start:end]
        contender, code, metric, provenance = (k[c[at[0]]] for k, c in zip(known, columns, strict=True))
        if contender not in GATES:
            span = times[at]
            rows.setdefault(contender, []).append(
                (metric, provenance, code, spelled[config[at[0]]], len(at), float(span.min()), float(span.max()))
            )
    out = []
    for contender, own in sorted(rows.items()):
        provenances: dict[str, list[Provenance]] = {}
        for metric, provenance, *_ in sorted(own):
            provenances.setdefault(metric, []).append(Provenance(provenance))
        count, first, last = sum(r[4] for r in own), min(r[5] for r in own), max(r[6] for r in own)
        out.append(Source(contender, _options(own[0][3]), own[0][2], count, first, last, provenances))
    return out


def _options(config: str) -> str:
    try:
        options = json.loads(config)
    except ValueError:
        return config
    return ", ".join(f"{k}={v}" for k, v in options.items()) if isinstance(options, dict) else config


def _gate(cells: Cells) -> tuple[int, dict[str, str]]:
    """How many cases were checked, and those whose reference is not at the ceiling or whose empty answer is not at 0."""
    try:
        scores = scores_of(cells, cells.card.primary, contenders=GATES)
    except InputError:
        return 0, {}
    errors = {(who, case): error for who, case, _, _, error in scores.failures}
    ungated = {case for who, case, _, status, _ in scores.failures if who == "gold" and status == "unsupported"}
    excluded = {}
    gold, empty = (scores.of(who)[:, 0] for who in GATES)
    if np.isnan(gold).all() and not any(who == "gold" for who, _ in errors):
        return 0, {}  # nothing but empty answers was measured
    for i, case in enumerate(scores.cases):
        if case in ungated:
            continue
        if gold[i] != 1.0:
            why = errors.get(("gold", case)) or f"{scores.metric.name} is {gold[i]:g}"
            excluded[case] = f"its own reference does not pass: {why}"
        elif empty[i] > 0.0:
            excluded[case] = f"an empty answer scores {empty[i]:g}"
    return len(scores.cases) - len(ungated), excluded
