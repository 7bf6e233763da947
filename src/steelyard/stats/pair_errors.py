"""Standard errors of Bradley-Terry strengths from counts of wins: the sandwich, exactly or by a series."""

from __future__ import annotations

import math

import numpy as np

from .bradley_terry import product, row_blocks
from .resample import Array


def pair_errors(wins: Array, theta: Array) -> Array:
    """(M,) standard errors of strengths where every comparison was drawn by itself: sandwich H^+ B H^+.

    wins: (M, M) counts. B sums the squared gradients of the single comparisons, so that no model of their variance is
    needed. Comparisons of one case depend on each other: use `rank.sandwich` where the cases are known. Many contenders
    most of whom meet are served by a series instead of two cubic products, where its relative error is below 1e-3.
    """
    w = np.asarray(wins)
    many = w.shape[0] > 300 and np.ptp(theta) < 80
    precision = np.float32 if many else float
    weight = np.exp(np.clip(theta - theta.max(), -600, 0)).astype(precision)
    # off the diagonals, of H (negated) and of B (negated): curvature and squared gradients of each pair
    curvature, squares = np.empty(w.shape, precision), np.empty(w.shape, precision)
    for rows in row_blocks(weight):
        won, lost = w[rows].astype(precision), w[:, rows].T.astype(precision, order="C")
        either = weight[rows, None] + weight
        p, q = weight[rows, None] / either, weight / either  # 1 - p would lose small q to rounding
        block = np.add(won, lost, out=curvature[rows])
        block *= p
        block *= q
        q *= q
        q *= won
        p *= p
        p *= lost
        np.add(p, q, out=squares[rows])
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

    def spread(x: Array) -> Array:  # A x without the trivial direction
        y = product(curvature, x / root) / root
        return np.asarray(y - trivial * (trivial @ y))

    x, radius = np.cos(np.arange(root.size, dtype=float)), 1.0
    x -= trivial * (trivial @ x)
    for _ in range(12):
        y = spread(x)
        radius = float(np.linalg.norm(y) / np.linalg.norm(x))
        x = y
    total = squares.sum(axis=1)
    own = total / degree
    second, third, mixed = np.empty((3, root.size))
    for rows in row_blocks(degree):
        block = curvature[rows] * curvature[rows]
        second[rows], third[rows] = product(block, 1 / degree), product(block, own / degree)
        mixed[rows] = product(curvature[rows] * squares[rows], 1 / degree)
    second = second / degree - trivial**2  # diagonal of A^2, without the trivial direction as below
    if radius > 0.6 or float(second.max()) * radius / (1 - radius) > most:
        return None
    local = own * (1 + 2 * second - 2 * trivial**2)
    local += third / degree + trivial**2 * (trivial**2 @ own)
    local -= 2 * trivial * product(curvature, trivial * own / root) / root
    local -= 2 * mixed / degree
    local += 2 * trivial * product(squares, trivial / root) / root
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
    pushed = total * shift - product(squares, shift)
    return np.asarray(local - 2 * solve(pushed) + shift @ pushed)
