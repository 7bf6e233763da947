"""What became of a program that was compiled and tested, whatever its language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..outcome import Verdict


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One remark of a compiler. line and column count from 1, 0: unknown; kind: ERROR, WARNING, ...; code: the compiler's key."""

    path: str
    line: int
    column: int
    kind: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class TestResult:
    """One test. message: what was thrown or printed when it did not pass. seconds: wall time."""

    __test__ = False  # for pytest, which takes it for tests

    name: str
    verdict: Verdict
    message: str = ""
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return self.verdict is Verdict.PASSED


@dataclass(frozen=True, slots=True)
class TestRun:
    """All tests of a program.

    verdict: PASSED where at least one test ran and all that ran passed; SYNTAX where it does not compile; NO_TESTS; else
    that of the first test that did not pass, or how the program ended in their midst. message: about the run itself.
    lines: class (or file) -> line -> how often it was entered, where this was asked for.
    """

    __test__ = False

    verdict: Verdict
    tests: tuple[TestResult, ...] = ()
    lines: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    stdout: str = ""
    stderr: str = ""
    message: str = ""

    @property
    def passed(self) -> bool:
        return self.verdict is Verdict.PASSED

    @property
    def pass_rate(self) -> float:
        """Tests that passed among those that ran; 0 where none ran."""
        ran = [test for test in self.tests if test.verdict is not Verdict.SKIPPED]
        return sum(test.passed for test in ran) / len(ran) if ran else 0.0


def verdict_of(tests: Sequence[TestResult]) -> Verdict:
    """The verdict of a run that came to its regular end."""
    ran = [test.verdict for test in tests if test.verdict is not Verdict.SKIPPED]
    return next((verdict for verdict in ran if verdict is not Verdict.PASSED), Verdict.PASSED if ran else Verdict.NO_TESTS)
