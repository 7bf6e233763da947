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

    wins: (M, M) weights, strongly connected. Damped Newton steps on the concave likelihood: the same maximum as
    `ilsr_pairs` and `mm_pairs`, without a matrix to factorise. Raises InputError where no finite maximum exists.
    """
    w = _connected(wins)
    m = w.shape[0]
    if m == 1:
        return np.zeros(1)
    games, won = w + w.T, w.sum(axis=1)
    theta = np.log(won / (games.sum(axis=1) - won))  # each against the field, as if that were average
    theta -= theta.mean()
    value = -math.inf
    for _ in range(iterations):
        p = win_chance(theta)
        gradient = won - np.einsum("ij,ij->i", games, p)
        step = _newton_step(games * p * p.T, gradient)
        scale = 1.0
        if np.abs(step).max() > 0.1:  # nearer to the maximum a full step always climbs
            value = max(value, _log_likelihood(games, won, theta))
            while (gained := _log_likelihood(games, won, theta + scale * step)) < value - 1e-12 * abs(value):
                scale /= 2
                if scale < 1e-8:
                    break
            value = gained
        theta = theta + scale * step
        theta -= theta.mean()
        if np.abs(scale * step).max() < tolerance:
            return np.asarray(theta)
    raise InputError(f"the strengths did not settle in {iterations} steps.", "Some contender nearly always wins.")


def _newton_step(curvature: Array, gradient: Array) -> Array:
    """Solve (diag(row sums) - curvature) step = gradient by conjugate gradients, mean 0.

    curvature: (M, M), symmetric, its diagonal of no effect. Directly where the graph is so thin that these crawl.
    """
    np.fill_diagonal(curvature, 0.0)
    degree = curvature.sum(axis=1)
    step, residual = np.zeros_like(gradient), gradient - gradient.mean()  # rounding would leave the solvable part
    scaled = residual / degree
    direction, power = scaled.copy(), float(residual @ scaled)
    goal = 1e-12 * power  # the outer steps mend what is left
    for _ in range(100):
        if power <= max(goal, 1e-30):
            return np.asarray(step - step.mean())
        image = degree * direction - curvature @ direction
        length = power / float(direction @ image)
        step += length * direction
        residual -= length * image
        scaled = residual / degree
        before, power = power, float(residual @ scaled)
        direction = scaled + (power / before) * direction
    return np.asarray(np.linalg.solve(np.diag(degree) - curvature + 1.0 / gradient.size, gradient))


def ilsr_pairs(wins: Array, alpha: float = 0.0, tolerance: float = 1e-8, iterations: int = 100) -> Array:
    """Iterative Luce spectral ranking (Maystre and Grossglauser, NeurIPS 2015), strengths of mean 0.

    alpha: rate added between every two contenders (0: maximum likelihood). With alpha a value exists whatever the
    graph looks like, and where the graph is not strongly connected it is the prior's, not the data's.
    Raises InputError for a graph that is not strongly connected (alpha 0) and where it does not settle.
    """
    w = np.asarray(wins, float) if alpha > 0 else _connected(wins)
    theta = np.zeros(w.shape[0])
    for _ in range(iterations):
        new = _luce_step(w, theta, alpha)
        change = float(np.abs(new - theta).max())
        theta = new
        if change < tolerance:
            return theta
    raise InputError(f"the strengths did not settle in {iterations} steps.", "Some contender nearly always wins.")


def mm_pairs(wins: Array, tolerance: float = 1e-10, iterations: int = 100_000) -> Array:
    """Bradley-Terry by minorisation-maximisation (Hunter 2004, Annals of Statistics 32:384-406), mean 0."""
    w = _connected(wins)
    games, won = w + w.T, w.sum(axis=1)
    theta = np.zeros(w.shape[0])
    if theta.size == 1:
        return theta
    for _ in range(iterations):
        weight = np.exp(theta)
        new: Array = np.log(won / (games / (weight[:, None] + weight[None, :])).sum(axis=1))
        new -= new.mean()
        change = float(np.abs(new - theta).max())
        theta = new
        if change < tolerance:
            return theta
    raise InputError(f"the strengths did not settle in {iterations} steps.", "Some contender nearly always wins.")


def pair_errors(wins: Array, theta: Array) -> Array:
    """(M,) standard errors of strengths where every comparison was drawn by itself: sandwich H^+ B H^+.

    wins: (M, M) counts. B sums the squared gradients of the single comparisons, so that no model of their variance is
    needed. Comparisons of one case depend on each other: use `rank.sandwich` where the cases are known.
    """
    w = np.asarray(wins, float)
    m = w.shape[0]
    p = win_chance(theta)
    q = 1.0 - p
    hessian, meat = -((w + w.T) * p * q), -(w * q * q + (w * q * q).T)
    for matrix in (hessian, meat):
        np.fill_diagonal(matrix, 0.0)
        np.fill_diagonal(matrix, -matrix.sum(axis=1))
    hessian += 1.0 / m
    bread = np.linalg.inv(hessian)
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", bread @ meat, bread)))


def win_chance(theta: Array) -> Array:
    """(M, M) chance that the row beats the column."""
    weight = np.exp(np.clip(theta - theta.max(), -600, 0))
    return np.asarray(weight[:, None] / (weight[:, None] + weight[None, :]))


def _connected(wins: Array) -> Array:
    w = np.asarray(wins, float)
    if w.shape[0] > 1 and len(strong_components(w)) > 1:
        raise InputError(
            "the graph of wins is not strongly connected, so strengths have no common scale.",
            "Rank its components apart, or measure cases that they share.",
        )
    return w


def _log_likelihood(games: Array, won: Array, theta: Array) -> float:
    """sum_ij w_ij log p_ij, up to a constant that theta does not change."""
    shifted = theta - theta.max()
    weight = np.exp(np.clip(shifted, -600, 0))
    return float(won @ shifted) - float((games * np.log(weight[:, None] + weight[None, :])).sum()) / 2


def _luce_step(w: Array, theta: Array, alpha: float = 0.0) -> Array:
    """Log stationary distribution of the chain that moves from loser to winner at rate wins / (weights' sum)."""
    m = w.shape[0]
    weight = np.exp(theta - theta.max())
    weight *= m / weight.sum()  # the scale on which alpha is meant
    system = alpha + w / (weight[:, None] + weight[None, :])  # [winner, loser]: already the transposed chain
    np.fill_diagonal(system, 0.0)
    np.fill_diagonal(system, -system.sum(axis=0))
    system[-1] = 1.0  # the balance of the last contender follows from the others: its row says that shares sum to 1
    right = np.zeros(m)
    right[-1] = 1.0
    pi = np.linalg.solve(system, right)
    new = np.log(np.clip(pi, 1e-300, None))
    return np.asarray(new - new.mean())


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
