"""MBPP Pro: 378 problems that build on those of MBPP+ v0.2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from steelyard.benchmarks.code import join, selfinvoke
from steelyard.benchmarks.code.records import Record
from steelyard.benchmarks.code.selfinvoking import SelfInvoking


@dataclass(frozen=True)
class MbppPro(SelfInvoking):
    """See selfinvoking.SelfInvoking. A case is built on the MBPP problem with the same function name."""

    own: ClassVar[Path] = Path(__file__).parent / "data" / "mbpp_pro.json"
    base: ClassVar[str] = "mbpp"

    def joins(self, records: Sequence[Record]) -> list[str]:
        raw = [record.text("raw_problem") for record in records]
        return join.by_entry_point(
            [((selfinvoke.defined(text) or [""])[-1], join.sentence_of_comment(text)) for text in raw]
        )
