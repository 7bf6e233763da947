"""Benchmark agreement testing: each benchmark against an aggregate of others, or against single ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar, Literal

import numpy as np

from steelyard.core.contender import contender
from steelyard.core.errors import InputError, unknown
from steelyard.stats import agreement, boards
from steelyard.stats.agreement import Agreement, Correlation, Subset, Ties, z_scores
from steelyard.stats.boards import Board, Question

Answer = dict[str, dict[str, float]]


@contender("agree", interface="analysis", source="arXiv:2407.13696, sections 3 to 5")
@dataclass(frozen=True)
class Agree:
    """Correlate the models' scores on a benchmark with a reference, on all or on drawn models, and give a verdict.

    reference: aggregate (mean win rate over the board's reference), single (one other benchmark, drawn with the seed),
    each (every other benchmark in turn), shuffled (the floor), itself (the ceiling), or a scenario's name.
    aggregate: leave-one-out takes the tested benchmark's source out of the reference; auto does so but where the
    board's profile is published. n: models in each repeat, 0 for all shared. subset: how they are chosen. repeats: how
    often. threshold: z (agrees when the Z-score is not below 0) or a correlation. ties: half a win or none; auto is none
    where the board's profile is published. draws: bootstrap resamples of models.
    """

    reference: str = "aggregate"
    aggregate: Literal["auto", "leave-one-out", "with-self"] = "auto"
    n: int = 0
    subset: Subset = "random"
    repeats: int = 10
    correlation: Correlation = "kendall"
    threshold: str = "z"
    ties: Literal["auto", "half", "zero"] = "auto"
    draws: int = 1000

    depends_on: ClassVar[tuple[ModuleType, ...]] = (agreement, boards)

    def __post_init__(self) -> None:
        if self.n < 0 or self.repeats < 1 or self.draws < 0:
            raise InputError(f"agree: n={self.n}, repeats={self.repeats}, draws={self.draws}.",
                             "n >= 0 (0: all models), repeats >= 1, draws >= 0.")  # fmt: skip
        if self.threshold != "z":
            try:
                float(self.threshold)
            except ValueError as error:
                raise InputError(f"agree: threshold is {self.threshold!r}.", "It may be z, or a number.") from error

    def __call__(self, question: Question) -> Answer:
        """Scenario -> metrics; a scenario with too few models in common has common_models only."""
        board = question.board
        if self.reference == "each":
            return {s: self._each(question, s) for s in question.tested}
        against = self._against(board, question.seed)
        several = len(question.tested) > 1  # one alone has no Z-score and no rank
        names = list(dict.fromkeys([*question.tested, *(_population(board) if several else ())]))
        found = {s: self.test(board.column(s), against(s), question) for s in names}
        values = np.array([found[s].value for s in names])
        z = z_scores(values, np.isin(names, _population(board)))
        order = np.argsort(-np.where(np.isnan(values), -np.inf, self._height(board, found)), kind="stable")
        rank = {names[j]: k for k, j in enumerate(order, 1)}
        answer = {}
        for s, standing in zip(names, z, strict=True):
            if s in question.tested:
                answer[s] = self._facts(board, s, found[s], standing, rank[s])
        return answer

    def test(self, x: np.ndarray, y: np.ndarray, question: Question) -> Agreement:
        """Agreement of two columns of the board."""
        released = question.board.profile == "published"
        by = (x if np.random.default_rng(question.seed).random() < 0.5 else y) if released else None
        return agreement.agree(
            x, y, correlation=self.correlation, n=self.n, subset=self.subset, repeats=self.repeats, by=by,
            seed=question.seed * self.repeats, draws=self.draws if question.intervals else 0, p_values=question.intervals,
        )  # fmt: skip

    def _against(self, board: Board, seed: int) -> Callable[[str], np.ndarray]:
        """The reference's scores for each tested scenario."""
        ties = self._ties(board)
        if self.reference == "itself":
            return board.column
        if self.reference == "shuffled":
            return lambda s: _shuffled(board.column(s), [seed, board.scenarios.index(s)])
        if self.reference == "single":
            return lambda s: self._drawn(board, s, seed)
        if self.reference == "aggregate":
            alone = self._leaves_out(board)
            return lambda s: boards.reference_scores(board, ties, s if alone and board.in_reference(s) else "")
        if self.reference not in board.scenarios:
            raise unknown("reference", self.reference, ["aggregate", "single", "each", *board.scenarios], where="agree")
        return lambda s: board.column(self.reference)

    def _drawn(self, board: Board, tested: str, seed: int) -> np.ndarray:
        known = boards.references(board, tested, max(self.n, agreement.LEAST))
        rng = np.random.default_rng([seed, board.scenarios.index(tested)])
        return board.column(known[rng.integers(len(known))]) if known else np.full(len(board.models), np.nan)

    def _ties(self, board: Board) -> Ties:
        return ("zero" if board.profile == "published" else "half") if self.ties == "auto" else self.ties

    def _leaves_out(self, board: Board) -> bool:
        return board.profile == "sound" if self.aggregate == "auto" else self.aggregate == "leave-one-out"

    def _height(self, board: Board, found: dict[str, Agreement]) -> np.ndarray:
        """What benchmarks are ordered by: the interval's lower end, in the released procedure the value itself."""
        lows = [a.value if board.profile == "published" or np.isnan(a.low) else a.low for a in found.values()]
        return np.array(lows)

    def _facts(self, board: Board, s: str, a: Agreement, z: float, rank: int) -> dict[str, float]:
        facts = {"common_models": float(a.common), "inverted": float(board.turned[board.scenarios.index(s)])}
        if np.isnan(a.value):
            return facts
        cut = z if self.threshold == "z" else a.value
        facts |= {
            "agreement": a.value, "low": a.low, "high": a.high, "p": a.p, "models": float(a.n), "sd": a.sd, "z": z,
            "repeats": float(a.repeats), "rank": float(rank),
            "agrees": float(cut >= (0.0 if self.threshold == "z" else float(self.threshold))),
        }  # fmt: skip
        if rank <= 2:
            facts["common_models_of_first_two"] = float(a.common)
        if self.reference == "aggregate" and board.in_reference(s):
            both = boards.same_models(board, s, self._ties(board))
            facts["agreement_on_same_models"] = agreement.agree(
                board.column(s), both[int(self._leaves_out(board))], correlation=self.correlation, draws=0
            ).value
        return {k: v for k, v in facts.items() if not np.isnan(v)}

    def _each(self, question: Question, tested: str) -> dict[str, float]:
        """The verdict under every reference that shares enough models."""
        board = question.board
        names = boards.references(board, tested, max(self.n, boards.ENOUGH))
        found = [self.test(board.column(tested), board.column(name), question) for name in names]
        kept = [name for name, a in zip(names, found, strict=True) if not np.isnan(a.value)]
        found = [a for a in found if not np.isnan(a.value)]
        facts = {"references": float(len(found))}
        if len(found) < 2:
            return facts
        values = np.array([a.value for a in found])
        facts |= {"agreement": float(values.mean()), "reference_range": float(np.ptp(values))}
        if self.threshold != "z":
            facts["verdict_differs"] = float(boards.verdict_differs(found, float(self.threshold)))
        if self.n == 0 and self.correlation == "kendall":
            excess = boards.range_excess(board, tested, kept, min(self.draws, 300), question.seed)
            facts["reference_range_excess"] = excess
        return facts


def _population(board: Board) -> list[str]:
    """The scenarios among which a Z-score is taken."""
    return [n for n in board.population if n in board.scenarios] or board.scenarios


def _shuffled(column: np.ndarray, seed: list[int]) -> np.ndarray:
    """Scores without meaning for the models that have one."""
    return np.where(np.isnan(column), np.nan, np.random.default_rng(seed).random(column.size))
