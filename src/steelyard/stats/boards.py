"""A board of leaderboards, and the test of each against a reference: which reference, which models, which verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from steelyard.core.errors import InputError

from .agreement import Agreement, Ties, aggregate, taus, win_rate
from .resample import Array, group_counts

Profile = Literal["sound", "published"]
ENOUGH = 10  # models in common from which on one benchmark serves as a reference of another


@dataclass(frozen=True, eq=False)
class Board:
    """Scores of many models on many scenarios.

    scores: (models, scenarios), higher is better, NaN where unmeasured. sources: where each scenario comes from.
    turned: which scenarios had lower scores better and were turned round. reference: the names that the aggregate is
    made of, whether or not they resolve; all scenarios where empty. population: the names among which a Z-score is
    taken; all where empty. profile: the released procedure with its known defects, or the right one.
    """

    models: list[str]
    scenarios: list[str]
    sources: list[str]
    scores: Array
    turned: NDArray[np.bool_]
    reference: list[str]
    population: list[str]
    profile: Profile = "sound"

    @property
    def resolved(self) -> list[str]:
        """The reference names that are scenarios of this board; all scenarios where no reference is named."""
        return [n for n in self.reference if n in self.scenarios] if self.reference else list(self.scenarios)

    def in_reference(self, scenario: str) -> bool:
        """Whether a scenario of its source is part of the reference, and another source is too."""
        sources = {self.sources[self.scenarios.index(n)] for n in self.resolved}
        return self.sources[self.scenarios.index(scenario)] in sources and len(sources) > 1

    def column(self, scenario: str) -> Array:
        return np.asarray(self.scores[:, self.scenarios.index(scenario)])


@dataclass(frozen=True, eq=False)
class Question:
    """What a procedure is asked: how well each scenario in `tested` agrees, with this seed, with or without intervals."""

    board: Board
    tested: Sequence[str]
    seed: int = 0
    intervals: bool = True


@lru_cache(maxsize=256)
def reference_scores(board: Board, ties: Ties, without: str = "") -> Array:
    """Mean win rate over the reference scenarios, (models,), NaN for models on too few of them.

    A model must stand in a third of the reference names, resolved or not, and in one at least; win rates are among the
    models kept. without: a scenario left out of the reference together with all others of its source, because they
    share its questions.
    """
    source = board.sources[board.scenarios.index(without)] if without else None
    names = [n for n in board.resolved if board.sources[board.scenarios.index(n)] != source]
    if not names:
        raise InputError("no reference name resolves.", f"Reference names: {', '.join(board.reference) or 'none'}.")
    least = min(max(1, len(board.reference or board.scenarios) // 3), len(names))
    columns = board.scores[:, [board.scenarios.index(n) for n in names]]
    kept = (~np.isnan(columns)).sum(axis=1) >= least
    return aggregate(win_rate(np.where(kept[:, None], columns, np.nan), ties), least)


@lru_cache(maxsize=1024)
def references(board: Board, tested: str, least: int = ENOUGH) -> list[str]:
    """The scenarios of other sources that share `least` models or more with `tested`."""
    here = ~np.isnan(board.column(tested))
    mine = board.sources[board.scenarios.index(tested)]
    shared = (~np.isnan(board.scores) & here[:, None]).sum(axis=0)
    return [
        s for s, source, k in zip(board.scenarios, board.sources, shared, strict=True) if source != mine and k >= least
    ]


def range_excess(board: Board, tested: str, names: Sequence[str], draws: int, seed: int) -> float:
    """Range of tau over references, less the range that sampling alone gives.

    Models of `tested` are drawn with replacement, for all references at once; each reference's draws are moved to the
    common mean, as if all agreed equally, and the mean range of these is taken off.
    """
    x = board.column(tested)
    rows = np.flatnonzero(~np.isnan(x))
    counts = np.concatenate(list(group_counts(np.arange(rows.size), draws, seed)))
    values, noise = [], []
    for name in names:
        y = board.column(name)[rows]
        known = np.flatnonzero(~np.isnan(y))
        pair = x[rows][known], y[known]
        values.append(float(taus(*pair, np.ones((1, known.size)))[0]))
        drawn = taus(*pair, counts[:, known])
        noise.append(np.where(np.isnan(drawn), 0.0, drawn - values[-1]))
    spread = np.stack(noise)
    return max(values) - min(values) - float((spread.max(axis=0) - spread.min(axis=0)).mean())


def verdict_differs(found: Sequence[Agreement], threshold: float) -> bool:
    """Whether some reference's whole interval lies at or above `threshold` and another's below it."""
    return any(a.low >= threshold for a in found) and any(a.high < threshold for a in found)


def same_models(board: Board, tested: str, ties: Ties) -> tuple[Array, Array]:
    """The aggregate with `tested` in it and without, over the models that stand in both."""
    with_self, without = reference_scores(board, ties), reference_scores(board, ties, tested)
    both = ~np.isnan(with_self) & ~np.isnan(without)
    return np.where(both, with_self, math.nan), np.where(both, without, math.nan)
