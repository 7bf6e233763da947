"""Bradley-Terry and Plackett-Luce by maximum likelihood, and the graph that says when a scale exists."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from steelyard.core.errors import InputError

from .resample import Array


def strong_components(wins: Array) -> list[NDArray[np.intp]]:
    """Strongly connected components of the graph "i beat j at least once", largest first, each in order of index.

    wins: (M, M), wins[i, j] = how often i beat j. Within a component, and only there, strengths are comparable
    (Ford 1957): outside it somebody never lost, or never met the rest.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    count, label = connected_components(csr_array(wins > 0), directed=True, connection="strong")
    parts = [np.flatnonzero(label == i) for i in range(count)]
    return sorted(parts, key=lambda part: (-part.size, int(part[0])))


def fit_pairs(wins: Array, tolerance: float = 1e-10, iterations: int = 100) -> Array:
    """Bradley-Terry strengths theta, mean 0: P(i beats j) = 1 / (1 + exp(theta_j - theta_i)).

    wins: (M, M) weights, strongly connected. Starts at one Luce spectral ranking step (Maystre and Grossglauser,
    NeurIPS 2015, the first iteration of ILSR) and finishes with damped Newton steps on the concave likelihood: the
    same maximum as ILSR's fixed point, in fewer solves. Raises InputError where no finite maximum exists.
    """
    w = np.asarray(wins, float)
    m = w.shape[0]
    if m == 1:
        return np.zeros(1)
    if len(strong_components(w)) > 1:
        raise InputError(
            "the graph of wins is not strongly connected, so strengths have no common scale.",
            "Rank its components apart, or measure cases that they share.",
        )
    theta = _spectral_start(w)
    games = w + w.T
    value = _log_likelihood(w, theta)
    for _ in range(iterations):
        p = _probability(theta)
        gradient = (w - games * p).sum(axis=1)
        curvature = games * p * p.T
        hessian = np.diag(curvature.sum(axis=1)) - curvature + 1.0 / m  # 1/m fixes the free constant at mean 0
        step = np.linalg.solve(hessian, gradient)
        scale = 1.0
        while True:
            trial = theta + scale * step
            trial -= trial.mean()
            gained = _log_likelihood(w, trial)
            if gained >= value - 1e-12 * abs(value) or scale < 1e-8:
                break
            scale /= 2
        theta, value = trial, gained
        if np.abs(scale * step).max() < tolerance:
            return theta
    raise InputError(f"the strengths did not settle in {iterations} steps.", "Some contender nearly always wins.")


def _probability(theta: Array) -> Array:
    """(M, M) chance that the row beats the column."""
    from scipy.special import expit

    return np.asarray(expit(theta[:, None] - theta[None, :]))


def _log_likelihood(w: Array, theta: Array) -> float:
    return -float((w * np.logaddexp(0.0, theta[None, :] - theta[:, None])).sum())


def _spectral_start(w: Array) -> Array:
    """Log stationary distribution of the chain that moves from loser to winner at rate wins."""
    m = w.shape[0]
    chain = w.T.copy()
    np.fill_diagonal(chain, 0.0)
    chain -= np.diag(chain.sum(axis=1))
    system = chain.T
    system[-1] = 1.0
    right = np.zeros(m)
    right[-1] = 1.0
    pi = np.linalg.solve(system, right)
    theta = np.log(np.clip(pi, 1e-12 / m, None))
    return np.asarray(np.clip(theta - theta.mean(), -20, 20))


def fit_orders(orders: list[list[int]], contenders: int, tolerance: float = 1e-10, iterations: int = 100_000) -> Array:
    """Plackett-Luce strengths, mean 0, from complete or partial orders (best first), by Hunter's MM (2004).

    orders: lists of contender numbers; each place is a choice among those left. Raises InputError where an order names
    a contender twice or the graph "earlier beats later" is not strongly connected.
    """
    longest = max((len(o) for o in orders), default=0)
    if longest < 2:
        raise InputError("no order holds two contenders.", "Give orders of at least two.")
    table = np.full((len(orders), longest), contenders, dtype=np.intp)  # the extra column stands for "nobody"
    wins = np.zeros((contenders, contenders))
    for row, order in enumerate(orders):
        if len(set(order)) != len(order):
            raise InputError(f"order {row} names a contender twice.", "Each contender stands once in an order.")
        table[row, : len(order)] = order
        for place, winner in enumerate(order):
            wins[winner, order[place + 1 :]] += 1
    if len(strong_components(wins)) > 1:
        raise InputError("the orders do not connect all contenders.", "Rank the components apart.")
    last = np.array([len(o) - 1 for o in orders])
    chooses = np.arange(longest)[None, :] < last[:, None]  # the last place is no choice
    firsts = np.bincount(table[chooses], minlength=contenders)[:contenders].astype(float)
    theta = np.zeros(contenders)
    for _ in range(iterations):
        weight = np.append(np.exp(theta), 0.0)
        left = np.cumsum(weight[table][:, ::-1], axis=1)[:, ::-1]
        share = np.cumsum(np.where(chooses, 1.0 / np.where(left > 0, left, 1.0), 0.0), axis=1)
        exposure = np.bincount(table.ravel(), share.ravel(), minlength=contenders + 1)[:contenders]
        new = np.log(firsts / exposure)
        new -= new.mean()
        change = float(np.abs(new - theta).max())
        theta = new
        if change < tolerance:
            return theta
    raise InputError(f"the strengths did not settle in {iterations} steps.", "Some contender nearly always wins.")


def elo_scale(theta: Array, base: float = 1000.0) -> Array:
    """Strengths as ratings: 400 / ln 10 * theta + base (Chatbot Arena, arXiv:2403.04132)."""
    return np.asarray(400.0 / math.log(10.0) * theta + base)
