"""Win counts by SQL: the comparisons of a benchmark, counted where its measurements lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from steelyard.core.errors import InputError

if TYPE_CHECKING:
    from steelyard.pool import Pool


def count_wins(
    pool: Pool, benchmark: str, metric: str, version: str, lower_is_better: bool = False
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """(contenders, (M, M) wins without ties, (M, M) ties) over all cases of one version, trials averaged.

    The pairs of a case never leave DuckDB: memory grows with the square of the contenders, not with the comparisons.
    """
    table = pool.query(
        """
        WITH one AS (
            SELECT "case" AS k, contender AS who, avg(value) AS v FROM latest
            WHERE benchmark = $benchmark AND benchmark_version = $version AND metric = $metric AND NOT isnan(value)
            GROUP BY ALL),
        named AS (SELECT who, (row_number() OVER (ORDER BY who) - 1)::INTEGER AS i FROM (SELECT DISTINCT who FROM one)),
        cases AS (SELECT k, (row_number() OVER (ORDER BY k))::INTEGER AS n FROM (SELECT DISTINCT k FROM one)),
        slim AS MATERIALIZED (SELECT n, i, v FROM one JOIN named USING (who) JOIN cases USING (k))
        SELECT a.i AS i, b.i AS j, count(*) FILTER (a.v > b.v) AS above, count(*) FILTER (a.v < b.v) AS below,
               count(*) FILTER (a.v = b.v) AS level
        FROM slim a JOIN slim b ON a.n = b.n AND a.i < b.i GROUP BY ALL
        """,
        {"benchmark": benchmark, "version": version, "metric": metric},
    )
    names = pool.query(
        """SELECT DISTINCT contender FROM latest WHERE benchmark = $benchmark AND benchmark_version = $version
        AND metric = $metric AND NOT isnan(value) ORDER BY contender""",
        {"benchmark": benchmark, "version": version, "metric": metric},
    )[0].to_pylist()
    if not names:
        raise InputError(f"the pool has no {metric} of {benchmark} in version {version}.")
    i, j, above, below, level = (table[c].to_numpy() for c in table.column_names)
    wins, ties = np.zeros((len(names), len(names))), np.zeros((len(names), len(names)))
    first, second = (below, above) if lower_is_better else (above, below)
    wins[i, j], wins[j, i] = first, second
    ties[i, j] = ties[j, i] = level
    return names, wins, ties
