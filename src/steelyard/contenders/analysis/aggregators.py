"""Aggregators: a matrix of scores with holes in, one score a contender out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from steelyard.core.contender import contender
from steelyard.stats import aggregate, bradley_terry, irt, rank
from steelyard.stats import elo as online
from steelyard.stats.aggregate import Matrix

PAIRS = (aggregate, bradley_terry, rank)


@contender("plackett-luce", interface="analysis", source="arXiv:2412.06745, section 3; Maystre and Grossglauser 2015")
@dataclass(frozen=True)
class PlackettLuce:
    """Plackett-Luce strengths (log odds) from the order of the contenders on every case.

    orders: pairs (every pair of a case is a comparison, as in the official code) or whole (a case is one ranking, each
    chosen before all that did worse). ties: with pairs, a win each or half a win each. solver: three ways to the same
    maximum. alpha: with ilsr, rate added between all; then a value exists even where the data give none.
    """

    orders: Literal["pairs", "whole"] = "pairs"
    ties: Literal["each", "half"] = "each"
    solver: Literal["newton", "ilsr", "mm"] = "newton"
    alpha: float = 0.0
    log_odds: ClassVar[bool] = True
    depends_on: ClassVar[tuple[Any, ...]] = PAIRS

    def __call__(self, data: Matrix) -> np.ndarray:
        if self.orders == "whole":
            return aggregate.order_strengths(data)
        return aggregate.pair_strengths(data, self.ties, self.solver, self.alpha)


@contender("bradley-terry", interface="analysis", source="arXiv:2403.04132, section 4 (Chatbot Arena)")
@dataclass(frozen=True)
class BradleyTerry:
    """Maximum likelihood over all pairs of a case, a tie being half a win each; no penalty."""

    ties: Literal["half", "each"] = "half"
    log_odds: ClassVar[bool] = True
    depends_on: ClassVar[tuple[Any, ...]] = PAIRS

    def __call__(self, data: Matrix) -> np.ndarray:
        return aggregate.pair_strengths(data, self.ties)


@contender("elo", interface="analysis", source="arXiv:2412.06745, baseline; Chatbot Arena's first rating")
@dataclass(frozen=True)
class Elo:
    """One online pass over all pairs, the cases shuffled by the trial's seed. k: step. scale, base, start: of ratings."""

    k: float = 4.0
    scale: float = 400.0
    base: float = 10.0
    start: float = 1000.0
    depends_on: ClassVar[tuple[Any, ...]] = (online,)

    def __call__(self, data: Matrix) -> np.ndarray:
        return online.elo(data.scores, self.k, self.scale, self.base, self.start, data.seed)


@contender("mean", interface="analysis")
@dataclass(frozen=True)
class Mean:
    """The mean of whatever was measured."""

    depends_on: ClassVar[tuple[Any, ...]] = (aggregate,)

    def __call__(self, data: Matrix) -> np.ndarray:
        return aggregate.mean_score(data)


@contender("normalised-mean", interface="analysis", source="arXiv:2412.06745, section 4")
@dataclass(frozen=True)
class NormalisedMean:
    """Mean over data sets of the mean score, put on 0 (worst contender) to 1 (best)."""

    depends_on: ClassVar[tuple[Any, ...]] = (aggregate,)

    def __call__(self, data: Matrix) -> np.ndarray:
        return aggregate.normalised_mean(data)


@contender("mean-win-rate", interface="analysis", source="arXiv:2211.09110 (HELM)")
@dataclass(frozen=True)
class MeanWinRate:
    """Mean over data sets of the share of other contenders that one's mean score beats."""

    depends_on: ClassVar[tuple[Any, ...]] = (aggregate,)

    def __call__(self, data: Matrix) -> np.ndarray:
        return aggregate.mean_win_rate(data)


@contender("borda", interface="analysis")
@dataclass(frozen=True)
class Borda:
    """Points of a case are the share of others beaten on it (`borda`), or 1 / rank (`dowdall`)."""

    points: Literal["borda", "dowdall"] = "borda"
    depends_on: ClassVar[tuple[Any, ...]] = (aggregate,)

    def __call__(self, data: Matrix) -> np.ndarray:
        return aggregate.borda(data) if self.points == "borda" else aggregate.dowdall(data)


@contender("irt", interface="analysis", source="Birnbaum 1968; Mislevy 1986 for the priors")
@dataclass(frozen=True)
class ItemResponse:
    """Abilities of the two-parameter logistic model (posterior mode), scores put on 0 to 1 by data set."""

    depends_on: ClassVar[tuple[Any, ...]] = (aggregate, irt)

    def __call__(self, data: Matrix) -> np.ndarray:
        return aggregate.ability(data)


@contender("additive", interface="analysis")
@dataclass(frozen=True)
class Additive:
    """score = mean + contender + case by least squares. ridge: penalty on both kinds of effect."""

    ridge: float = 1.0
    depends_on: ClassVar[tuple[Any, ...]] = (aggregate,)

    def __call__(self, data: Matrix) -> np.ndarray:
        return aggregate.two_way(data, self.ridge)
