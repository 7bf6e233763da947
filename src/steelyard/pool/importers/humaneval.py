"""Result files of human-eval (`*_results.jsonl`): one line a sample, with its completion and whether it passed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from steelyard.core.words import Direction
from steelyard.pool.importers.asked import Asked, Row, Source
from steelyard.pool.importers.jsonlines import lines
from steelyard.pool.importers.metrics import HIGHER
from steelyard.pool.importers.staging import Staging, stamp


class HumanEval:
    NAME = "human-eval"
    SAYS = "human-eval results"
    METRICS: Mapping[str, tuple[Direction, str]] = {"pass@1": (HIGHER, "1")}

    def together(self, root: Path, files: Sequence[Path]) -> Iterator[Source]:
        return iter(())

    def recognises(self, path: Path, head: str) -> bool:
        first = head.partition("\n")[0]
        return ".jsonl" in path.name and all(f'"{key}"' in head for key in ("task_id", "passed")) and first[:1] == "{"

    def read(self, source: Source, asked: Asked, into: Staging) -> None:
        [path] = source.files
        contender = asked.contender or re.sub(r"(\.jsonl)?(_results)?\.jsonl(\.gz)?$", "", path.name)
        into.told.mapped = {
            "case": "task_id", "contender": repr(contender), "value": "passed", "trial": "the n-th line of a task",
        }  # fmt: skip
        into.add(self._rows(path, asked.benchmark, contender, into))

    def _rows(self, path: Path, benchmark: str, contender: str, into: Staging) -> Iterator[Row]:
        seen: Counter[str] = Counter()
        when = stamp(path)
        for record in lines(path, into.told):
            case = str(record.get("task_id") or "")
            result = str(record.get("result", ""))
            yield Row(
                benchmark=benchmark or re.split(r"[/_]", case)[0] or path.stem,
                case=case,
                contender=contender,
                metric="pass@1",
                value=record.get("passed"),
                trial=seen[case],
                started_at=when,
                artifacts=into.keep(
                    output=str(record.get("completion", "")), log="" if result in ("", "passed") else result
                ),
            )
            seen[case] += 1
