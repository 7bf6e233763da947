"""The same as the commands, for Python: run, compare, rank, judge. Results are plain rows (dicts)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from steelyard.core.spec import parse_spec

if TYPE_CHECKING:
    from steelyard.pool import Pool
    from steelyard.weigh import Weighing


def run(
    benchmark: str, contenders: Sequence[str] | Mapping[str, Any] = (), *, pool: Pool | None = None, where: str = "",
    **options: Any,
) -> Weighing:  # fmt: skip
    """Measure contenders on a benchmark; what the pool has is not measured again.

    contenders: specs, or a mapping from a name of your choice to an object that offers the benchmark's interface (a
    function, for kernels), which is run in this process. where: a filter over case attributes. options: data, limit,
    trials, seed, budget, on, progress, as of `steelyard.weigh.weigh`. Raises InputError and MissingError.
    """
    from steelyard.pool import Pool as Store
    from steelyard.stats.claims import compile_where
    from steelyard.weigh import weigh

    keep = compile_where(where) if where else None
    if pool is not None:
        return weigh(benchmark, contenders, pool=pool, where=keep, **options)
    with Store() as store:
        return weigh(benchmark, contenders, pool=store, where=keep, **options)


def compare(
    benchmark: str, contenders: Sequence[str], *, metric: str = "", where: str = "", margin: float | None = None,
    pool: Pool | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Rows as `steelyard compare --json` gives them; the first contender is the one compared with."""
    from steelyard.pool import Pool as Store
    from steelyard.report.comparing import table
    from steelyard.report.results import load
    from steelyard.stats.claims import compile_where

    names = [str(parse_spec(c)) for c in contenders]
    keep = compile_where(where) if where else None
    store = pool or Store(readonly=True)
    return table(load(store, parse_spec(benchmark).name, metric, contenders=names, where=keep), names[0], margin)


def rank(
    benchmarks: Sequence[str] = (),
    *,
    metric: str = "",
    where: str = "",
    method: str = "bradley-terry",
    pool: Pool | None = None,
) -> list[dict[str, Any]]:
    """Rows as `steelyard rank --json` gives them; all benchmarks in the pool when none is named."""
    from steelyard.pool import Pool as Store
    from steelyard.report.ranking import field_of, load_all, measured, ranking_of, rows_of
    from steelyard.stats.claims import compile_where

    store = pool or Store(readonly=True)
    sets = load_all(store, benchmarks or measured(store), metric, compile_where(where) if where else None)
    field = field_of(sets)
    return rows_of(ranking_of(field, method), field.odd)


def judge(names: Sequence[str] = (), *, measure: bool = False, pool: Pool | None = None) -> list[dict[str, Any]]:
    """Rows as `steelyard claims --json` gives them."""
    from steelyard.pool import Pool as Store
    from steelyard.report.ledger import judgements

    return judgements(pool or Store(), names, measure=measure)
