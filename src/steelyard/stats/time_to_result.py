"""Time to result: tuning trials and studies to times, held-out variants, and profile scores (arXiv:2306.07179, section 4).

All scores depend on the set of submissions they are computed in.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from steelyard.core.errors import InputError

from .profiles import performance_ratios
from .resample import Array

Rule = Literal["min_time", "eval_index"]
Tuning = Literal["studies", "best-of-all-trials"]
Integral = Literal["exact", "trapezoid"]
LIMIT = 4.0  # profiles are integrated up to this ratio; a variant slower than this is missed
TAUS = 100  # equispaced ratios of the official trapezoid

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Runs:
    """When every training run of a set of submissions first reached its target.

    times: (S, W, K, T) seconds in study k and trial t; inf where the run missed, NaN where none was logged.
    evals: (S, W, K, T) the index of that evaluation. base: (B,) columns that are scored. variants, of: (V,) columns of
    held-out variants, and the position in `base` of the workload each is a variant of. budgets: (W,) seconds a run may
    take, NaN where unknown.
    """

    submissions: tuple[str, ...]
    workloads: tuple[str, ...]
    times: Array
    evals: Array
    base: Ints
    variants: Ints
    of: Ints
    budgets: Array

    def without(self, submission: int) -> Runs:
        """The same set with one submission left out."""
        kept = np.delete(np.arange(len(self.submissions)), submission)
        names = tuple(self.submissions[i] for i in kept)
        return replace(self, submissions=names, times=self.times[kept], evals=self.evals[kept])

    def solvable(self) -> Runs:
        """The same set, scored only on workloads that some submission solves in its median study."""
        solved = np.isfinite(median_times(study_times(self))[:, self.base]).any(axis=0)
        return self.drawn(np.flatnonzero(solved), None)

    def drawn(self, workloads: Ints, picks: Array | None) -> Runs:
        """A resample. workloads: positions in `base`, repeats allowed; their variants come along.

        picks: (S, W, K) uniform numbers that choose, among the studies there are of each pair, one for each study; None
        keeps the studies as they are.
        """
        own = [np.flatnonzero(self.of == b) for b in workloads]
        drawn = replace(
            self, base=self.base[workloads], variants=self.variants[np.concatenate([*own, []]).astype(int)],
            of=np.repeat(np.arange(len(own)), np.array([o.size for o in own], int)),
        )  # fmt: skip
        if picks is None:
            return drawn
        there = ~np.isnan(self.times).all(axis=3)
        counts = there.sum(axis=2, keepdims=True)
        slots = np.argsort(~there, axis=2, kind="stable")  # the studies there are, first
        chosen = np.take_along_axis(slots, np.minimum((picks * counts).astype(int), np.maximum(counts - 1, 0)), axis=2)
        chosen = np.where(np.arange(there.shape[2]) < counts, chosen, slots)  # as many as there are
        times, evals = (np.take_along_axis(x, chosen[..., None], axis=2) for x in (self.times, self.evals))
        return replace(drawn, times=times, evals=evals)


@dataclass(frozen=True)
class Scored:
    """What a set of submissions is worth. times: (S, W) median seconds, uncoupled. coupled: (S, B). lost: (S, B) base
    workloads that count as missed because a variant was. parts: (S, B) share of each workload in the score, 0 to 1."""

    times: Array
    coupled: Array
    lost: NDArray[np.bool_]
    parts: Array

    @property
    def scores(self) -> Array:
        """(S,) the mean of the parts: a workload that nobody solves stays in the denominator."""
        return np.asarray(self.parts.mean(axis=1))


def first_hits(run: ArrayLike, order: ArrayLike, time: ArrayLike, reached: ArrayLike, runs: int) -> tuple[Array, Array]:
    """(runs,) time and index of the first evaluation at the target, in order of evaluation; infinite where none is.

    run: (n,) the run, 0 to runs - 1, of each evaluation. order: (n,) its index. A value that is NaN never reaches.
    """
    who, index, hit = np.asarray(run, int), np.asarray(order, float), np.asarray(reached, bool)
    times, evals = np.full(runs, np.inf), np.full(runs, np.inf)
    at = np.flatnonzero(hit)
    at = at[np.lexsort((index[at], who[at]))]
    first = at[np.unique(who[at], return_index=True)[1]]
    times[who[first]], evals[who[first]] = np.asarray(time, float)[first], index[first]
    return times, evals


def study_times(runs: Runs, rule: Rule = "min_time") -> Array:
    """(S, W, K) time of each study: of its fastest trial; inf where all missed, NaN where there is no such study.

    rule: min_time takes the fastest, as the rules say; eval_index the one that needed the fewest evaluations (the first
    trial among equals), as the official code does.
    """
    t = np.where(np.isnan(runs.times), np.inf, runs.times)
    if rule == "min_time":
        best = t.min(axis=3)
    else:
        pick = np.where(np.isnan(runs.evals), np.inf, runs.evals).argmin(axis=3)
        best = np.take_along_axis(t, pick[..., None], axis=3)[..., 0]
    return np.where(np.isnan(runs.times).all(axis=3), np.nan, best)


def median_times(studies: ArrayLike) -> Array:
    """(S, W) median over the studies there are, misses taking part as infinity; inf where there is none."""
    x = np.sort(np.asarray(studies, float), axis=-1)  # NaN, the absent, last
    count = (~np.isnan(x)).sum(axis=-1, keepdims=True)
    low, high = (
        np.take_along_axis(x, np.maximum(at, 0), axis=-1) for at in ((count - 1) // 2, count // 2 - (count == 0))
    )
    return np.where(count[..., 0] > 0, (low[..., 0] + high[..., 0]) / 2, np.inf)


def couple(times: ArrayLike, runs: Runs) -> Array:
    """(S, B) base times, with infinity where the held-out variant of a base workload was missed or too slow.

    In the official order: a variant counts as missed where its base was; what took more than 4 times the best of its
    column is missed; then a base is missed where its variant is.
    """
    t = np.array(times, float)
    t[:, runs.variants] = np.where(np.isfinite(t[:, runs.base[runs.of]]), t[:, runs.variants], np.inf)
    t = np.where(t > LIMIT * t.min(axis=0), np.inf, t)
    out = t[:, runs.base]
    for variant, base in zip(runs.variants, runs.of, strict=True):
        out[:, base] = np.where(np.isfinite(t[:, variant]), out[:, base], np.inf)
    return out


def profile_parts(ratios: ArrayLike, integral: Integral = "exact") -> Array:
    """The area under one workload's step, 1 from its ratio on, over [1, 4], divided by 3; 0 where missed.

    exact: max(0, 4 - r) / 3. trapezoid: the official sum over 100 equispaced ratios.
    """
    r = np.asarray(ratios, float)
    if integral == "exact":
        return np.clip((LIMIT - r) / (LIMIT - 1), 0.0, 1.0)
    steps = (r[..., None] <= np.linspace(1.0, LIMIT, TAUS)).astype(float)
    return np.asarray((steps[..., 1:] + steps[..., :-1]).mean(axis=-1) / 2)


def score(
    runs: Runs, *, rule: Rule = "min_time", integral: Integral = "exact", coupling: bool = True,
    tuning: Tuning = "studies",
) -> Scored:  # fmt: skip
    """Times, coupling and parts of every submission of a set.

    tuning: `studies` is the protocol, the median over studies of the fastest trial; `best-of-all-trials` takes the
    fastest of all trials of all studies, which pays nothing for tuning.
    """
    if not runs.submissions or not runs.base.size:
        raise InputError("no submission, or no workload, is left to score.")
    studies = study_times(runs, rule)
    best = np.where(np.isnan(studies), np.inf, studies).min(axis=2)
    times = median_times(studies) if tuning == "studies" else best
    plain = times[:, runs.base]
    coupled = couple(times, runs) if coupling else plain
    lost = np.isfinite(plain) & np.isinf(coupled) & (plain <= LIMIT * plain.min(axis=0))
    return Scored(times, coupled, lost, profile_parts(performance_ratios(coupled), integral))


def speedups(times: ArrayLike, reference: int, budgets: ArrayLike) -> Array:
    """(S, B) time of the reference over the time of each; a miss is charged the workload's budget and one second."""
    t = np.asarray(times, float)
    charged = np.where(np.isfinite(t), t, np.asarray(budgets, float) + 1.0)
    return np.asarray(charged[reference] / charged)


def resample(runs: Runs, draws: int, seed: int) -> Iterator[Runs]:
    """`draws` bootstrap sets: workloads drawn with repeats, and the studies within each submission and workload."""
    rng = np.random.default_rng(seed)
    b = runs.base.size
    for _ in range(draws):
        yield runs.drawn(rng.integers(0, b, b), rng.random(runs.times.shape[:3]))
