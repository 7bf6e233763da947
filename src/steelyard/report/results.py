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


def load(
    pool: Pool,
    benchmark: str,
    metric: str = "",
    *,
    contenders: Sequence[str] | None = None,
    where: Where | None = None,
    version: str | None = None,
) -> Scores:
    """The newest numbers of `metric` (default: the primary one).

    Of each contender only its newest code counts, and of a benchmark only one version: `version`, else the newest.
    Raises InputError when the pool holds nothing of it.
    """
    card = card_of(pool, benchmark)
    fact = metric_of(card, metric)
    version = version or newest_version(pool, benchmark)
    # timings are paired within a run, so those of earlier runs count too
    every = "(SELECT * FROM latest UNION SELECT * FROM measurements WHERE status = 'ok')"
    chosen = every if card.timing else "latest"
    table = pool.query(
        f"""
        WITH current AS (
            SELECT contender, arg_max(code_version, started_at) AS code_version,
                   arg_max(machine, started_at) AS here
            FROM latest WHERE benchmark = $benchmark AND benchmark_version = $version GROUP BY contender
        )
        SELECT contender, "case" AS case_id, trial, value, status, error, case_attributes, case_group, machine,
               run, started_at
        FROM {chosen} JOIN current USING (contender, code_version)
        WHERE benchmark = $benchmark AND benchmark_version = $version AND metric = $metric
          AND (machine = here OR NOT $timing)
        ORDER BY case_id, contender, trial  -- resampling draws by position: the same pool must give the same digits
        """,
        {"benchmark": benchmark, "version": version, "metric": fact.name, "timing": card.timing},
    )
    rows = list(zip(*(table.column(i).to_pylist() for i in range(table.num_columns)), strict=True))
    attributes: dict[str, dict[str, Any]] = {}
    groups: dict[str, str] = {}
    for row in rows:
        if row[1] not in attributes:
            attributes[row[1]] = json.loads(row[6])
            groups[row[1]] = row[7] or row[1]
    kept = [c for c in attributes if where is None or where({"case": c, "id": c, **attributes[c]})]
    names = list(contenders) if contenders is not None else sorted({row[0] for row in rows})
    case_at = {case: i for i, case in enumerate(kept)}
    name_at = {name: i for i, name in enumerate(names)}
    rows = [row for row in rows if row[0] in name_at and row[1] in case_at]
    if not rows:
        raise InputError(
            f"the pool has no {fact.name} of {benchmark} for {', '.join(names) or 'anyone'}"
            + (" on the cases kept by --where." if where else "."),
            f"Measure it first:  steelyard run {benchmark}",
        )
    rounds = [("", trial) for trial in range(1 + max(row[2] for row in rows))]
    if card.timing:
        began = {row[9]: row[10] for row in sorted(rows, key=lambda row: -row[10])}
        rounds = sorted({(row[9], row[2]) for row in rows}, key=lambda r: (began[r[0]], r))
    round_at = {r: i for i, r in enumerate(rounds)}
    values = np.full((len(names), len(kept), len(rounds)), np.nan)
    failures = []
    for name, case, trial, value, status, error, _, _, _, run, _ in rows:
        at = round_at[run if card.timing else "", trial]
        values[name_at[name], case_at[case], at] = value if value is not None else np.nan
        if status != "ok":
            failures.append((name, case, trial, status, error))
    return Scores(
        card, fact, version, names, kept, [groups[c] for c in kept], [attributes[c] for c in kept], values, failures,
        sorted({row[8] for row in rows}), rounds,
    )  # fmt: skip


def newest_version(pool: Pool, benchmark: str) -> str:
    """The version of a benchmark measured last, one that was imported only where there is no other; InputError for none."""
    table = pool.query(
        """SELECT arg_max(benchmark_version, (code_version <> $imported, started_at)) AS v
        FROM measurements WHERE benchmark = $benchmark""",
        {"benchmark": benchmark, "imported": IMPORTED},
    )
    version = table.column(0)[0].as_py()
    if version is None:
        raise InputError(
            f"the pool has no measurements of {benchmark}.", f"Measure it first:  steelyard run {benchmark}"
        )
    return str(version)
