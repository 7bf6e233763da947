"""What was measured, as draws: the table a claim is judged on, and its resampling by cases or by trials."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from steelyard.core.errors import InputError
from steelyard.core.words import Direction, Kind

from .pairs import Missing
from .resample import CHUNK, DRAWS, Array, block_length, chunks, codes, group_counts, round_indices, widen, widen_median

Unit = Literal["cases", "trials", "draws", "none"]
Over = Literal["mean", "median", "max", "min", "geomean"]
FEWEST_DRAWS = 40  # an end of a 95% interval needs a draw beyond it
TIMES = (Kind.DURATION, Kind.RATE)


@dataclass(frozen=True)
class Drawn:
    """A statistic that is no average over cases (tau, F1, perplexity): its value and (B,) draws made by the caller.

    Draws of both sides from `case_weights` with one seed are paired.
    """

    value: float
    draws: Array


@dataclass(frozen=True)
class Table:
    """The measurements one claim is judged on, of one metric.

    contender, baseline: member spec -> (cases,) or (cases, trials) values, NaN where missing; or a `Drawn`. All arrays
    have the same cases in the same order, and trials that belong together (seed, interleaved round) stand together.
    For `rank`, baseline holds every other contender.
    unit: what is a sample. "cases": the cases stand for others like them (problems, questions); trials are averaged.
    "trials": the cases are the grid that was asked for, and rounds or seeds vary (times, training runs).
    "draws": the value of a case is no average, and trial 0 holds it; the other trials are its bootstrap draws, paired
    over members and cases.
    "none": everything was counted, nothing sampled (facts about data, exact counts, published figures).
    groups: labels of dependent cases. slices: a label for each case (data set, model size); `over` then runs over the
    slices, each being the mean of its cases. missing: "exclude" drops a case that any member lacks, "zero" scores 0.
    """

    contender: Mapping[str, ArrayLike | Drawn]
    baseline: Mapping[str, ArrayLike | Drawn] = field(default_factory=dict)
    kind: Kind = Kind.REAL
    direction: Direction = Direction.HIGHER
    unit: Unit = "cases"
    groups: Sequence[Hashable] | None = None
    slices: Sequence[Hashable] | None = None
    missing: Missing = "exclude"


@dataclass(frozen=True)
class Frame:
    """Point values (M, S) of all members, contender's first, and draws (B, M, S) of them.

    S: slices or fixed cases, or sampled cases where `weights_seed` is set: then there are no draws, and a statistic
    of single cases is resampled afterwards (`group` holds the groups). units: independent cases or trials behind the
    draws. blind: sampled from one unit only, so that no interval exists.
    """

    point: Array
    draws: Array
    split: int
    units: int
    unit: Unit
    lost: int
    blind: str = ""
    group: np.ndarray | None = None


def case_weights(groups: Sequence[Hashable] | None, n: int, draws: int = DRAWS, seed: int = 0) -> Array:
    """(draws, n) bootstrap weights of cases, whole groups at a time: for callers who make `Drawn` statistics."""
    return np.concatenate(list(group_counts(codes(groups, n), draws, seed)))


def build(table: Table, over: Over, draws: int = DRAWS, seed: int = 0) -> Frame:
    """Resample a table. One seed gives tables of equal cases and groups the same resamples, so keys stay paired."""
    members = [*table.contender.values(), *table.baseline.values()]
    split = len(table.contender)
    if not split:
        raise InputError("a claim needs measurements of its contender.")
    if any(isinstance(m, Drawn) for m in members):
        return _given(members, split, table.unit)
    x, kept, lost = stack(table, [np.asarray(m, float) for m in members])
    if x.shape[1] == 0:
        empty = np.full((len(members), 1), np.nan)
        return Frame(empty, empty[None], split, 0, table.unit, lost)
    groups = None if table.groups is None else [table.groups[i] for i in kept]
    slices = None if table.slices is None else [table.slices[i] for i in kept]
    if table.unit == "draws":
        blind = "" if x.shape[2] > FEWEST_DRAWS else f"fewer than {FEWEST_DRAWS} draws"
        return Frame(x[:, :, 0], np.moveaxis(x[:, :, 1:], 2, 0), split, 0, "trials", lost, blind)
    if table.unit == "trials":
        return _by_trials(table, x, slices, split, lost, draws, seed)
    point = _centre(x, table.kind)
    if table.unit == "none":
        point = _slice_means(point, slices)
        return Frame(point, point[None], split, point.shape[1], "none", lost)
    group = codes(groups, point.shape[1])
    if slices is None and over in ("median", "max", "min"):
        count = int(group.max()) + 1
        return Frame(point, point[None], split, count, "cases", lost, "one case" if count < 2 else "", group)
    return _by_cases(table.kind, point, group, slices, over, split, lost, draws, seed)


def stack(table: Table, members: list[Array]) -> tuple[Array, list[int], int]:
    """(M, cases, trials) values without missing cases, the kept case numbers, and how many cases were dropped."""
    shaped = [m[:, None] if m.ndim == 1 else m for m in members]
    if any(m.ndim != 2 for m in shaped) or len({m.shape[0] for m in shaped}) != 1:
        raise InputError("the members of a claim have different numbers of cases.", "Align them by case id first.")
    repeated = table.unit in ("trials", "draws")
    if repeated and len({m.shape[1] for m in shaped}) != 1:
        raise InputError("a claim's members have different numbers of trials.", "Keep the trials all of them have.")
    if not repeated:
        # several samples of a case are averaged, as many as each member has; a case without any is dropped or scored 0
        filled = [np.nan_to_num(m, nan=0.0) if table.missing == "zero" else m for m in shaped]
        x = np.stack([_present(m, table.kind)[:, None] for m in filled])
        gone = np.isnan(x).any(axis=(0, 2))
    else:
        x = np.stack(shaped)
        x = np.nan_to_num(x, nan=0.0) if table.missing == "zero" else x
        gone = np.isnan(x).any(axis=(0, 2))
    if table.groups is not None and len(table.groups) != x.shape[1]:
        raise InputError(f"{len(table.groups)} group labels for {x.shape[1]} cases.")
    return x[:, ~gone], np.flatnonzero(~gone).tolist(), int(gone.sum())


def _centre(x: Array, kind: Kind) -> Array:
    """One value a case of (..., trials): the median of times, the mean of scores."""
    return np.asarray(np.median(x, axis=-1) if kind in TIMES else x.mean(axis=-1))


def _present(x: Array, kind: Kind) -> Array:
    """`_centre` of (cases, trials) over the trials that are there; NaN where none is."""
    empty = np.isnan(x).all(axis=1)
    out = np.full(x.shape[0], np.nan)
    out[~empty] = (np.nanmedian if kind in TIMES else np.nanmean)(x[~empty], axis=1)
    return out


def _slice_means(values: Array, slices: Sequence[Hashable] | None) -> Array:
    """(..., cases) to (..., slices) by mean; unchanged without slices."""
    if slices is None:
        return values
    label = codes(slices, len(slices))
    count = np.bincount(label)
    mixing = np.zeros((label.size, count.size))
    mixing[np.arange(label.size), label] = 1.0 / count[label]
    return np.asarray(values @ mixing)


def _given(members: Sequence[ArrayLike | Drawn], split: int, unit: Unit) -> Frame:
    drawn = [m for m in members if isinstance(m, Drawn)]
    size = min(m.draws.size for m in drawn)
    point, draws = [], []
    for m in members:
        if isinstance(m, Drawn):
            point.append(m.value)
            draws.append(m.draws[:size])
        else:
            value = np.asarray(m, float).ravel()
            if value.size != 1:
                raise InputError("beside a drawn statistic the other members must be drawn too, or single numbers.")
            point.append(float(value[0]))
            draws.append(np.full(size, value[0]))
    return Frame(np.array(point)[:, None], np.stack(draws, axis=1)[:, :, None], split, 0, unit, 0)


def _by_trials(
    table: Table, x: Array, slices: Sequence[Hashable] | None, split: int, lost: int, draws: int, seed: int
) -> Frame:
    """Rounds or seeds are drawn for all members and cases together, in blocks where they hang together."""
    m, c, t = x.shape
    point = _slice_means(_centre(x, table.kind), slices)
    if t < 2:
        blind = "" if table.kind == Kind.COUNT else "a single run is not a distribution"
        return Frame(point, point[None], split, t, "trials", lost, blind)
    logs = table.kind in TIMES and bool((x > 0).all())
    series = np.log(x) if logs else x
    contrast = series[:split].mean(axis=(0, 1)) - (series[split:].mean(axis=(0, 1)) if split < m else 0.0)
    block = block_length(contrast)
    factor = widen_median if table.kind in TIMES else widen
    draws = _affordable(draws, m * point.shape[1])
    parts = [
        _slice_means(np.moveaxis(_centre(x[:, :, index], table.kind), 2, 0), slices)
        for index in round_indices(t, draws, seed, block, m * c)
    ]
    return Frame(point, _spread(point, np.concatenate(parts), factor(t // block), logs), split, t, "trials", lost)


def _affordable(draws: int, width: int) -> int:
    """Fewer draws (not below 1,000) where members x slices are many, so that all draws fit in 160 MB."""
    return max(min(draws, 1000), min(draws, 5 * CHUNK // max(1, width)))


def _spread(point: Array, draws: Array, factor: float, logs: bool) -> Array:
    """Widen draws about the point (on the logarithm for times) to make up for few units."""
    if factor == 1.0:
        return draws
    if logs:
        return np.asarray(point * (draws / point) ** factor)
    return np.asarray(point + factor * (draws - point))


def _by_cases(
    kind: Kind, point: Array, group: np.ndarray, slices: Sequence[Hashable] | None, over: Over, split: int, lost: int,
    draws: int, seed: int,
) -> Frame:  # fmt: skip
    """Cases are drawn in groups; the mean (or geometric mean) of each slice, or of all, in every draw."""
    m, n = point.shape
    label = codes(slices, n) if slices is not None else np.zeros(n, int)
    count = int(label.max()) + 1
    logs = over == "geomean" and slices is None
    if logs and (point <= 0).any():
        raise InputError("a geometric mean needs positive values.", 'Use over = "median" or "mean".')
    values = np.log(point) if logs else point
    draws = _affordable(draws, m * count)
    centre = np.empty((m, count))
    out = np.empty((draws, m, count))
    fewest = n
    for s in range(count):
        inside = np.flatnonzero(label == s)
        within = codes([int(g) for g in group[inside]], inside.size)
        v = values[:, inside]
        centre[:, s] = v.mean(axis=1)
        sampler = binary_draws if kind == Kind.BINARY and bool(np.isin(v, (0.0, 1.0)).all()) else mean_draws
        # the seed does not depend on the member or the key, so that everything stays paired
        out[:, :, s] = sampler(v, within, draws, seed + s)
        fewest = min(fewest, int(within.max()) + 1)
    if logs:
        centre, out = np.exp(centre), np.exp(out)
    units = int(group.max()) + 1
    return Frame(centre, out, split, units, "cases", lost, "one case" if fewest < 2 else "")


def mean_draws(v: Array, group: np.ndarray, draws: int, seed: int) -> Array:
    """(draws, M) bootstrap means of (M, n) values over groups, widened for few groups."""
    sizes = np.bincount(group).astype(float)
    sums = np.stack([np.bincount(group, row) for row in v], axis=1)
    parts = [c @ sums / (c @ sizes)[:, None] for c in group_counts(np.arange(sizes.size), draws, seed)]
    middle = v.mean(axis=1)
    return np.asarray(middle + widen(sizes.size) * (np.concatenate(parts) - middle))


def binary_draws(v: Array, group: np.ndarray, draws: int, seed: int) -> Array:
    """(draws, M) shares of ones, from the posterior of a Dirichlet process: honest where all cases agree.

    A bootstrap of 20 out of 20 has no width. Here the groups get Dirichlet weights (Rubin's Bayesian bootstrap)
    beside a prior worth two cases whose outcomes are fair coins, independent between members: each member alone has the
    posterior Beta(k + 1, n - k + 1), close to Wilson's interval; members stay paired case by case.
    """
    # two streams: the weights of the cases do not depend on how many members stand beside each other
    rng, prior_rng = np.random.default_rng([seed, 0]), np.random.default_rng([seed, 1])
    sizes = np.bincount(group).astype(float)
    sums = np.stack([np.bincount(group, row) for row in v], axis=1)
    atoms = 8  # pieces the prior's weight of two cases is cut in
    factor = widen(sizes.size) / widen(v.shape[1])  # 1 where every case is its own group
    parts = []
    for rows in chunks(draws, sizes.size + atoms * v.shape[0]):
        weight = rng.standard_exponential((rows, sizes.size))
        prior = prior_rng.standard_gamma(2.0 / atoms, (rows, atoms))
        coins = prior_rng.integers(0, 2, (rows, atoms, v.shape[0]))
        ones = weight @ sums + np.einsum("ra,ram->rm", prior, coins)
        parts.append(ones / (weight @ sizes + prior.sum(axis=1))[:, None])
    out = np.concatenate(parts)
    middle = v.mean(axis=1)
    return np.asarray(np.clip(middle + factor * (out - middle), 0.0, 1.0)) if factor > 1.001 else out


def as_share(table: Table) -> Table:
    """The table of "contender strictly better than every baseline member", 1 or 0, for cases that are a sample.

    A set on the contender's side is compared member by member with a baseline set of the same size, else each of its
    members with all of the baseline.
    """
    if not table.baseline:
        return table
    members = [np.asarray(m, float) for m in [*table.contender.values(), *table.baseline.values()]]
    if table.missing == "zero":
        members = [np.nan_to_num(m, nan=0.0) for m in members]
    x = np.stack([m if m.ndim == 1 else _present(m, table.kind) for m in members])
    better = wins(x, len(table.contender), table.direction)
    return replace(
        table, contender=dict(zip(table.contender, better, strict=True)), baseline={}, kind=Kind.BINARY,
        direction=Direction.HIGHER,
    )  # fmt: skip


def wins(x: Array, split: int, direction: Direction) -> Array:
    """(..., M, S) values to (..., split, S): 1 where a contender's member is strictly better, NaN where unknown."""
    signed = -x if direction == Direction.LOWER else x
    ours, theirs = signed[..., :split, :], signed[..., split:, :]
    rival = theirs if ours.shape[-2] == theirs.shape[-2] else theirs.max(axis=-2, keepdims=True)
    return np.where(np.isnan(ours) | np.isnan(rival), np.nan, (ours > rival).astype(float))
