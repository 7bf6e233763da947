"""Ways to make one score for each contender out of a matrix with holes, side by side: the methods of `rank`."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from steelyard.core.errors import InputError

from .bradley_terry import fit_pairs, ilsr_pairs, mm_pairs, strong_components
from .elo import elo
from .irt import fit_2pl
from .rank import Ties, pairwise_wins
from .resample import Array, codes

Solver = Literal["newton", "ilsr", "mm"]


@dataclass(frozen=True)
class Matrix:
    """What is aggregated.

    scores: (M, N), higher is better in every case, NaN where not measured. sources: (N,) number of the data set of
    each case. seed: for what is drawn by chance (Elo's order).
    """

    scores: Array
    sources: NDArray[np.intp]
    seed: int = 0

    def cases(self, index: NDArray[np.intp]) -> Matrix:
        """The same contenders on the cases `index` (which may repeat some)."""
        return Matrix(self.scores[:, index], self.sources[index], self.seed)


def matrix(scores: Array, sources: Sequence[Hashable] | None = None, seed: int = 0) -> Matrix:
    """A Matrix from labels of data sets; without labels all cases are one data set."""
    n = scores.shape[1]
    return Matrix(np.asarray(scores, float), np.zeros(n, np.intp) if sources is None else codes(sources, n), seed)


def pair_strengths(m: Matrix, ties: Ties = "each", solver: Solver = "newton", alpha: float = 0.0) -> Array:
    """Plackett-Luce over the pairs of each case (then it is Bradley-Terry): log odds, mean 0; NaN for the unmeasured.

    ties: "each" is the rule of arXiv:2412.06745, a win each way; "half" is that of the Chatbot Arena, half a win each.
    alpha: only with solver "ilsr". Raises InputError where the wins do not connect all contenders (alpha 0).
    """
    if alpha > 0 and solver != "ilsr":
        raise InputError(f"alpha is {alpha:g} with solver {solver!r}.", "It belongs to solver=ilsr.")
    wins = pairwise_wins(m.scores, ties)[0]
    met = np.flatnonzero((wins + wins.T).sum(axis=1) > 0)
    out = np.full(m.scores.shape[0], np.nan)
    inner = wins[np.ix_(met, met)]
    if met.size:
        solve = {"newton": fit_pairs, "mm": mm_pairs}
        out[met] = ilsr_pairs(inner, alpha) if solver == "ilsr" else solve[solver](inner)
    return out


def order_strengths(m: Matrix, tolerance: float = 1e-9, iterations: int = 20_000) -> Array:
    """Plackett-Luce over whole orders: on each case everybody is chosen before all those who did strictly worse.

    Without ties this is the Plackett-Luce likelihood of the case's order; on a binary case each pass beats the set of
    failures. Fitted by minorisation-maximisation (Hunter 2004). Returns (M,) log strengths of mean 0, NaN for those who
    met nobody. Raises InputError where the wins do not connect all contenders.
    """
    x = m.scores
    wins, tied = pairwise_wins(x, "half")
    worse = wins - tied / 2
    met = np.flatnonzero((worse + worse.T).sum(axis=1) > 0)
    out = np.full(x.shape[0], np.nan)
    if not met.size:
        return out
    if len(strong_components(worse[np.ix_(met, met)])) > 1:
        raise InputError(
            "the graph of wins is not strongly connected, so strengths have no common scale.",
            "Rank its components apart, or measure cases that they share.",
        )
    x = x[met]
    order = np.argsort(np.where(np.isnan(x), -np.inf, x), axis=0, kind="stable")  # worst first, the unmeasured before
    ranked = np.take_along_axis(x, order, axis=0)
    there = ~np.isnan(ranked)
    # first[r]: where the run of equals that r belongs to begins; all below it, down to the measured, did worse
    fresh = np.vstack([np.ones((1, x.shape[1]), bool), ranked[1:] != ranked[:-1]])
    first = np.maximum.accumulate(np.where(fresh, np.arange(x.shape[0])[:, None], 0), axis=0)
    chooses = there & (np.take_along_axis(np.cumsum(there, axis=0), np.maximum(first - 1, 0), axis=0) > 0) & (first > 0)
    chosen = np.bincount(order[chooses], minlength=met.size).astype(float)
    theta = np.zeros(met.size)
    for _ in range(iterations):
        weight = np.where(there, np.exp(theta)[order], 0.0)
        below = np.vstack([np.zeros((1, x.shape[1])), np.cumsum(weight, axis=0)])
        rate = np.where(chooses, 1.0 / np.where(chooses, np.take_along_axis(below, first, axis=0) + weight, 1.0), 0.0)
        # a contender is in the choice of each better one, and in its own
        total = np.vstack([np.cumsum(rate[::-1], axis=0)[::-1], np.zeros((1, x.shape[1]))])
        last = _run_ends(fresh)
        exposure = np.bincount(
            order.ravel(), np.where(there, np.take_along_axis(total, last, axis=0) + rate, 0.0).ravel(), met.size
        )
        new = np.log(chosen / exposure)
        new -= new.mean()
        change = float(np.abs(new - theta).max())
        theta = new
        if change < tolerance:
            out[met] = theta
            return out
    raise InputError(f"the strengths did not settle in {iterations} steps.", "Some contender nearly always wins.")


def _run_ends(fresh: NDArray[np.bool_]) -> NDArray[np.intp]:
    """(M, N): one past the last row of the run of equals that a row belongs to; `fresh` marks where runs begin."""
    m = fresh.shape[0]
    begins = np.vstack([np.where(fresh, np.arange(m)[:, None], m)[1:], np.full((1, fresh.shape[1]), m)])
    return np.asarray(np.minimum.accumulate(begins[::-1], axis=0)[::-1])


def mean_score(m: Matrix) -> Array:
    """(M,) mean over the measured cases; NaN for the unmeasured."""
    return _mean(m.scores)


def normalised_mean(m: Matrix) -> Array:
    """(M,) mean over data sets of the mean score, put on 0 (worst contender of the set) to 1 (best).

    A set on which all are equal says nothing and is left out; so is one that a contender was not measured on.
    """
    by_set = _by_set(m)
    low, high = (f(np.where(np.isnan(by_set), other, by_set), axis=0) for f, other in ((np.min, np.inf), (np.max, -np.inf)))  # fmt: skip
    kept = high > low
    return _mean((by_set[:, kept] - low[kept]) / (high[kept] - low[kept]))


def mean_win_rate(m: Matrix) -> Array:
    """(M,) mean over data sets of the share of other contenders that one's mean score beats (HELM, arXiv:2211.09110)."""
    return _mean(_points(_by_set(m)))


def borda(m: Matrix) -> Array:
    """(M,) mean over cases of the share of others that one beats on the case, a tie counting half."""
    return _mean(_points(m.scores))


def dowdall(m: Matrix) -> Array:
    """(M,) mean over cases of 1 / rank, tied contenders sharing their average rank; a case with one alone is left out."""
    beaten, others = _beaten(m.scores)
    return _mean(1.0 / (others - beaten + 1.0))


def two_way(m: Matrix, ridge: float = 1.0) -> Array:
    """(M,) contender effects of score = mean + contender + case, least squares with a ridge on both kinds of effect.

    Scores are first put on the scale of their data set (mean 0, standard deviation 1 over all its measurements), so
    that sets on different scales weigh alike. Solved exactly: the case effects are eliminated.
    """
    x = _standardised(m)
    seen = ~np.isnan(x)
    if not seen.any():
        return np.full(x.shape[0], np.nan)
    y = np.where(seen, x - x[seen].mean(), 0.0)
    share = seen / (seen.sum(axis=0) + ridge)
    system = np.diag(seen.sum(axis=1) + ridge) - share @ seen.T
    effect = np.linalg.solve(system, y.sum(axis=1) - share @ y.sum(axis=0))
    return np.where(seen.any(axis=1), effect, np.nan)


def ability(m: Matrix) -> Array:
    """(M,) abilities of the two-parameter logistic model, each data set's scores put on 0 to 1 first."""
    x = m.scores.copy()
    for s in np.unique(m.sources):
        inside = m.sources == s
        part = x[:, inside]
        low, high = (np.nanmin(part), np.nanmax(part)) if (~np.isnan(part)).any() else (0.0, 1.0)
        x[:, inside] = (part - low) / (high - low) if high > low else np.where(np.isnan(part), np.nan, 0.5)
    return fit_2pl(x).ability


METHODS: dict[str, Callable[[Matrix], Array]] = {
    "plackett-luce": lambda m: pair_strengths(m, "each"),
    "bradley-terry": lambda m: pair_strengths(m, "half"),
    "plackett-luce-orders": order_strengths,
    "elo": lambda m: elo(m.scores, seed=m.seed),
    "mean": mean_score,
    "mean-win-rate": mean_win_rate,
    "normalised-mean": normalised_mean,
    "borda": borda,
    "dowdall": dowdall,
    "irt": ability,
    "additive": two_way,
}


def _mean(x: Array) -> Array:
    """Row means over what is there; NaN where nothing is."""
    seen = ~np.isnan(x)
    count = seen.sum(axis=1)
    return np.where(count > 0, np.where(seen, x, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)


def _by_set(m: Matrix) -> Array:
    """(M, S) mean score of each contender on each data set."""
    return np.stack([_mean(m.scores[:, m.sources == s]) for s in np.unique(m.sources)], axis=1)


def _beaten(x: Array) -> tuple[Array, Array]:
    """(M, N) how many others each beats in a column, a tie counting half, NaN where it is alone or absent; how many
    others there are, (N,)."""
    seen = ~np.isnan(x)
    others = seen.sum(axis=0) - 1.0
    out = np.stack([(row > x).sum(axis=0) + ((row == x).sum(axis=0) - 1.0) / 2 for row in x])
    return np.where(seen & (others > 0), out, np.nan), others


def _points(x: Array) -> Array:
    """(M, N): share of the others that each beats in a column, ties half; NaN where it is alone or absent."""
    beaten, others = _beaten(x)
    return np.asarray(beaten / np.maximum(others, 1.0))


def _standardised(m: Matrix) -> Array:
    """Scores on their data set's scale: mean 0, standard deviation 1 over all its measurements (0 where constant)."""
    x = m.scores.copy()
    for s in np.unique(m.sources):
        part = x[:, m.sources == s]
        seen = part[~np.isnan(part)]
        if seen.size:
            spread = seen.std()
            x[:, m.sources == s] = (part - seen.mean()) / (spread if spread > 0 else 1.0)
    return x
