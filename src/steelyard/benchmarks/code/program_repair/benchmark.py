"""Program repair: seed programs of published models, visible tests to debug with, hidden tests that decide."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from steelyard.benchmarks.code import extract, programs, verdicts
from steelyard.benchmarks.code.options import check_options
from steelyard.benchmarks.code.program_repair.prepare import HEADER, prepared, whole
from steelyard.benchmarks.code.program_repair.seeds import Repair, read_cases
from steelyard.core.interfaces import Message, Outcome
from steelyard.core.words import Case, Status
from steelyard.sandbox import Outcome as Ran

Trail = Mapping[str, Any]


@dataclass(frozen=True)
class ProgramRepair:
    """timeout: seconds for a program with its hidden tests."""

    timeout: float = 10.0

    own: ClassVar[Path] = Path(__file__).parent / "data"
    reads_trail: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_options(timeout=self.timeout)

    def cases(self, data: str | None = None) -> Iterable[Case]:
        """(data set, model, problem): the seed programs of a folder. InputError names line and field."""
        return read_cases(Path(data) if data is not None else self.own)

    def prompt(self, case: Case, **_: object) -> list[Message]:
        """The task and its first visible test; the seed is not in it (a solver puts it in the model's mouth)."""
        problem: Repair = case.payload
        if problem.source:
            task = (
                f"Translate this C++ function to Python. Keep its name, {problem.entry_point}.\n"
                f"```cpp\n{problem.source}\n```"
            )
        else:
            task = f"Complete this Python function.\n```python\n{problem.prompt.rstrip()}\n```"
        test = f"\nIt must pass this test:\n```python\n{problem.visible[0]}\n```" if problem.visible else ""
        return [Message("user", f"{task}{test}\nGive the whole function in one fenced block.")]

    def generation(self, **_: object) -> dict[str, object]:
        return {"temperature": 0.0, "top_p": 1.0, "max_tokens": 512}

    def visible_tests(self, case: Case, **_: object) -> list[str]:
        return list(case.payload.visible)

    def seed(self, case: Case, **_: object) -> str:
        """What a repair starts from: the prepared seed."""
        return prepared(case.payload, case.payload.seed)

    def program(self, case: Case, output: str, **_: object) -> str:
        """The program in an answer, prepared, under the import header; "" where the answer has no fenced block."""
        code = prepared(case.payload, extract.first_fence(output)) if "```" in output else ""
        return f"{HEADER}{code}" if code.strip() else ""

    def reference(self, case: Case, **_: object) -> str:
        """An output that must score 1."""
        return f"```python\n{whole(case.payload, case.payload.reference)}\n```"

    def score(self, case: Case, output: str, prepare: bool = True, trail: Trail | None = None, **_: object) -> Outcome:
        """The hidden tests on the last program, and what the repair did to the seed.

        prepare: off for a seed as it was published. trail: what a solver tried; without it only the first metrics exist.
        """
        problem: Repair = case.payload
        program = self.program(case, output) if prepare else whole(problem, extract.first_fence(output))
        tried = [str(p) for p in trail["programs"]] if trail else []
        runs = [self._hidden(problem, p) for p in (program, whole(problem, problem.seed), *tried)]
        if any(map(programs.is_broken, runs)):
            return programs.broken(next(r for r in runs if programs.is_broken(r)), program)
        final, seed, *steps = (ran.passed for ran in runs)
        metrics = {
            "pass_at_1": float(final), "seed_pass_at_1": float(seed), "fixed": float(final and not seed),
            "broken": float(seed and not final), "fixed_minus_broken": float(final) - float(seed),
            "visible_only": float(not final and self._visible(problem, program)),
        }  # fmt: skip
        if trail:
            metrics |= of_trail(trail, steps, metrics["fixed_minus_broken"])
        artifacts = {"program": program, "log": programs.log_of(runs[0])}
        return Outcome(metrics, Status.OK, verdicts.error_of(runs[0]), artifacts)

    def _hidden(self, problem: Repair, program: str) -> Ran:
        return programs.check(program, f"{problem.test}\ncheck({problem.entry_point})", self.timeout)

    def _visible(self, problem: Repair, program: str) -> bool:
        return bool(problem.visible) and programs.check(program, "\n".join(problem.visible), self.timeout).passed


def of_trail(trail: Trail, passed: Sequence[bool], gain: float) -> dict[str, float]:
    """What the loop cost and did, rewrite by rewrite. passed: the hidden verdict on each program tried, the seed first."""
    tokens = float(trail["tokens"])
    out = {"tokens": tokens, "turns": float(trail["turns"])}
    if tokens:
        out["fixed_minus_broken_per_1000_tokens"] = 1000.0 * gain / tokens
    if trail["stopped"] == "judged right":
        out["false_correct_stop"] = float(not passed[-1])
    if trail["by"] == "model" and trail["judged"]:
        out["first_verdict_right"] = float(trail["judged"][0] == passed[0])
    if "samples" in trail:
        return out | {"samples": float(trail["samples"])}
    steps = list(itertools.pairwise(passed))
    for at, name in ((slice(0, 1), "1"), (slice(1, 2), "2"), (slice(2, 3), "3"), (slice(3, None), "later")):
        out[f"newly_fixed_{name}"] = float(sum(after and not before for before, after in steps[at]))
        out[f"newly_broken_{name}"] = float(sum(before and not after for before, after in steps[at]))
    return out
