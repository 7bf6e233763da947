"""Bradley-Terry and Plackett-Luce by maximum likelihood, and the graph that says when a scale exists."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

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
    np.fill_diagonal(games, 0.0)
    # passes over (M, M) are all the time, so: rows side by side, and first steps of many in single precision
    single: Array = games.astype(np.float32) if m > 300 else games
    for _ in range(iterations):
        single = single if np.ptp(theta) < 80 else games  # beyond, single precision has no weights
        weight, curvature, expected = _curvature(single, theta)
        gradient = won - expected
        try:
            step, scale = _newton_step(weight, curvature, gradient), 1.0
        except np.linalg.LinAlgError:
            break
        if np.abs(step).max() > 1.0:  # nearer to the maximum a full step always climbs
            value = _log_likelihood(games, won, theta)
            while scale > 1e-8 and _log_likelihood(games, won, theta + scale * step) < value - 1e-12 * abs(value):
                scale /= 2
        theta = theta + scale * step
        theta -= theta.mean()
        if single.dtype == games.dtype and np.abs(scale * step).max() < math.sqrt(tolerance):
            return np.asarray(theta)  # the error after a step is about its square
        if np.abs(step).max() < 0.01:
            single = games
    # wins as lopsided as a thousand to one on thin links: slower, and sure
    return ilsr_pairs(w, tolerance=tolerance, iterations=10_000)


def _curvature(games: Array, theta: Array) -> tuple[Array, Array, Array]:
    """(M,) weights w = exp(theta), (M, M) games / (w_i + w_j)^2, and (M,) expected wins, in the precision of games.

    The likelihood bends by w_i w_j times the second, which is left out: two passes over it less.
    """
    weight = np.exp(np.clip(theta - theta.max(), -600, 0)).astype(games.dtype)
    out, expected = np.empty_like(games), np.empty_like(weight)

    def fill(rows: slice) -> None:
        inverse = np.reciprocal(weight[rows, None] + weight)
        block = np.multiply(games[rows], inverse, out=out[rows])
        expected[rows] = weight[rows] * block.sum(axis=1)
        block *= inverse

    _over_rows(weight.size, fill)
    return weight, out, expected


def _newton_step(weight: Array, inner: Array, gradient: Array) -> Array:
    """Solve (diag(row sums) - C) step = gradient for C = diag(weight) inner diag(weight), mean 0.

    inner: (M, M), symmetric, its diagonal 0. Many contenders by conjugate gradients, which need few steps where
    most of them meet; few, or those in a thin graph, directly.
    """
    wide, m = weight.astype(float), gradient.size
    degree = wide * (inner @ weight)
    if m > 300 and degree.min() > 0:
        step, residual = np.zeros(m), gradient - gradient.mean()  # rounding would leave the solvable part
        scaled = residual / degree
        direction, power = scaled.copy(), float(residual @ scaled)
        goal = max(1e-10 * power, 1e-30)  # the outer steps mend what is left
        for _ in range(60):
            if power <= goal:
                return np.asarray(step - step.mean())
            image = degree * direction - wide * (inner @ (weight * direction).astype(inner.dtype))
            length = power / float(direction @ image)
            step += length * direction
            residual -= length * image
            scaled = residual / degree
            before, power = power, float(residual @ scaled)
            direction = scaled + (power / before) * direction
    system = np.diag(degree) - wide[:, None] * inner * wide + degree.mean() / m  # the last term fixes mean 0
    return np.asarray(np.linalg.solve(system, gradient))


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
    needed. Comparisons of one case depend on each other: use `rank.sandwich` where the cases are known. Many contenders
    most of whom meet are served by a series instead of two cubic products, where its relative error is below 1e-3.
    """
    many = wins.shape[0] > 300 and np.ptp(theta) < 80
    w = np.asarray(wins, np.float32 if many else float)
    weight = np.exp(np.clip(theta - theta.max(), -600, 0)).astype(w.dtype)
    # off the diagonals, of H (negated) and of B (negated): curvature and squared gradients of each pair
    curvature, squares = np.empty_like(w), np.empty_like(w)

    def fill(rows: slice) -> None:
        p = weight[rows, None] / (weight[rows, None] + weight)
        won, lost = w[rows], w[:, rows].T
        q = 1.0 - p
        block = np.add(won, lost, out=curvature[rows])
        block *= p
        block *= q
        q *= q
        q *= won
        p *= p
        p *= lost
        np.add(p, q, out=squares[rows])

    _over_rows(w.shape[0], fill)
    for matrix in (curvature, squares):
        np.fill_diagonal(matrix, 0.0)
    near = _series_variance(curvature, squares) if many else None
    return np.sqrt(_exact_variance(curvature.astype(float), squares.astype(float)) if near is None else near)


def _exact_variance(curvature: Array, squares: Array) -> Array:
    """(M,) diagonal of H^+ B H^+ for H = diag(row sums) - curvature and B = diag(row sums) - squares."""
    from scipy.linalg.lapack import dpotrf, dpotri

    m = curvature.shape[0]
    hessian, meat = np.diag(curvature.sum(axis=1)) - curvature, np.diag(squares.sum(axis=1)) - squares
    hessian += 1.0 / m
    factor, _ = dpotrf(hessian, lower=1, overwrite_a=1)
    lower, _ = dpotri(factor, lower=1, overwrite_c=1)
    bread = np.tril(lower) + np.tril(lower, -1).T
    return np.asarray(np.einsum("ij,ij->i", bread @ meat, bread))


def _series_variance(curvature: Array, squares: Array, most: float = 1e-3) -> Array | None:
    """`_exact_variance` to second order in A = D^-1/2 C D^-1/2 (D the row sums of the curvature C), or None.

    H^+ = D^-1/2 (I + A + A^2 + ...) D^-1/2 up to a constant for all, which B does not see. What is left out is at most
    the second-order part times r / (1 - r), r the largest eigenvalue of A next to its trivial 1; None where that
    exceeds `most`, as it does where contenders meet few others.
    """
    degree = curvature.sum(axis=1).astype(float)
    if degree.min() <= 0:
        return None
    root = np.sqrt(degree)
    trivial = root / np.linalg.norm(root)

    def times(matrix: Array, x: Array) -> Array:  # in the matrix's precision: widening it would copy all of it
        return np.asarray(matrix @ x.astype(matrix.dtype), float)

    def spread(x: Array) -> Array:  # A x without the trivial direction
        y = times(curvature, x / root) / root
        return np.asarray(y - trivial * (trivial @ y))

    x, radius = np.cos(np.arange(root.size, dtype=float)), 1.0
    x -= trivial * (trivial @ x)
    for _ in range(12):
        y = spread(x)
        radius = float(np.linalg.norm(y) / np.linalg.norm(x))
        x = y
    square = curvature * curvature
    second = times(square, 1 / degree) / degree - trivial**2  # diagonal of A^2, without the trivial direction as below
    if radius > 0.6 or float(second.max()) * radius / (1 - radius) > most:
        return None
    total = squares.sum(axis=1)
    own = total / degree
    local = own * (1 + 2 * second - 2 * trivial**2)
    local += times(square, own / degree) / degree + trivial**2 * (trivial**2 @ own)
    local -= 2 * trivial * times(curvature, trivial * own / root) / root
    local -= 2 * times(np.multiply(curvature, squares, out=square), 1 / degree) / degree
    local += 2 * trivial * times(squares, trivial / root) / root
    local /= degree

    def solve(b: Array) -> Array:  # H^+ b up to a constant
        term = b / root
        term = term - trivial * (trivial @ term)
        out = term
        for _ in range(math.ceil(math.log(1e-6) / math.log(max(radius, 1e-3)))):
            term = spread(term)
            out = out + term
        return np.asarray(out / root)

    # from strengths of weighted mean 0 to strengths of mean 0: Var(t_i - mean t)
    shift = solve(np.ones_like(degree)) / degree.size
    pushed = total * shift - times(squares, shift)
    return np.asarray(local - 2 * solve(pushed) + shift @ pushed)


def _over_rows(m: int, work: Callable[[slice], None]) -> None:
    """Call `work` on slices that cover range(m), side by side where there is enough to do: NumPy lets go of the lock."""
    if m <= 300:
        return work(slice(0, m))
    size = min(128, -(-m // (os.cpu_count() or 1)))
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(work, [slice(start, start + size) for start in range(0, m, size)]))


def _connected(wins: Array) -> Array:
    w = np.asarray(wins, float)
    beat = w > 0
    if not (_reaches_all(beat) and _reaches_all(beat.T)):
        raise InputError(
            "the graph of wins is not strongly connected, so strengths have no common scale.",
            "Rank its components apart, or measure cases that they share.",
        )
    return w


def _log_likelihood(games: Array, won: Array, theta: Array) -> float:
    """sum_ij w_ij log p_ij."""
    shifted = theta - theta.max()
    weight = np.exp(np.clip(shifted, -600, 0))
    return float(won @ shifted) - float((games * np.log(weight[:, None] + weight[None, :])).sum()) / 2


def _reaches_all(graph: NDArray[np.bool_]) -> bool:
    """Whether every node can be reached from the first, (M, M) edges from row to column."""
    seen = np.zeros(graph.shape[0], bool)
    fresh = np.array([0])
    while fresh.size:
        seen[fresh] = True
        fresh = np.flatnonzero(graph[fresh].any(axis=0) & ~seen)
    return bool(seen.all())


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
