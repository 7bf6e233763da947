"""Rank contenders measured on different cases with different metrics: per-case orders, strengths, tiers."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from steelyard.core.errors import InputError

from .bradley_terry import fit_pairs, strong_components
from .pairs import holm
from .resample import CHUNK, DRAWS, LEVEL, Array, codes, quantile_t

Ties = Literal["half", "each"]


@dataclass(frozen=True, slots=True)
class Ranked:
    """One contender within its component.

    strength: log odds against the component's average contender, with its interval. rank: 1 is best; rank_low,
    rank_high: 95% of the draws. tier: 1 is best; two contenders of one tier are not told apart from its leader.
    cases: how many it was measured on. constant: its score is the same on every case (ten or more): look why.
    """

    name: str
    strength: float
    low: float
    high: float
    rank: int
    rank_low: int
    rank_high: int
    tier: int
    cases: int
    constant: bool = False

    @property
    def rank_text(self) -> str:
        """ "3" or "2-4"."""
        return str(self.rank_low) if self.rank_low == self.rank_high else f"{self.rank_low}-{self.rank_high}"


@dataclass(frozen=True, slots=True)
class Component:
    """Contenders that can be compared with one another, best first.

    clusters: groups of cases behind the intervals. above: numbers of the components whose members lost to this one
    and never won. p: (m, m) Holm-adjusted pairwise p in the order of `members`.
    """

    members: list[Ranked]
    cases: int
    clusters: int
    above: list[int]
    p: Array


@dataclass(frozen=True, slots=True)
class Ranking:
    """components: largest first; ranks do not compare across them. unmeasured: contenders without any value."""

    components: list[Component]
    unmeasured: list[str]
    ties: Ties
    tied_share: float
    notes: list[str]


def pairwise_wins(scores: ArrayLike, ties: Ties = "half") -> tuple[Array, Array]:
    """Wins and ties between contenders, case by case.

    scores: (M, N), higher is better in every case, NaN where not measured. A tie gives half a win each way ("half"),
    or one each way ("each", the rule of ONEBench's code, arXiv:2412.06745).
    Returns (M, M) wins[i, j] (i beat j, ties included) and (M, M) tie counts.
    """
    x = np.asarray(scores, float)
    m, n = x.shape
    wins, tied = np.zeros((m, m)), np.zeros((m, m))
    step = max(1, (1 << 18) // max(1, m))  # cases at a time: what is compared stays in the cache
    for start in range(0, n, step):
        block = x[:, start : start + step]
        for i in range(m - 1):
            seen = np.flatnonzero(~np.isnan(block[i]))
            if not seen.size:
                continue
            own, rest = (
                (block[i], block[i + 1 :]) if seen.size == block.shape[1] else (block[i, seen], block[i + 1 :, seen])
            )
            wins[i, i + 1 :] += np.count_nonzero(own > rest, axis=1)
            wins[i + 1 :, i] += np.count_nonzero(own < rest, axis=1)
            tied[i, i + 1 :] += np.count_nonzero(own == rest, axis=1)
    tied += tied.T
    return wins + tied * (0.5 if ties == "half" else 1.0), tied


def rank(
    scores: ArrayLike,
    names: Sequence[str],
    groups: Sequence[Hashable] | None = None,
    lower_is_better: ArrayLike | bool = False,
    ties: Ties = "half",
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
) -> Ranking:
    """Bradley-Terry ranking of contenders over cases, only the order within each case counting.

    scores: (M, N) with NaN holes. names: (M,). groups: (N,) labels of dependent cases. lower_is_better: one flag, or
    (N,) one for each case (mixed metrics). Intervals: sandwich covariance over groups of cases, not over pairs, which
    depend on one another; ranks from `draws` normal draws of the strengths. Raises InputError for duplicate names and
    shapes that do not fit.
    """
    x = np.array(scores, float)
    if x.ndim != 2 or x.shape[0] != len(names):
        raise InputError(f"scores of shape {x.shape} do not fit {len(names)} contenders.", "Give (contenders, cases).")
    if len(set(names)) != len(names):
        raise InputError("a contender stands twice.", "Merge its rows by a stated rule first.")
    x = np.where(np.broadcast_to(np.asarray(lower_is_better, bool), x.shape[1]), -x, x)
    group = codes(groups, x.shape[1])
    wins, tied = pairwise_wins(x, ties)
    measured = np.flatnonzero(~np.isnan(x).all(axis=1))
    games = float(wins.sum()) if ties == "half" else float(wins.sum() - tied.sum() / 2)
    parts = [measured[p] for p in strong_components(wins[np.ix_(measured, measured)])] if measured.size else []
    components = []
    for part in parts:
        above = [
            k for k, other in enumerate(parts) if other is not part
            and wins[np.ix_(part, other)].sum() > 0 and wins[np.ix_(other, part)].sum() == 0
        ]  # fmt: skip
        components.append(_component(x[part], [names[i] for i in part], group, above, ties, level, draws, seed))
    notes = []
    if len(parts) > 1:
        notes.append(f"{len(parts)} components that cannot be put on one scale: each is ranked apart")
    notes += [f"{m.name}: the same score on all {m.cases} cases" for c in components for m in c.members if m.constant]
    unmeasured = [names[i] for i in range(len(names)) if i not in set(measured.tolist())]
    return Ranking(components, unmeasured, ties, float(tied.sum()) / 2 / games if games else 0.0, notes)


def sandwich(x: Array, theta: Array, group: NDArray[np.intp], ties: Ties) -> tuple[Array, int]:
    """Covariance of the strengths, robust to the dependence of all pairs within a group of cases.

    x: (M, N) scores. H^+ (sum_g u_g u_g') H^+ * G/(G-1), u_g the group's part of the likelihood's gradient.
    Returns (M, M) and the number of groups that hold a comparison.
    """
    from scipy.special import expit

    m, n = x.shape
    half = 0.5 if ties == "half" else 1.0
    scores = np.zeros((m, n))
    hessian = np.zeros((m, m))
    seen = ~np.isnan(x)
    for i in range(m):
        p = expit(theta[i] - theta)
        both = seen & seen[i]
        both[i] = False
        tie = (x == x[i]) & both
        won = (x[i] > x) + half * tie
        total = both if ties == "half" else both + tie.astype(float)  # "each" counts a tie as two games
        scores[i] = won.sum(axis=0, where=both) - p @ total
        hessian[i] = -total.sum(axis=1) * p * (1 - p)
    hessian -= np.diag(hessian.sum(axis=1))
    compared = np.unique(group[seen.sum(axis=0) > 1])
    by_group = np.zeros((m, int(group.max()) + 1))
    for i in range(m):
        by_group[i] = np.bincount(group, scores[i], minlength=by_group.shape[1])
    bread = np.linalg.pinv(hessian, hermitian=True)
    g = compared.size
    return bread @ (by_group @ by_group.T) @ bread * (g / (g - 1) if g > 1 else math.nan), g


def _component(
    x: Array,
    names: list[str],
    group: NDArray[np.intp],
    above: list[int],
    ties: Ties,
    level: float,
    draws: int,
    seed: int,
) -> Component:
    m = len(names)
    seen = ~np.isnan(x)
    cases = int((seen.sum(axis=0) > (1 if m > 1 else 0)).sum())
    constant = [int(s.sum()) >= 10 and float(np.ptp(row[s])) == 0.0 for row, s in zip(x, seen, strict=True)]
    if m == 1:
        only = Ranked(names[0], 0.0, math.nan, math.nan, 1, 1, 1, 1, int(seen.sum()), constant[0])
        return Component([only], cases, cases, above, np.ones((1, 1)))
    theta = fit_pairs(pairwise_wins(x, ties)[0])
    covariance, clusters = sandwich(x, theta, group, ties)
    order = np.argsort(-theta, kind="stable")
    theta, covariance = theta[order], covariance[np.ix_(order, order)]
    variance = np.diag(covariance)
    spread = np.sqrt(np.clip(variance[:, None] + variance[None, :] - 2 * covariance, 0.0, None))
    p = pairwise_p(theta, spread, clusters)
    half = (quantile_t(clusters - 1, level) if clusters > 1 else math.inf) * np.sqrt(variance)
    low, high = _rank_interval(theta, covariance, level, draws, seed) if clusters > 1 else (np.ones(m), np.full(m, m))
    members = [
        Ranked(names[k], float(theta[i]), float(theta[i] - half[i]), float(theta[i] + half[i]), i + 1,
               int(low[i]), int(high[i]), tier, int(seen[k].sum()), constant[k])
        for i, (k, tier) in enumerate(zip(order.tolist(), tiers(p, level), strict=True))
    ]  # fmt: skip
    return Component(members, cases, clusters, above, p)


def tiers(p: Array, level: float = LEVEL) -> list[int]:
    """Tier of each contender, best first: a new one begins where somebody is told apart from its leader.

    p: (m, m) adjusted p of all pairs, in the order of the ranking.
    """
    out, leader = [1], 0
    for i in range(1, p.shape[0]):
        apart = p[leader, i] <= 1 - level
        leader = i if apart else leader
        out.append(out[-1] + apart)
    return [int(t) for t in out]


def pairwise_p(theta: Array, spread: Array, clusters: float) -> Array:
    """Holm-adjusted two-sided p of all pairs, (m, m), ones on the diagonal; t with clusters - 1 degrees of freedom."""
    from scipy.special import stdtr

    m = theta.size
    upper = np.triu_indices(m, 1)
    out = np.ones((m, m))
    if clusters < 2:
        return out
    gap = np.abs(theta[:, None] - theta[None, :])[upper]
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(spread[upper] > 0, gap / spread[upper], np.where(gap > 0, np.inf, 0.0))
    out[upper] = holm(np.minimum(1.0, 2 * stdtr(clusters - 1, -t)))
    return np.minimum(out, out.T)


def _rank_interval(theta: Array, covariance: Array, level: float, draws: int, seed: int) -> tuple[Array, Array]:
    """2.5% and 97.5% quantiles of the rank over normal draws of the strengths."""
    m = theta.size
    rng = np.random.default_rng(seed)
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.clip(values, 0.0, None))
    tally = np.zeros((m, m + 1))
    step = max(1, CHUNK // m)
    for start in range(0, draws, step):
        drawn = theta + rng.standard_normal((min(step, draws - start), m)) @ root.T
        ranks = m - np.argsort(np.argsort(drawn, axis=1), axis=1)
        for i in range(m):
            tally[i] += np.bincount(ranks[:, i], minlength=m + 1)
    cumulative = np.cumsum(tally, axis=1) / draws
    low = np.argmax(cumulative > (1 - level) / 2, axis=1)
    high = np.argmax(cumulative >= (1 + level) / 2 - 1e-12, axis=1)
    return low.astype(float), high.astype(float)


def mean_ranks(scores: ArrayLike, lower_is_better: ArrayLike | bool = False) -> Array:
    """Mean rank of each contender (1 best, ties averaged) over the cases on which all were measured (Demsar 2006)."""
    from scipy.stats import rankdata

    x = np.array(scores, float)
    x = np.where(np.broadcast_to(np.asarray(lower_is_better, bool), x.shape[1]), -x, x)
    full = ~np.isnan(x).any(axis=0)
    if not full.any():
        raise InputError("no case was measured for all contenders.", "Use `rank`, which accepts holes.")
    return np.asarray(rankdata(-x[:, full], axis=0).mean(axis=1))
