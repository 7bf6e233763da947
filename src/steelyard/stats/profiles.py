"""Times over many problems: Dolan-More performance profiles and the shifted geometric mean."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from steelyard.core.errors import InputError

from .resample import Array


@dataclass(frozen=True, slots=True)
class Profile:
    """taus: (T,) the steps of the ratio to the best; shares: (S, T) problems each solver solves within that ratio."""

    taus: Array
    shares: Array

    def at(self, tau: float) -> Array:
        """(S,) shares at one ratio."""
        place = int(np.searchsorted(self.taus, tau, side="right")) - 1
        return np.asarray(self.shares[:, place] if place >= 0 else np.zeros(len(self.shares)))

    def area(self, limit: float) -> Array:
        """(S,) exact area under the step profile over [1, limit], divided by its width: 1 is best on every problem."""
        if not limit > 1:
            raise InputError(f"a profile's limit must be above 1, not {limit}.")
        edges = np.append(self.taus[self.taus < limit], limit)
        return np.asarray(self.shares[:, : edges.size - 1] @ np.diff(edges) / (limit - 1))


def performance_ratios(times: ArrayLike) -> Array:
    """(..., S, P) time over the best time of the problem; NaN or infinite times are failures, with ratio infinity.

    Dolan and More (arXiv:cs/0102001), section 2. A problem nobody solves has ratio infinity for all.
    """
    t = np.asarray(times, float)
    if t.ndim < 2 or t.size == 0:
        raise InputError(f"times of shape {t.shape}: a profile needs (solvers, problems).")
    if (t <= 0).any():
        raise InputError("a performance ratio needs positive times.", "Record a failure as missing, not as 0.")
    t = np.where(np.isnan(t), np.inf, t)
    best = t.min(axis=-2, keepdims=True)
    with np.errstate(invalid="ignore"):
        return np.where(np.isinf(t), np.inf, t / np.where(np.isinf(best), 1.0, best))


def performance_profile(times: ArrayLike) -> Profile:
    """Profile of (S, P) times: rho_s(tau) = share of problems with ratio <= tau. It depends on the set of solvers."""
    ratios = performance_ratios(times)
    taus = np.unique(np.append(ratios[np.isfinite(ratios)], 1.0))
    shares = np.stack([np.searchsorted(np.sort(r), taus, side="right") / r.size for r in ratios])
    return Profile(taus, shares)


def shifted_geometric_mean(times: ArrayLike, shift: float = 1.0) -> float:
    """exp(mean(log(t + shift))) - shift, in the unit of the times; the shift keeps tiny times from deciding.

    Times >= 0 without NaN: state what a failure costs (say, the time limit) before averaging.
    """
    t = np.asarray(times, float)
    if t.size == 0 or not np.isfinite(t).all() or (t < 0).any() or (t + shift <= 0).any():
        raise InputError("a shifted geometric mean needs finite times >= 0.", "Put the time limit where a run failed.")
    return math.exp(float(np.log(t + shift).mean())) - shift
