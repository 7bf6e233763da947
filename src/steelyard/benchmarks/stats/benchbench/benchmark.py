"""Agreement testing as a benchmark: what a procedure says of each benchmark, and how steadily it says it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from steelyard.benchmarks.stats.benchbench.catalogue import Reading, read_catalogue
from steelyard.core.errors import InputError
from steelyard.core.interfaces import Outcome
from steelyard.core.words import Case, Status
from steelyard.stats.agreement import LEAST
from steelyard.stats.boards import Question, reference_scores

OWN = Path(__file__).parent / "data"
SUBSETS = 200  # seeded subsets of the granularity cases
REPETITIONS = 100  # seeded repetitions of the stability cases


class BenchBench:
    """profile: names, directions and ties as released (published) or as they should be (sound).

    granularity: the benchmark whose subsets are drawn; where the catalogue has it not, the one that shares most models
    with the reference.
    """

    def __init__(self, profile: str = "sound", granularity: str = "LMSys Arena") -> None:
        if profile not in ("sound", "published"):
            raise InputError(f"benchbench: profile is {profile!r}.", "It may be 'sound' or 'published'.")
        self.profile, self.granularity = profile, granularity
        self._answers: dict[Any, dict[str, dict[str, float]]] = {}

    def cases(self, data: str | None) -> Iterator[Case]:
        """One case a benchmark, one each for how steady its verdict is, subsets of one, the reference names, the whole."""
        folder = OWN if data is None else Path(data)
        self.reading = read_catalogue(folder, profile=self.profile)  # type: ignore[arg-type]
        self._answers.clear()
        board = self.reading.board
        reference = reference_scores(board, "half")
        known = ~np.isnan(board.scores)
        shared = (known & ~np.isnan(reference)[:, None]).sum(axis=0)
        for kind in ("benchmark", "stability"):
            for j, (name, source) in enumerate(zip(board.scenarios, board.sources, strict=True)):
                facts = {"kind": kind, "name": name, "source": source, "models": int(known[:, j].sum()),
                         "common_models": int(shared[j]), "in_reference": name in board.resolved}  # fmt: skip
                label = name if kind == "benchmark" else f"{name} again"
                yield Case(label, name, facts, source)
        most = board.scenarios[int(shared.argmax())]
        name = self.granularity if self.granularity in board.scenarios else most
        for k in range(SUBSETS):
            yield Case(f"subset-{k:03}", (name, k), {"kind": "subset", "name": name})
        for name in board.reference:
            yield Case(f"reference {name}", name, {"kind": "reference", "name": name})
        yield Case("catalogue", None, {"kind": "catalogue"})

    def measure(self, contender: Any, case: Case, trial: int) -> Outcome:
        """The metrics of one case. The contender is called with a stats.boards.Question; see the card for its answer."""
        kind, board = case.attributes["kind"], self.reading.board
        if kind == "catalogue":
            return Outcome(counts(self.reading))
        if kind == "reference":
            return Outcome({"resolved": float(case.payload in board.scenarios)})
        if not callable(contender):
            return Outcome({}, Status.UNSUPPORTED, "no procedure: only the catalogue and its references are told of")
        if kind == "subset":
            return self._subset(contender, *case.payload)
        if kind == "stability":
            return self._stability(contender, case.payload)
        facts = self._ask(contender, trial)[case.payload]
        if "agreement" not in facts:
            n = int(facts.get("common_models", 0))
            why = f"not enough overlap: n={n} (need {max(getattr(contender, 'n', 0), LEAST)})"
            if "references" in facts:
                why = f"{int(facts['references'])} references share enough models (need 2)"
            return Outcome({k: v for k, v in facts.items() if k in ALWAYS}, Status.OK, why)
        return Outcome(facts)

    def _ask(self, contender: Any, seed: int, intervals: bool = True) -> dict[str, dict[str, float]]:
        """The procedure's answer on the whole board, asked once."""
        key = (contender, seed, intervals)
        if key not in self._answers:
            board = self.reading.board
            self._answers[key] = contender(Question(board, board.scenarios, seed, intervals))
        return self._answers[key]

    def _subset(self, contender: Any, name: str, seed: int) -> Outcome:
        """Agreement on one drawn subset, and its squared distance from the agreement on all models."""
        board = self.reading.board
        key = ("whole", contender.reference, contender.aggregate, contender.correlation, name)
        if key not in self._answers:
            full = type(contender)(
                reference=contender.reference, aggregate=contender.aggregate, correlation=contender.correlation
            )
            self._answers[key] = full(Question(board, [name], 0, intervals=False))
        facts = contender(Question(board, [name], seed, intervals=False))[name]
        if "agreement" not in facts:
            return Outcome({}, Status.UNSUPPORTED, f"not enough overlap: n={int(facts['common_models'])}")
        whole = self._answers[key][name]["agreement"]
        return Outcome({"subset_agreement": facts["agreement"], "squared_error": (facts["agreement"] - whole) ** 2})

    def _stability(self, contender: Any, name: str) -> Outcome:
        """How often two runs of the procedure with other seeds give other verdicts."""
        answers = [self._ask(contender, seed, intervals=False)[name] for seed in range(REPETITIONS)]
        verdicts = np.array([a["agrees"] for a in answers if "agrees" in a])
        if verdicts.size < 2:
            return Outcome({}, Status.UNSUPPORTED, "no verdict: not enough overlap")
        yes, n = verdicts.sum(), verdicts.size
        return Outcome({"flip_rate": float(2 * yes * (n - yes) / (n * (n - 1)))})


ALWAYS = ("common_models", "inverted", "references")


def counts(reading: Reading) -> dict[str, float]:
    """What a catalogue holds, and what had to be mended to read it."""
    board = reading.board
    enough = (~np.isnan(board.scores)).sum(axis=0) >= LEAST
    return {
        "sources": float(len(set(board.sources))), "scenarios": float(enough.sum()),
        "catalogue_models": float(len(board.models)), "scores": float((~np.isnan(board.scores)).sum()),
        "merged_names": float(len(reading.merged)), "duplicates": float(len(reading.duplicates)),
        "skipped_files": float(len(reading.skipped)), "turned": float(board.turned.sum()),
    }  # fmt: skip
