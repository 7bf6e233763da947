"""Intervals of a largest, a smallest, or the best of several: the choosing is paid for."""

from __future__ import annotations

import numpy as np

from steelyard.core.errors import InputError

from .evidence import Over
from .resample import Array


def along(x: Array, over: Over) -> Array:
    """Reduce the last axis by mean, geometric mean, median, max or min."""
    if over == "geomean":
        if (x <= 0).any():
            raise InputError("a geometric mean needs positive values.", 'Use over = "median" or "mean".')
        return np.asarray(np.exp(np.log(x).mean(axis=-1)))
    if over == "median":
        return np.asarray(np.median(x, axis=-1))
    if over == "mean":
        return np.asarray(x.mean(axis=-1))
    return np.asarray(x.max(axis=-1) if over == "max" else x.min(axis=-1))


def fold(x: Array, ways: list[tuple[int, str]]) -> Array:
    """Reduce (ours, theirs, S), or draws of it, by max and min along the axes named (counted without draws)."""
    shift = x.ndim - 3
    for axis, name in ways:
        x = x.max(axis=axis + shift, keepdims=True) if name == "max" else x.min(axis=axis + shift, keepdims=True)
    return np.asarray(x.reshape(x.shape[:shift]))


def bounds(point: Array, draws: Array, ways: list[tuple[int, str]], level: float) -> tuple[float, float]:
    """Interval of a largest (smallest) of several quantities, accounting for the choosing.

    point: (ours, theirs, S); draws: (B, ours, theirs, S). A lower bound of a maximum needs bounds below all quantities
    at once (max-T over the draws); an upper bound needs only the bound of each by itself, for the true largest is one
    of them. Mirrored for a minimum; where both occur both ends are simultaneous. Coverage is at least nominal, however
    near the quantities lie to one another.
    """
    tail = (1 - level) / 2
    error = draws.std(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(error > 0, (draws - point) / error, 0.0).reshape(draws.shape[0], -1)
    kinds = {name for _, name in ways}
    if "max" in kinds:
        low = point - np.quantile(t.max(axis=1), 1 - tail) * error
    else:
        low = np.quantile(draws, tail, axis=0)
    if "min" in kinds:
        high = point + np.quantile((-t).max(axis=1), 1 - tail) * error
    else:
        high = np.quantile(draws, 1 - tail, axis=0)
    return float(fold(low, ways)), float(fold(high, ways))


def way(point: Array, k: int, own: Array, highest: bool) -> str:
    """ "max" or "min" where taking the best (worst) member makes the expression its largest or smallest, else "choose".

    point: (ours, theirs, S) values of the expression; own: (members, S) values of side k, by which one is picked.
    For max and min the bounds are rigorous; a choice that is neither is followed draw by draw.
    """
    if own.shape[1] != point.shape[2]:
        return "choose"
    pick = own.argmax(axis=0) if highest else own.argmin(axis=0)
    x = np.moveaxis(point, k, 0)
    taken = np.take_along_axis(x, np.broadcast_to(pick, (1, *x.shape[1:])), axis=0)
    if np.all(taken >= x.max(axis=0)):
        return "max"
    return "min" if np.all(taken <= x.min(axis=0)) else "choose"


def follow(x: Array, own: Array, split: int, chosen: list[int], highest: list[bool]) -> Array:
    """(B, S): in each draw take, of the sides in `chosen`, the member that is best (worst) by the side's own values.

    x: (B, ours, theirs, S) values of the expression; own: (B, members, S); split: members of the contender's side.
    """
    if chosen and own.shape[2] != x.shape[3]:
        raise InputError("best of or worst of against a set, case by case, is not defined.", 'Use over = "mean".')
    for k in chosen:
        members = own[:, :split] if k == 0 else own[:, split:]
        pick = members.argmax(axis=1) if highest[k] else members.argmin(axis=1)
        shape = list(x.shape)
        shape[k + 1] = 1
        x = np.take_along_axis(x, np.broadcast_to(pick[:, None, None, :], shape), axis=k + 1)
    return np.asarray(x[:, 0, 0])
