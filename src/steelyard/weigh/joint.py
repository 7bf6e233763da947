"""What the pool has of the parts of a case: the outputs that are scored together."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from steelyard.weigh.plan import Cell, Plan

if TYPE_CHECKING:
    from steelyard.pool import Pool


def outputs(pool: Pool, plan: Plan, cell: Cell) -> dict[str, str]:
    """Case id -> output of each part of the cell's case that was scored, of the same contender, code and trial."""
    who = plan.contenders[cell.contender]
    sql = """
        SELECT "case", artifacts FROM latest WHERE benchmark = $benchmark AND benchmark_version = $version
        AND contender = $who AND contender_config = $config AND code_version = $code AND trial = $trial
        AND list_contains($parts, "case") AND metric = $metric AND status = 'ok'
    """
    wanted = {
        "benchmark": plan.card.name, "version": plan.version, "who": who.name, "config": who.config,
        "code": plan.code_version(who), "trial": cell.trial, "parts": [part.id for part in cell.case.parts],
        "metric": plan.card.primary.name,
    }  # fmt: skip
    keys = {r["case"]: json.loads(r["artifacts"]).get("output") for r in pool.query(sql, wanted).to_pylist()}
    return {case: pool.get_blob(key).decode("utf-8", "replace") for case, key in keys.items() if key}
