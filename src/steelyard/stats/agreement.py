"""Agreement between leaderboards: win rates, aggregates, and rank correlation over subsets of models, with intervals.

Protocol: Perlitz et al., "Benchmark agreement testing done right" (arXiv:2407.13696).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .resample import LEVEL, Array, group_counts, percentile, quantile_z

Correlation = Literal["kendall", "pearson"]
Subset = Literal["random", "top", "bottom", "middle", "somewhere"]
Ties = Literal["half", "zero"]
LEAST = 5  # models in common below which no correlation is given
SMALL = 400_000  # multiplications of one matrix product
FIXED = ("top", "bottom", "middle")


@dataclass(frozen=True, slots=True)
class Agreement:
    """How two scorings agree on the models they share.

    value: mean correlation over the repeats (one repeat where all models are used). low, high: interval over models.
    p: mean two-sided p of no association. n: models used in each repeat; common: models shared. sd: of the repeats'
    values (ddof 0; 0 for one). values: (repeats,). NaN throughout where fewer than max(n, 5) models are shared or a
    side is constant.
    """

    value: float
    low: float
    high: float
    p: float
    n: int
    common: int
    repeats: int
    sd: float
    values: Array


def win_rate(scores: Array, ties: Ties = "half") -> Array:
    """Share of the other models that each model beats, (models, scenarios), NaN where unmeasured.

    scores: higher is better. ties: "half" counts a tie as half a win, "zero" (the released code) as none for both.
    A scenario with one model has no others: its win rate is NaN.
    """
    from scipy.stats import rankdata

    ranks = rankdata(scores, method="average" if ties == "half" else "min", axis=0, nan_policy="omit")
    count = (~np.isnan(scores)).sum(axis=0)
    return np.asarray((ranks - 1) / np.where(count > 1, count - 1, np.nan))


def aggregate(rates: Array, least: int) -> Array:
    """Mean over the columns of (models, references) where a model stands in `least` of them or more, else NaN."""
    count = (~np.isnan(rates)).sum(axis=1)
    total = np.nansum(rates, axis=1)
    return np.where(count >= max(1, least), total / np.maximum(count, 1), np.nan)


def z_scores(values: Array, inside: NDArray[np.bool_] | None = None) -> Array:
    """Distance from the mean of the values `inside` (all when None) in their standard deviations (ddof 1).

    NaN stays NaN and is not counted; all are NaN where fewer than two differ.
    """
    known = values[~np.isnan(values) & (True if inside is None else inside)]
    spread = float(known.std(ddof=1)) if known.size > 1 else 0.0
    return np.asarray((values - known.mean()) / spread) if spread > 0 else np.full(values.shape, math.nan)


def taus(x: Array, y: Array, weights: Array) -> Array:
    """Kendall's tau-b of (n,) x and y under each row of (B, n) weights: 0/1 choose a subset, counts a resample.

    Copies of one model are tied with each other in both, and so count for nothing. NaN where a side is constant.
    """
    sx, sy = np.sign(x[:, None] - x), np.sign(y[:, None] - y)
    both, only_x, only_y = (_quadratic(weights, m) for m in (sx * sy, np.abs(sx), np.abs(sy)))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(both / np.sqrt(only_x * only_y))


def pearsons(x: Array, y: Array, weights: Array) -> Array:
    """Pearson's r of (n,) x and y under each row of (B, n) weights; NaN where a side is constant."""
    share = weights / weights.sum(axis=1, keepdims=True)
    x, y = (v - v.mean() for v in (x, y))
    mx, my = share @ x, share @ y
    vx, vy = np.maximum(share @ x**2 - mx**2, 0), np.maximum(share @ y**2 - my**2, 0)
    tiny = 1e-15 * (x @ x + 1e-300), 1e-15 * (y @ y + 1e-300)
    with np.errstate(divide="ignore", invalid="ignore"):
        r = (share @ (x * y) - mx * my) / np.sqrt(vx * vy)
    return np.where((vx > tiny[0]) & (vy > tiny[1]), np.clip(r, -1.0, 1.0), np.nan)


def _quadratic(w: Array, matrix: Array) -> Array:
    """w_b' M w_b of each row, by parts small enough that no thread is started for them (many small tests run at once)."""
    step = max(1, SMALL // matrix.size)
    parts = [np.einsum("bi,bi->b", w[k : k + step] @ matrix, w[k : k + step]) for k in range(0, len(w), step)]
    return np.concatenate(parts)


def tau_p(x: Array, y: Array, chosen: Array) -> Array:
    """Two-sided p of tau-b for each subset, (B, n) of 0 and 1: exact without ties up to 33 models, else normal.

    Kendall, Rank Correlation Methods (1970), chapter 5; the choice between the two is the one that SciPy makes.
    """
    from scipy.special import ndtr

    size = chosen.sum(axis=1)
    pairs = size * (size - 1) / 2
    sx, sy = np.sign(x[:, None] - x), np.sign(y[:, None] - y)
    balance = _quadratic(chosen, sx * sy) / 2  # concordant - discordant pairs
    (tie_x, x0, x1), (tie_y, y0, y1) = _ties(x, chosen), _ties(y, chosen)
    m = size * (size - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = (m * (2 * size + 5) - x1 - y1) / 18 + 2 * tie_x * tie_y / m + x0 * y0 / (9 * m * (size - 2))
        p = 2 * ndtr(-np.abs(balance) / np.sqrt(variance))
    for b in np.flatnonzero((tie_x == 0) & (tie_y == 0)):
        fewer = round((pairs[b] - abs(balance[b])) / 2)
        if size[b] <= 33 or fewer <= 1:
            p[b] = _exact_p(int(size[b]), fewer)
    constant = (tie_x == pairs) | (tie_y == pairs)
    return np.where(constant, np.nan, p)


def _ties(x: Array, chosen: Array) -> tuple[Array, Array, Array]:
    """Sums over groups of t equal values: t(t-1)/2, t(t-1)(t-2), t(t-1)(2t+5), for each row of `chosen`."""
    t = chosen @ (x[:, None] == x).astype(float)
    one = chosen * (t - 1)
    return one.sum(axis=1) / 2, (one * (t - 2)).sum(axis=1), (one * (2 * t + 5)).sum(axis=1)


def _exact_p(n: int, fewer: int) -> float:
    """2 P(at most `fewer` discordant pairs) of n models in random order, at most 1."""
    if n > 33:
        return 2 / math.factorial(n - fewer)  # 1 order without an inversion, n - 1 with one: (1, n) / n!
    return min(1.0, 2 * float(_inversions(n)[: fewer + 1].sum()))


@cache
def _inversions(n: int) -> Array:
    """P(k inversions) of a random permutation of n, k = 0 .. n(n-1)/2."""
    out = np.ones(1)
    for k in range(2, n + 1):
        out = np.convolve(out, np.full(k, 1 / k))
    return out


def pearson_p(r: Array, n: int) -> Array:
    """Two-sided p of r over n models (Student's t with n - 2 degrees of freedom)."""
    from scipy.special import stdtr

    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(2 * stdtr(n - 2, -np.abs(r) * np.sqrt((n - 2) / (1 - r**2))))


def score_interval(value: float, n: int, correlation: Correlation, level: float = LEVEL) -> tuple[float, float]:
    """The true correlations from which `value` lies within z standard errors, as Wilson's interval is for a share.

    The error is taken at the true value, and so has a width where all n models stand in the same order in both. Under
    normal scores: of tau, 2/(n(n-1)) (1 - tau^2 + 2 (n - 2) (1/9 - (4/pi^2) asin^2(sin(pi tau / 2) / 2))) (Esscher
    1924; Kendall 1970, chapter 10); of r, (1 - r^2)^2 / (n - 3), with Fisher's correction for few.
    """
    z = quantile_z(level)

    def error(true: float) -> float:
        if correlation == "pearson":
            return (1 - true**2) / math.sqrt(n - 3)
        bend = 1 / 9 - 4 / math.pi**2 * math.asin(math.sin(math.pi * true / 2) / 2) ** 2
        return math.sqrt(max(0.0, 2 / (n * (n - 1)) * (1 - true**2 + 2 * (n - 2) * bend)))

    def end(outer: float) -> float:
        inside, outside = value, outer
        if abs(value - outer) <= z * error(outer):
            return outer
        for _ in range(50):
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if abs(value - middle) <= z * error(middle) else (inside, middle)
        return inside

    return end(-1.0), end(1.0)


def subsets(order: NDArray[np.intp], n: int, how: Subset, repeats: int, seed: int) -> Array:
    """(repeats, m) weights of 0 and 1: which n of m models each repeat takes; one row where nothing is drawn.

    order: (m,) models from best to worst. n = 0 takes all. random: any n; somewhere: n neighbours in the order from a
    random place; top, middle, bottom: one fixed window. Repeat e is drawn with seed + e.
    """
    m = order.size
    if n in (0, m):
        return np.ones((1, m))
    starts = {"top": 0, "bottom": m - n, "middle": (m - n) // 2}
    rows = np.zeros((1 if how in FIXED else repeats, m))
    for e, row in enumerate(rows):
        rng = np.random.default_rng(seed + e)
        if how == "random":
            row[rng.choice(m, n, replace=False)] = 1.0
        else:
            start = starts[how] if how in FIXED else int(rng.integers(0, m - n + 1))
            row[order[start : start + n]] = 1.0
    return rows


def agree(
    x: Array, y: Array, *, correlation: Correlation = "kendall", n: int = 0, subset: Subset = "random",
    repeats: int = 10, seed: int = 0, draws: int = 1000, by: Array | None = None, p_values: bool = True,
    level: float = LEVEL,
) -> Agreement:  # fmt: skip
    """Agreement of x with the reference y, (models,) each, higher is better, NaN where unmeasured.

    Interval: models are drawn with replacement (the same for all repeats) and the repeats too; its ends are moved out
    to those of `score_interval` over the models used, because resampling has no width where all models agree and is too
    narrow for few. draws = 0 gives none. by: (models,) what windows of neighbours follow the order of; y when None.
    """
    shared = np.flatnonzero(~np.isnan(x) & ~np.isnan(y))
    common = int(shared.size)
    nothing = Agreement(math.nan, math.nan, math.nan, math.nan, n or common, common, 0, math.nan, np.empty(0))
    if common < max(n, LEAST):
        return nothing
    order = np.argsort(-(y if by is None else by)[shared], kind="stable")
    x, y = x[shared], y[shared]
    chosen = subsets(order, n, subset, repeats, seed)
    measure = taus if correlation == "kendall" else pearsons
    values = measure(x, y, chosen)
    values = values[~np.isnan(values)]
    if not values.size:
        return nothing
    size = n or common
    value = float(values.mean())
    low = high = p = math.nan
    if p_values:
        p = float(np.nanmean(tau_p(x, y, chosen) if correlation == "kendall" else pearson_p(values, size)))
    if draws:
        low, high = percentile(_resampled(x, y, chosen, correlation, draws, seed), level)
        ends = score_interval(value, int((chosen.sum(axis=0) > 0).sum()), correlation, level)
        low, high = min(low, ends[0], value), max(high, ends[1], value)
    return Agreement(value, low, high, p, size, common, len(chosen), float(values.std()), values)


def _resampled(x: Array, y: Array, chosen: Array, correlation: Correlation, draws: int, seed: int) -> Array:
    """(draws,) mean correlations over resampled models and repeats."""
    m, repeats = x.size, len(chosen)
    draws = draws if repeats == 1 else max(200, draws // repeats)
    counts = np.concatenate(list(group_counts(np.arange(m), draws, seed)))
    picked = np.random.default_rng([seed, m]).integers(0, repeats, (draws, repeats))
    weights = (counts[:, None, :] * chosen[picked]).reshape(-1, m)
    measure = taus if correlation == "kendall" else pearsons
    with np.errstate(divide="ignore", invalid="ignore"):
        values = measure(x, y, weights).reshape(draws, repeats)
    known = ~np.isnan(values)
    total = np.where(known, values, 0.0).sum(axis=1)
    return np.where(known.any(axis=1), total / np.maximum(known.sum(axis=1), 1), np.nan)
