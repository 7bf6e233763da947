"""Inputs on which softmax kernels go wrong, and what the right answer is."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from steelyard.benchmarks.kernels.softmax.accuracy import NORMAL, reference

GUARD = np.float32(-7.0)  # stands around the output; a kernel that writes outside is found by it
TOLERANCE = 3e-5  # relative: ten times what float32 x - max costs at magnitudes up to 88
LENGTHS = (2, 7, 16, 17, 33, 100, 1000, 5000)
INF, NAN = np.float32(np.inf), np.float32(np.nan)


def _rows(*values: float, places: str = "all") -> list[np.ndarray]:
    """Normal rows of several lengths in which the values stand first, in the middle, last, and everywhere but once."""
    rng = np.random.default_rng(5)
    rows = []
    for n in LENGTHS:
        for value in values:
            for at in (0, n // 2, n - 1):
                row = rng.normal(0, 3, n).astype(np.float32)
                row[at] = value
                rows.append(row)
            if places == "all":
                row = np.full(n, value, np.float32)
                row[n // 2] = 1.5
                rows.append(row)
    return rows


def _large() -> list[np.ndarray]:
    """Magnitudes above 2^22, where the float exponent of the two-pass pair is no longer exact; masks of -FLT_MAX."""
    rng = np.random.default_rng(6)
    top = float(np.finfo(np.float32).max)
    rows = [np.array(r, np.float32) for r in ([3e38, -3e38, 3e38], [-3e38, -3e38], [1e30, 0, -1e30], [top, -top, 1.0])]
    for n in LENGTHS:
        for offset in (2.0**20, 2.0**22, 2.0**23, -(2.0**23), 1e9, -1e20):
            rows.append((offset + rng.uniform(-40, 40, n)).astype(np.float32))
    return [*rows, *_rows(-1e9, -1e30, -top)]


def edge_rows(name: str) -> list[np.ndarray]:
    """The float32 rows of an edge case; a row may begin off a vector's boundary."""
    rng = np.random.default_rng(7)
    if name == "empty":
        return [np.empty(0, np.float32)]
    if name == "one":
        return [np.array([v], np.float32) for v in (0.0, 1.0, -3.5, 88.0, -1000.0, 1e30, -1e30)]
    if name == "contains-minus-infinity":
        return _rows(-INF)
    if name == "contains-plus-infinity":
        return [*_rows(INF), np.array([INF], np.float32)]
    if name == "contains-nan":
        return [*_rows(NAN), *_rows(-NAN, places="one"), np.array([NAN, -INF, INF], np.float32)]
    if name == "all-minus-infinity":
        return [np.full(n, -INF, np.float32) for n in (1, *LENGTHS)]
    if name == "large-magnitude":
        return _large()
    if name == "tails":
        return [rng.normal(0, 10, n).astype(np.float32) for n in range(1, 66)]
    if name == "unaligned":
        return [rng.normal(0, 10, 200 + k).astype(np.float32)[k:] for k in range(1, 17)]
    raise KeyError(name)


EDGES = (
    "empty", "one", "contains-minus-infinity", "contains-plus-infinity", "contains-nan", "all-minus-infinity",
    "large-magnitude", "tails", "unaligned",
)  # fmt: skip


def expected(x: np.ndarray) -> np.ndarray:
    """What softmax of one row should be, in float64: NaN everywhere for NaN, +inf or nothing but -inf."""
    if x.size == 0:
        return x.astype(np.float64)
    if np.isnan(x).any() or np.isposinf(x).any() or np.isneginf(x).all():
        return np.full(x.shape, np.nan)
    return reference(x)


def right(y: np.ndarray, truth: np.ndarray) -> bool:
    """Whether y is the truth to TOLERANCE; results below the normal range may be anything from zero up to it."""
    if np.isnan(truth).any():
        return bool(np.isnan(y).all())
    if np.isnan(y).any():
        return False
    return bool(np.all(np.abs(y - truth) <= TOLERANCE * truth + float(NORMAL) * (truth < 2 * float(NORMAL))))


@cache
def edge_case(name: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """The rows of an edge case, each with what softmax of it should be."""
    return [(x, expected(x)) for x in edge_rows(name)]


def edge_case_failures(contender: Any, name: str) -> float:
    """How many of a case's rows the contender gets wrong: a value, an exception, or a write outside of its output."""
    wrong = 0
    for offset, (x, truth) in enumerate(edge_case(name)):
        at = 1 + offset % 19
        block = np.full(x.size + 40, GUARD, np.float32)
        out = block[at : at + x.size]
        try:
            contender(x, out)
        except Exception:
            wrong += 1
            continue
        outside = np.concatenate([block[:at], block[at + x.size :]])
        wrong += not (right(out, truth) and bool(np.all(outside == GUARD)))
    return float(wrong)
