"""Results of EvalPlus (`*_eval_results.json`): for each task its samples, with the verdicts on base and plus inputs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from steelyard.core.words import Direction
from steelyard.pool.importers.asked import Asked, Row, Source
from steelyard.pool.importers.jsonlines import pairs
from steelyard.pool.importers.metrics import HIGHER
from steelyard.pool.importers.staging import Staging, stamp


class EvalPlus:
    NAME = "evalplus"
    SAYS = "EvalPlus results"
    METRICS: Mapping[str, tuple[Direction, str]] = {"pass_base": (HIGHER, "1"), "pass_plus": (HIGHER, "1")}

    def together(self, root: Path, files: Sequence[Path]) -> Iterator[Source]:
        return iter(())

    def recognises(self, path: Path, head: str) -> bool:
        named = path.name.endswith("eval_results.json") and '"eval"' in head and '"hash"' in head
        return ".json" in path.name and (named or ('"base_status"' in head and '"eval"' in head))

    def read(self, source: Source, asked: Asked, into: Staging) -> None:
        [path] = source.files
        contender = asked.contender or re.sub(r"[._-]?eval_results\.json$", "", path.name) or path.parent.name
        into.told.mapped = {
            "case": "task_id", "contender": repr(contender), "trial": "place among the samples of a task",
            "pass_base": "base_status", "pass_plus": "base_status and plus_status",
        }  # fmt: skip
        into.add(self._rows(path, asked.benchmark, contender, into))

    def _rows(self, path: Path, benchmark: str, contender: str, into: Staging) -> Iterator[Row]:
        when = stamp(path)
        for case, samples in pairs(path, "eval"):
            shared: dict[str, Any] = {
                "benchmark": benchmark or f"{case.split('/')[0]}-plus", "case": case, "contender": contender,
                "started_at": when,
            }  # fmt: skip
            for trial, (base, plus, solution) in enumerate(_samples(samples)):
                kept = into.keep(program=solution)
                yield Row(**shared, trial=trial, metric="pass_base", value=_passed(base), artifacts=kept)
                if plus is not None:
                    # As EvalPlus counts it: a program passes plus only if it passes base too.
                    both = None if _passed(base) is None or _passed(plus) is None else _passed(base) and _passed(plus)
                    yield Row(**shared, trial=trial, metric="pass_plus", value=both, artifacts=kept)


def _samples(found: Any) -> Iterator[tuple[Any, Any, str]]:
    """(base status, plus status or None, program) of each sample; before 0.2 the statuses stood in two lists."""
    if isinstance(found, Mapping):
        base, plus = found.get("base") or [], found.get("plus") or []
        for at, one in enumerate(base):
            yield one[0], plus[at][0] if at < len(plus) and plus[at] else None, ""
        return
    for sample in found or ():
        yield sample.get("base_status"), sample.get("plus_status"), str(sample.get("solution") or "")


def _passed(status: Any) -> bool | None:
    """pass or success, fail, timeout; anything else is no verdict."""
    return {"pass": True, "success": True, "fail": False, "failed": False, "timeout": False, "timed out": False}.get(
        str(status).lower()
    )
