"""HumanEval Pro: 164 problems that build on the 164 of HumanEval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from steelyard.benchmarks.code import join
from steelyard.benchmarks.code.records import Record
from steelyard.benchmarks.code.selfinvoking import SelfInvoking


@dataclass(frozen=True)
class HumanEvalPro(SelfInvoking):
    """See selfinvoking.SelfInvoking. Case i is built on HumanEval/i."""

    own: ClassVar[Path] = Path(__file__).parent / "data" / "humaneval_pro.json"
    base: ClassVar[str] = "humaneval"
    visible_line: ClassVar[int] = 1  # the official test_code begins with an empty line

    def joins(self, records: Sequence[Record]) -> list[str]:
        return [join.humaneval_pair(record.fields["id"]) for record in records]
