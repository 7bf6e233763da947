"""What the pages ask of a pool: who was measured, sections, single cases, claims; all of it read only."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steelyard import catalog
from steelyard.core.card import Card, MetricFacts
from steelyard.core.errors import InputError
from steelyard.core.words import GATES, Direction
from steelyard.pool import Pool
from steelyard.report.results import card_of, cells_of
from steelyard.report.sections import Section, section_of

LOOK_S = 0.5  # a pool is looked at for changes at most so often


@dataclass
class Group:
    """Counts of one benchmark, run, or contender. first, last: seconds since the epoch."""

    name: str
    rows: int = 0
    failed: int = 0
    first: float = float("inf")
    last: float = 0.0
    benchmarks: set[str] = field(default_factory=set)
    contenders: set[str] = field(default_factory=set)
    metrics: set[str] = field(default_factory=set)
    runs: set[str] = field(default_factory=set)
    machines: set[str] = field(default_factory=set)
    statuses: dict[str, int] = field(default_factory=dict)

    def add(self, c: dict[str, Any]) -> None:
        self.rows += c["rows"]
        self.failed += c["rows"] if c["status"] != "ok" else 0
        self.first, self.last = min(self.first, c["first"]), max(self.last, c["last"])
        self.benchmarks.add(c["benchmark"])
        if c["contender"] not in GATES:
            self.contenders.add(c["contender"])
        self.metrics.add(c["metric"])
        self.runs.add(c["run"])
        self.machines.add(c["machine"])
        self.statuses[c["status"]] = self.statuses.get(c["status"], 0) + c["rows"]


class Store:
    """A pool that is only read. Safe to use from several threads."""

    def __init__(self, path: str | None) -> None:
        self.pool = Pool(path, readonly=True)
        self._lock, self._counting = threading.RLock(), threading.Lock()
        self._stamp: tuple[float, str] = (0.0, "")
        self._stamps: dict[str, tuple[Any, str]] = {}
        self._counts: tuple[str, list[dict[str, Any]]] = ("", [])
        self._groups: dict[tuple[str, ...], tuple[Any, list[Group]]] = {}

    def stamp(self) -> str:
        """Changes when the pool does."""
        with self._lock:
            if time.monotonic() - self._stamp[0] > LOOK_S:
                self._stamp = (time.monotonic(), self.pool.stamp())
            return self._stamp[1]

    def stamp_of(self, *benchmarks: str) -> str:
        """Changes when what the pool has of `benchmarks` does."""
        self.stamp()
        with self._lock:
            at = self._stamp
            for name in benchmarks:
                if self._stamps.get(name, ((), ""))[0] != at:
                    self._stamps[name] = (at, self.pool.stamp(name))
            return " ".join(self._stamps[name][1] for name in benchmarks)

    def counts(self) -> list[dict[str, Any]]:
        """`Pool.counts` of the pool as it is now."""
        stamp = self.stamp()
        with self._counting:
            if self._counts[0] != stamp:
                self._counts = (stamp, self.pool.counts())
            return self._counts[1]

    def rows(self) -> int:
        """How many numbers the pool held when it was last counted."""
        return sum(c["rows"] for c in self._counts[1])

    def groups(self, *names: str) -> list[Group]:
        """Counts by the columns `names`, measured last first."""
        counts = self.counts()
        known = self._groups.get(names)
        if known is None or known[0] is not counts:
            found: dict[tuple[str, ...], Group] = {}
            for c in counts:
                key = tuple(c[n] for n in names)
                found.setdefault(key, Group(key[0])).add(c)
            known = self._groups[names] = (counts, sorted(found.values(), key=lambda g: (-g.last, g.name)))
        return list(known[1])

    def benchmarks(self) -> dict[str, Group]:
        """What was measured, by benchmark."""
        return {g.name: g for g in self.groups("benchmark")}

    def card(self, name: str) -> Card:
        """The card of a benchmark; where there is none, one made from what was recorded, with no better or worse.

        Raises InputError for a benchmark that has neither a card nor measurements.
        """
        try:
            return card_of(self.pool, name)
        except InputError:
            own = [c for c in self.counts() if c["benchmark"] == name]
            if not own:
                raise
        units = {c["metric"]: c["unit"] for c in own}
        metrics = [MetricFacts.model_construct(name=m, unit=u, direction=Direction.NONE) for m, u in units.items()]
        return Card.model_construct(
            name=name, kind="benchmark", title=name, summary="No card describes this benchmark.", track="",
            interface="imported", metrics=metrics,
        )  # fmt: skip

    def section(self, name: str) -> Section:
        """Everything measured on one benchmark, of its newest version."""
        card = self.card(name)
        own = [(c["last"], c["benchmark_version"]) for c in self.counts() if c["benchmark"] == name]
        return section_of(cells_of(self.pool, card, max(own)[1])) if own else Section(card)

    def case(self, section: Section, case: str) -> list[dict[str, Any]]:
        """The rows of one case: of each contender, metric and trial the newest one of its newest code."""
        if "\0" in case:
            return []
        quoted = case.replace("'", "''")
        table = self.pool.frame(section.card.name, where=f"\"case\" = '{quoted}'", latest=False)
        codes = {s.contender: s.code_version for s in section.sources}
        rows = [
            r
            for r in table.to_pylist()
            if r["benchmark_version"] == section.version
            and codes.get(r["contender"], r["code_version"]) == r["code_version"]
        ]
        rows.sort(key=lambda r: (r["started_at"], r["status"] == "ok"))
        newest = {(r["contender"], r["metric"], r["trial"]): r for r in rows}
        last_run = {(r["contender"], r["trial"]): r["run"] for r in rows}
        return [
            r for r in newest.values() if r["status"] == "ok" or r["run"] == last_run[r["contender"], r["trial"]]
        ]  # a failure gives way to a later run of its cell

    def artifact(self, key: str) -> bytes:
        return self.pool.get_blob(key)


def reads(card: Card) -> list[str]:
    """The benchmarks whose measurements the claims of a card are judged on."""
    texts = [t for c in card.claims for t in (c.benchmark, c.contender, c.baseline)]
    named = [m for t in texts for m in re.findall(r"benchmark=\"?([a-z0-9._-]+)", t)]
    return sorted({card.name, *named, *(c.benchmark.partition("[")[0] for c in card.claims if c.benchmark)})


def claimants() -> dict[str, Card]:
    """Every card that makes claims, read once for each version of its file."""
    out = {}
    for name, entry in sorted(catalog.entries().items()):
        card = _full(entry.path, entry.path.stat().st_mtime_ns)
        if card.claims:
            out[name] = card
    return out


_CARDS: dict[Path, tuple[int, Card]] = {}


def _full(path: Path, changed: int) -> Card:
    from steelyard.core.card import read_card

    if _CARDS.get(path, (0,))[0] != changed:
        _CARDS[path] = (changed, read_card(path))
    return _CARDS[path][1]


def agreement(boards: Sequence[dict[str, float]]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Kendall's tau-b between boards (contender -> how good) over the contenders they share, and how many those are.

    NaN for fewer than three, or where one board ties them all.
    """
    from scipy.stats import kendalltau

    size = len(boards)
    tau, n = np.full((size, size), np.nan), np.zeros((size, size), np.int64)
    for i in range(size):
        for j in range(i, size):
            both = sorted(boards[i].keys() & boards[j].keys())
            n[i, j] = n[j, i] = len(both)
            if len(both) >= 3:
                pairs = [[board[name] for name in both] for board in (boards[i], boards[j])]
                tau[i, j] = tau[j, i] = kendalltau(*pairs, variant="b").statistic
    return tau, n


def options(text: str) -> dict[str, Any]:
    """A JSON object, or nothing where the text is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
