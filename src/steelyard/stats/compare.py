"""Two contenders on the same cases: difference or ratio with interval, test, effect size and a verdict in words."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from steelyard.core.errors import InputError
from steelyard.core.words import Direction, Kind

from .estimates import clustered_error, size_notes
from .pairs import Missing, align, holm, mcnemar, sign_flip, t_test, tango
from .resample import (
    DRAWS,
    LEVEL,
    Array,
    block_length,
    chunks,
    codes,
    percentile,
    quantile_t,
    round_indices,
    widen_median,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Comparison:
    """A against B, paired.

    estimate, low, high: A - B, or A / B where scale is "ratio". p: two-sided, unadjusted. p_adjusted: after Holm over
    the family shown together (equal to p until `adjust`). effect, effect_name: a size free of units.
    n: pairs used; clusters: independent groups or blocks among them; lost: cases only one side has; failed: shared
    cases with a missing value (dropped or counted as 0, see `method`). verdict: faster | slower | better | worse |
    higher | lower | no difference shown | equivalent. margin: what equivalence was judged by.
    """

    estimate: float
    low: float
    high: float
    p: float
    p_adjusted: float
    effect: float
    effect_name: str
    n: int
    clusters: int
    lost: int
    failed: int
    scale: str
    method: str
    verdict: str
    direction: Direction
    kind: Kind
    margin: float | None = None
    notes: list[str] = field(default_factory=list)


def verdict(c: Comparison, level: float = LEVEL) -> str:
    """The words for a comparison: a difference needs p_adjusted <= 1 - level; equivalence the interval within margin.

    For ratios the margin m means [1/(1+m), 1+m]. Equivalence wins over a difference too small to matter.
    """
    neutral = 1.0 if c.scale == "ratio" else 0.0
    if c.margin is not None and not math.isnan(c.low):
        inside = (1 / (1 + c.margin), 1 + c.margin) if c.scale == "ratio" else (-c.margin, c.margin)
        if inside[0] <= c.low and c.high <= inside[1]:
            return "equivalent"
    if math.isnan(c.p_adjusted) or c.p_adjusted > 1 - level or c.estimate == neutral:
        return "no difference shown"
    above = c.estimate > neutral
    if c.direction == Direction.NONE:
        return "higher" if above else "lower"
    if c.kind in (Kind.DURATION, Kind.RATE):
        return "faster" if above == (c.direction == Direction.HIGHER) else "slower"
    return "better" if above == (c.direction == Direction.HIGHER) else "worse"


def adjust(comparisons: Sequence[Comparison], level: float = LEVEL) -> list[Comparison]:
    """Holm over the comparisons shown together; the verdicts follow the adjusted p (Holm 1979)."""
    adjusted = holm([c.p for c in comparisons])
    changed = [replace(c, p_adjusted=float(p)) for c, p in zip(comparisons, adjusted, strict=True)]
    return [replace(c, verdict=verdict(c, level)) for c in changed]


def compare(
    a: ArrayLike,
    b: ArrayLike,
    kind: Kind,
    direction: Direction = Direction.HIGHER,
    *,
    ids_a: Sequence[str] | None = None,
    ids_b: Sequence[str] | None = None,
    groups: Sequence[Hashable] | None = None,
    missing: Missing = "exclude",
    margin: float | None = None,
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
) -> Comparison:
    """Compare A with B by the kind of metric.

    a, b: (cases,), or (cases, trials) with NaN where missing or failed. ids_*: case ids where the two orders or sets
    differ: the shared ones are used, the rest counted as lost. groups: labels of A's cases. missing: "exclude" drops a
    pair with a missing value, "zero" scores it 0 (not for durations and rates).
    Binary: exact McNemar and Tango's score interval; in groups, sign flips of group sums and a clustered t interval.
    Duration, rate: see `compare_times`. Else: mean difference, t interval on group sums, sign-flip permutation p.
    Several trials of a quality metric are averaged within the case first.
    """
    if kind in (Kind.DURATION, Kind.RATE):
        if missing == "zero":
            raise InputError("a missing time cannot count as 0.", 'Use missing="exclude", or a performance profile.')
        pair = align(a, b, ids_a, ids_b, groups, "exclude", rounds=True)
        done = compare_times(pair.a, pair.b, direction, margin=margin, level=level, draws=draws, seed=seed)
        return replace(done, kind=kind, lost=pair.lost, failed=pair.failed, verdict=verdict(replace(done, kind=kind)))
    pair = align(a, b, ids_a, ids_b, groups, missing)
    difference = pair.a - pair.b
    group = codes(pair.groups, difference.size)
    clusters = int(group.max()) + 1 if difference.size else 0
    notes = size_notes(difference.size, clusters)
    if kind == Kind.BINARY and set(np.unique([pair.a, pair.b])) <= {0.0, 1.0} and clusters == difference.size:
        only_a, only_b = int((difference > 0).sum()), int((difference < 0).sum())
        value = float(difference.mean()) if difference.size else math.nan
        low, high = tango(only_a, only_b, difference.size, level)
        p, method = mcnemar(only_a, only_b), f"exact McNemar {only_a}/{only_b}, Tango interval"
        effect, effect_name = (only_a / (only_a + only_b) - 0.5 if only_a + only_b else 0.0), "Cohen's g"
    else:
        value, low, high, p, effect = _mean_difference(difference, group, level, draws, seed)
        effect_name = "d_z"
        method = f"sign flips of {clusters} groups, {'clustered ' if clusters < difference.size else ''}t interval"
    if difference.size and np.ptp(difference) == 0:
        notes.append("all differences equal")
    if pair.failed:
        rule = "scored 0" if missing == "zero" else "pair excluded"
        notes.append(f"{pair.failed} cases with a missing value ({rule})")
    c = Comparison(
        value, low, high, p, p, effect, effect_name, difference.size, clusters, pair.lost, pair.failed,
        "difference", method, "", direction, kind, margin, notes,
    )  # fmt: skip
    return replace(c, verdict=verdict(c, level))


def _mean_difference(
    d: Array, group: np.ndarray, level: float, draws: int, seed: int
) -> tuple[float, float, float, float, float]:
    """Mean, interval, sign-flip p and d_z of paired differences in groups."""
    if d.size == 0:
        return math.nan, math.nan, math.nan, math.nan, math.nan
    value = float(d.mean())
    sums = np.bincount(group, d).astype(float)
    half = quantile_t(sums.size - 1, level) * clustered_error(d, group) if sums.size > 1 else math.inf
    spread = float(d.std(ddof=1)) if d.size > 1 else 0.0
    # identical but non-zero differences have no spread, and so no size in units of it
    effect = value / spread if spread > 0 else (0.0 if value == 0 else math.nan)
    return value, value - half, value + half, sign_flip(sums, draws, seed), effect


def compare_times(
    a: ArrayLike,
    b: ArrayLike,
    direction: Direction = Direction.LOWER,
    *,
    margin: float | None = None,
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
) -> Comparison:
    """Ratio A / B of positive times or rates, (cases, rounds) with the rounds of A and B interleaved.

    One case: the ratio of medians over rounds. Several: the geometric mean over the cases of those ratios; the cases
    are the grid that was asked for, not a sample. Interval: rounds are drawn together for both sides and all cases
    (in blocks where they hang together), on the logarithm, widened below five rounds. p: sign flips of the blocks' mean
    log ratios, or, where the blocks are too few for these to reach 1 - level, a t test on them. With one round a case there is no repetition: the cases are then the sample (t interval and sign flips
    on log ratios), and a note says so. effect: mean over sd of the log ratios.
    """
    x, y = (np.atleast_2d(np.asarray(v, float)) for v in (a, b))
    if x.shape != y.shape:
        raise InputError(f"times of shapes {x.shape} and {y.shape} are not paired.", "Give equal cases and rounds.")
    if x.shape[1] > 1:
        keep = ~(np.isnan(x) | np.isnan(y)).any(axis=0)
    else:
        keep = np.ones(1, bool)
        good = ~(np.isnan(x) | np.isnan(y)).any(axis=1)
        x, y = x[good], y[good]
    dropped = int((~keep).sum())
    x, y = x[:, keep], y[:, keep]
    if (x <= 0).any() or (y <= 0).any():
        raise InputError("a ratio needs positive times.", "Record a failed cell as missing, not as 0.")
    notes = [f"{dropped} rounds dropped: a value is missing in them"] if dropped else []
    if x.size == 0:
        nan = math.nan
        return Comparison(
            nan, nan, nan, nan, nan, nan, "d_z of log ratios", 0, 0, 0, 0, "ratio", "no shared rounds",
            "no difference shown", direction, Kind.DURATION, margin, notes,
        )  # fmt: skip
    log_a, log_b = np.log(x), np.log(y)
    if x.shape[1] == 1:
        series, units = (log_a - log_b)[:, 0], x.shape[0]
        value, low, high, p, effect = _mean_difference(series, np.arange(units), level, draws, seed)
        notes += ["one round a case: a single run is not a distribution", *size_notes(units, units)]
        method = "t interval over cases' log ratios"
    else:
        series = (log_a - log_b).mean(axis=0)
        block = block_length(series)
        units = series.size // block
        value = float((np.median(log_a, axis=1) - np.median(log_b, axis=1)).mean())
        drawn = _median_draws(log_a, log_b, block, draws, seed)
        low, high = percentile(value + widen_median(units, level) * (drawn - value), level)
        if units < 2:
            low, high = -math.inf, math.inf
        means = series[: units * block].reshape(units, block).mean(axis=1)
        if 0.5 ** (units - 1) > 1 - level:  # so few that no pattern of signs is rare
            p = t_test(means)
            notes += [f"p from a t test: {units} rounds are too few for sign flips"]
        else:
            p = sign_flip(means, draws, seed)
        spread = float(series.std(ddof=1))
        effect = float(series.mean()) / spread if spread > 0 else math.nan
        notes += [f"{units} independent rounds"] if units < 10 else []
        method = f"bootstrap over {series.size} rounds (blocks of {block}), B={draws}, seed={seed}"
    c = Comparison(
        math.exp(value), math.exp(low), math.exp(min(high, 709.0)), p, p, effect, "d_z of log ratios",
        x.size, units, 0, 0, "ratio", method, "", direction, Kind.DURATION, margin, notes,
    )  # fmt: skip
    return replace(c, verdict=verdict(c, level))


def _median_draws(log_a: Array, log_b: Array, block: int, draws: int, seed: int) -> Array:
    """(draws,) mean over cases of the difference of medians, rounds being resampled for all (cases, rounds) together."""
    rounds = log_a.shape[1]
    index = np.concatenate(list(round_indices(rounds, draws, seed, block)))
    distinct, place = index, np.arange(draws)
    if math.comb(2 * rounds - 1, rounds) < draws:  # a median does not ask for the order of its rounds
        distinct, place = np.unique(np.sort(index, axis=1), axis=0, return_inverse=True)
    parts, at = [], 0
    for rows in chunks(len(distinct), 2 * log_a.size):
        i = distinct[at : at + rows]
        parts.append((np.median(log_a[:, i], axis=2) - np.median(log_b[:, i], axis=2)).mean(axis=0))
        at += rows
    return np.concatenate(parts)[place.ravel()]
