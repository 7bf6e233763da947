"""Bradley-Terry and Plackett-Luce by maximum likelihood, and the graph that says when a scale exists."""

from __future__ import annotations

import math
from collections.abc import Iterator

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


def count_pairs(winner: NDArray[np.integer], loser: NDArray[np.integer], contenders: int) -> Array:
    """(contenders, contenders) counts, [i, j] how often i beat j; single precision as long as it counts exactly.

    winner, loser: (N,) numbers from 0 of those compared. Raises InputError for a number that is no contender's.
    """
    for who in (winner, loser):
        if who.size != winner.size or (who.size and not 0 <= who.min() <= who.max() < contenders):
            raise InputError(
                f"winners and losers are not equally many numbers below {contenders}.", "Number the contenders from 0."
            )
    counts = np.zeros(contenders * contenders, np.float32 if winner.size < 1 << 24 else float)
    step = 1 << 16  # counts are touched all over the matrix, so nothing else should take room in the cache
    for start in range(0, winner.size, step):
        part = slice(start, start + step)
        place = winner[part].astype(np.intp) * contenders + loser[part].astype(np.intp)
        np.add.at(counts, place, counts.dtype.type(1))
    return counts.reshape(contenders, contenders)


def fit_pairs(wins: Array, tolerance: float = 1e-10, iterations: int = 100) -> Array:
    """Bradley-Terry strengths theta, mean 0: P(i beats j) = 1 / (1 + exp(theta_j - theta_i)).

    wins: (M, M) weights, strongly connected. Newton steps on the concave likelihood, shortened so that they climb
    (to ln(1 + r) / r of those that move a pair who met by r: Sun and Tran-Dinh, arXiv:1703.04599): the same maximum as
    `ilsr_pairs` and `mm_pairs`, for most without a matrix to factorise.
    Raises InputError where no finite maximum exists.
    """
    w = _connected(wins)
    m = w.shape[0]
    if m < 2:
        return np.zeros(m)
    won = w.sum(axis=1, dtype=float)
    theta = np.log(won / w.sum(axis=0, dtype=float))  # each against the field, as if that were average
    theta -= theta.mean()
    # passes over (M, M) are all the time, so: first steps of many in single precision, and nothing kept but one matrix
    precision: type[np.float32 | float] = np.float32 if m > 300 else float
    inner = np.empty((m, m), precision)
    for _ in range(iterations):
        if np.ptp(theta) > 300:
            break  # squares of such weights leave double precision
        if np.ptp(theta) > 30 and inner.dtype != float:  # and of such, single
            precision, inner = float, np.empty((m, m))
        weight, expected = _curvature(w, theta.astype(precision), inner)
        step = _newton_step(weight, inner, won - expected)
        largest = np.abs(step).max()
        if not np.isfinite(largest):
            break
        if largest > 0.5:  # a full step that moves no pair by more than 1 climbs anyway
            widest = max(float((np.abs(step[rows, None] - step) * (w[rows] > 0)).max()) for rows in row_blocks(step))
            step *= math.log1p(widest) / widest
        theta = theta + step
        theta -= theta.mean()
        if precision is float and largest < math.sqrt(tolerance):
            return np.asarray(theta)  # the error after a step is about its square
        if largest < 0.01:
            precision = float
    # strengths further apart than that, or a hundred steps that did not do: slower, and sure
    return ilsr_pairs(w, tolerance=tolerance, iterations=10_000)


def _curvature(wins: Array, theta: Array, inner: Array) -> tuple[Array, Array]:
    """(M,) weights w = exp(theta) and expected wins, in the precision of theta; fills inner with games / (w_i + w_j)^2.

    The likelihood bends by w_i w_j times inner, which is left out: two passes over it less.
    """
    weight = np.exp(np.clip(theta - theta.max(), -600, 0))
    expected = np.empty_like(weight)
    for rows in row_blocks(weight):
        either = weight[rows, None] + weight
        block = np.add(wins[rows], wins[:, rows].T, dtype=theta.dtype, casting="same_kind")
        block /= either
        expected[rows] = weight[rows] * block.sum(axis=1)
        np.divide(block, either, out=inner[rows], casting="same_kind")
    return weight, expected


def _newton_step(weight: Array, inner: Array, gradient: Array) -> Array:
    """Solve (diag(row sums) - C) step = gradient for C = diag(weight) inner diag(weight), mean 0.

    inner: (M, M), symmetric, its diagonal 0; rounding in it moves the step by as little, since the row sums follow it.
    Many contenders by conjugate gradients, which need few steps where most of them meet; few, or those in a thin graph,
    directly. NaN where that cannot be solved.
    """
    wide, m = weight.astype(float), gradient.size
    degree = wide * product(inner, wide)
    if m > 300 and degree.min() > 0:
        step, residual = np.zeros(m), gradient - gradient.mean()  # rounding would leave the solvable part
        scaled = residual / degree
        direction, power = scaled.copy(), float(residual @ scaled)
        goal = max(1e-10 * power, 1e-30)  # the outer steps mend what is left
        for _ in range(60):
            if power <= goal:
                return np.asarray(step - step.mean())
            image = degree * direction - wide * product(inner, wide * direction)
            length = power / float(direction @ image)
            step += length * direction
            residual -= length * image
            scaled = residual / degree
            before, power = power, float(residual @ scaled)
            direction = scaled + (power / before) * direction
    bends = wide[:, None] * inner * wide
    degree = bends.sum(axis=1)
    system = np.diag(degree) - bends + degree.mean() / m  # the last term fixes mean 0
    try:
        return np.asarray(np.linalg.solve(system, gradient))
    except np.linalg.LinAlgError:
        return np.full(m, np.nan)


def ilsr_pairs(wins: Array, alpha: float = 0.0, tolerance: float = 1e-8, iterations: int = 100) -> Array:
    """Iterative Luce spectral ranking (Maystre and Grossglauser, NeurIPS 2015), strengths of mean 0.

    alpha: rate added between every two contenders (0: maximum likelihood). With alpha a value exists whatever the
    graph looks like, and where the graph is not strongly connected it is the prior's, not the data's.
    Raises InputError for a graph that is not strongly connected (alpha 0), where it does not settle, and where strengths
    lie so far apart that doubles cannot hold their shares.
    """
    w = np.asarray(wins, float)
    if alpha == 0:
        w = _connected(w)
    theta = np.zeros(w.shape[0])
    for _ in range(iterations):
        new = _luce_step(w, theta, alpha)
        change = float(np.abs(new - theta).max())
        theta = new
        if change < tolerance:
            if np.ptp(theta) > 650:  # shares would leave double precision
                raise InputError("strengths lie further apart than e^650.", "Rank contenders of like strength apart.")
            return theta
    raise InputError(f"the strengths did not settle in {iterations} steps.", "Some contender nearly always wins.")


def mm_pairs(wins: Array, tolerance: float = 1e-10, iterations: int = 100_000) -> Array:
    """Bradley-Terry by minorisation-maximisation (Hunter 2004, Annals of Statistics 32:384-406), mean 0."""
    w = _connected(np.asarray(wins, float))
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


def row_blocks(row: Array, size: int = 1 << 18) -> Iterator[slice]:
    """Slices that cover a matrix of as many rows as `row`, `size` bytes of such rows each: they stay in the cache."""
    height = max(1, size // row.nbytes)
    return (slice(start, start + height) for start in range(0, row.size, height))


def product(matrix: Array, x: Array) -> Array:
    """matrix @ x as (M,) doubles, in the matrix's precision: widening it would copy all of it.

    Row by row, which BLAS leaves to one thread: products as short as these spend more on waiting for a second.
    """
    return np.asarray((matrix[:, None, :] @ x.astype(matrix.dtype))[:, 0], float)


def _connected(wins: Array) -> Array:
    w = np.asarray(wins)
    w = w if w.dtype == np.float32 else w.astype(float, copy=False)
    if not math.isfinite(w.sum()) or w.min(initial=0.0) < 0:
        raise InputError("wins are counts, and some are negative or no finite numbers.", "Leave such comparisons out.")
    if w.diagonal().any():  # nobody meets himself
        w = w - np.diag(w.diagonal())
    if not (_reaches_all(w) and _reaches_all(w.T)):
        raise InputError(
            "the graph of wins is not strongly connected, so strengths have no common scale.",
            "Rank its components apart, or measure cases that they share.",
        )
    return w


def _reaches_all(graph: Array) -> bool:
    """Whether every node can be reached from the first, (M, M) edges from row to column where above 0."""
    unseen = np.arange(graph.shape[0]) > 0
    waiting = [0]
    while waiting and unseen.any():  # where most meet, a few rows settle it
        fresh = np.flatnonzero((graph[waiting.pop()] > 0) & unseen)
        unseen[fresh] = False
        waiting.extend(fresh.tolist())
    return not unseen.any()


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
