"""BigCodeBench-Lite Pro: 57 problems that use libraries, run by the released scripts as plain files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from steelyard.benchmarks.code import programs
from steelyard.benchmarks.code.options import Route
from steelyard.benchmarks.code.selfinvoking import Pair, SelfInvoking
from steelyard.core.interfaces import Outcome
from steelyard.core.words import Case, Status
from steelyard.sandbox import Outcome as Ran


@dataclass(frozen=True)
class BigCodeBenchLitePro(SelfInvoking):
    """See selfinvoking.SelfInvoking. Here profile=published takes exit code 0 for a pass, asserts reached or not."""

    timeout: float = 30.0

    own: ClassVar[Path] = Path(__file__).parent / "data" / "bigcodebench_lite_pro.json"
    variants: ClassVar[tuple[str, ...]] = ("0shot",)
    after: ClassVar[str] = "\n"  # the released prompt leaves a line empty before the closing fence

    def score(self, case: Case, output: str, route: Route = "chat", **options: object) -> Outcome:
        """As SelfInvoking.score; a case whose libraries programs cannot import here is unsupported, never a failure."""
        if missing := programs.missing_modules((case.payload.reference, case.payload.test_code)):
            return Outcome({}, Status.UNSUPPORTED, f"not runnable here: needs {', '.join(missing)}")
        return super().score(case, output, route, **options)

    def published(self, program: str, pair: Pair) -> Ran:
        """The exit-code runner decides the score too."""
        return self.as_file(program, pair)

    def beside(self, program: str, pair: Pair, ran: Ran) -> dict[str, float]:
        """false_passes: 1 where a program counts as passed although it never got through its asserts."""
        return {"false_passes": float(ran.passed and not self.sound(program, pair).passed)}
