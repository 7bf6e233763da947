"""Did the search buy anything? Searched runs against random draws from the same space (arXiv:1912.12522)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from steelyard.core.errors import InputError

from .resample import DRAWS, LEVEL, Array, percentile, quantile_t, quantile_z

FEWEST = 3  # runs a side below which no interval is given


@dataclass(frozen=True, slots=True)
class Gain:
    """Searched runs against random ones.

    improvement, low, high: 100 (mean searched - mean random) / mean random, in percent, with a bootstrap interval (NaN
    below three runs a side). welch_p, mann_whitney_p: two-sided. mean, sd, lowest, highest: of the searched runs; sd
    with ddof 0, as published. The same of the random runs.
    """

    improvement: float
    low: float
    high: float
    welch_p: float
    mann_whitney_p: float
    runs: int
    mean: float
    sd: float
    lowest: float
    highest: float
    random_runs: int
    random_mean: float
    random_sd: float
    random_lowest: float
    random_highest: float
    notes: tuple[str, ...] = field(default=())


def gain(searched: ArrayLike, random: ArrayLike, *, draws: int = DRAWS, seed: int = 0, level: float = LEVEL) -> Gain:
    """Relative improvement of `searched` (runs,) over the mean of `random` (runs,), higher is better; NaN is dropped.

    Both sides are resampled by themselves; the draws are widened for few runs, by sqrt(n/(n-1)) of the smaller side and
    the t quantile of Welch's degrees of freedom over the normal one. Raises InputError where a side has no
    run, the random mean is not positive, or one side is in percent and the other a fraction.
    """
    x, y = (np.asarray(v, float).ravel() for v in (searched, random))
    x, y = x[~np.isnan(x)], y[~np.isnan(y)]
    if not x.size or not y.size:
        raise InputError(f"{x.size} searched and {y.size} random runs.", "Both sides need runs; three for an interval.")
    check_units({"searched": x, "random": y})
    if y.mean() <= 0:
        raise InputError("the random runs have a mean of 0 or less.", "A relative improvement needs a positive score.")
    value = 100 * (x.mean() - y.mean()) / y.mean()
    low = high = welch = rank = math.nan
    notes: tuple[str, ...] = ()
    if min(x.size, y.size) >= FEWEST:
        from scipy.stats import mannwhitneyu, ttest_ind

        rng = np.random.default_rng(seed)
        drawn_x, drawn_y = (v[rng.integers(0, v.size, (draws, v.size))].mean(axis=1) for v in (x, y))
        spread = 100 * (drawn_x - drawn_y) / drawn_y - value
        least = min(x.size, y.size)
        factor = 1.0
        if np.ptp(x) + np.ptp(y) > 0:
            test = ttest_ind(x, y, equal_var=False)
            welch = float(test.pvalue)
            factor = math.sqrt(least / (least - 1)) * quantile_t(float(test.df), level) / quantile_z(level)
        low, high = percentile(value + factor * spread, level)
        rank = float(mannwhitneyu(x, y).pvalue)
    else:
        notes = ("fewer than 3 runs a side: no interval and no test",)
    return Gain(
        float(value), low, high, welch, rank, x.size, *_spread(x), y.size, *_spread(y), notes,
    )  # fmt: skip


def _spread(v: Array) -> tuple[float, float, float, float]:
    return float(v.mean()), float(v.std()), float(v.min()), float(v.max())


def significant(g: Gain, p: float, level: float = LEVEL) -> float:
    """1 where the improvement is above 0 and `p` below 1 - level, else 0; NaN without a test."""
    return math.nan if math.isnan(p) else float(g.improvement > 0 and p < 1 - level)


def metrics_of(g: Gain) -> dict[str, float]:
    """A gain as a benchmark's metrics; what could not be computed is left out."""
    facts = {
        "relative_improvement_percent": g.improvement, "low": g.low, "high": g.high, "welch_p": g.welch_p,
        "mann_whitney_p": g.mann_whitney_p, "accuracy": g.mean, "sd": g.sd, "random_accuracy": g.random_mean,
        "random_sd": g.random_sd, "runs": float(g.runs), "significant_improvement": significant(g, g.welch_p),
    }  # fmt: skip
    return {name: value for name, value in facts.items() if not math.isnan(value)}


def check_units(columns: dict[str, Array]) -> None:
    """Raise InputError where some columns are fractions (none above 1) and others percents."""
    fractions = [name for name, v in columns.items() if v.size and np.nanmax(v) <= 1]
    if fractions and len(fractions) < sum(v.size > 0 for v in columns.values()):
        raise InputError(f"{', '.join(fractions)}: fractions among percents.", "Give all scores in one unit.")


def pseudo_values(statistic: Callable[..., float], samples: Sequence[Array], folds: int) -> Array:
    """Jackknife pseudo-values of a statistic, (folds,): their mean is the statistic, their spread its error.

    Row i of every sample belongs to fold i mod folds; the g-th value is G s - (G - 1) s without fold g (Tukey 1958;
    groups deleted from several samples at once: Kott 2001), all moved so that their mean is s itself. They let a
    statistic that is no mean (tau, a standard deviation, a difference of unequal samples) be judged as one.
    """
    whole = float(statistic(*samples))
    without = np.array([
        statistic(*(s[np.arange(len(s)) % folds != g] for s in samples)) for g in range(folds)
    ])  # fmt: skip
    values = folds * whole - (folds - 1) * without
    return np.asarray(values - values.mean() + whole)


def smooth(curve: Array, width: int = 20) -> Array:
    """Moving average over the last axis, only where `width` epochs are there: (..., epochs) to (..., epochs-width+1)."""
    total = np.cumsum(np.concatenate([np.zeros((*curve.shape[:-1], 1)), curve], axis=-1), axis=-1)
    return np.asarray((total[..., width:] - total[..., :-width]) / width)


def variance_shares(scores: Array) -> tuple[float, float]:
    """Variance components of (architectures, recipes, seeds) scores: of the architecture and of the recipe.

    Two-way layout with replicates: (MS_factor - MS_interaction) / (levels of the other factor x seeds), not below 0
    (Searle, Casella and McCulloch, Variance Components, 1992, chapter 4).
    """
    a, r, s = scores.shape
    mean = scores.mean()
    by_a, by_r = scores.mean(axis=(1, 2)), scores.mean(axis=(0, 2))
    cell = scores.mean(axis=2)
    interaction = s * ((cell - by_a[:, None] - by_r + mean) ** 2).sum() / ((a - 1) * (r - 1))
    ms_a = r * s * ((by_a - mean) ** 2).sum() / (a - 1)
    ms_r = a * s * ((by_r - mean) ** 2).sum() / (r - 1)
    return max(0.0, float(ms_a - interaction) / (r * s)), max(0.0, float(ms_r - interaction) / (a * s))
