"""How far a float32 softmax is from the truth, and the rows on which that is asked."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

NORMAL = np.float32(2.0**-126)  # the smallest normal float32
ELEMENTS = (1 << 18) + 3


def _one_huge(rng: np.random.Generator, n: int) -> np.ndarray:
    row = rng.normal(0, 1, n)
    row[n // 3] = 80.0
    return row


ROWS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "uniform1000": lambda rng, n: rng.uniform(-1000, 1000, n),
    "normal10": lambda rng, n: rng.normal(0, 10, n),
    "equal": lambda rng, n: np.full(n, 3.25),
    "one-huge": _one_huge,
}


def accuracy_row(name: str, elements: int = ELEMENTS) -> np.ndarray:
    """A float32 row of the named kind; always the same."""
    return ROWS[name](np.random.default_rng(2001), elements).astype(np.float32)


def reference(x: np.ndarray) -> np.ndarray:
    """softmax of finite float32 x over the last axis in float64, with x - max exact."""
    wide = x.astype(np.float64)
    e = np.exp(wide - wide.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def ulp_distance(y: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Float32 steps between y and the truth rounded to float32, for positive normal numbers (int64)."""
    rounded = truth.astype(np.float32)
    return np.abs(y.view(np.int32).astype(np.int64) - rounded.view(np.int32).astype(np.int64))


@cache
def accuracy_case(name: str) -> tuple[np.ndarray, np.ndarray]:
    """A row of the named kind and its softmax in float64."""
    x = accuracy_row(name)
    return x, reference(x)


def accuracy(y: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Errors of y against the float64 softmax, over the elements whose reference is a normal float32 number.

    max_ulp, ulp_p999: float32 steps from the rounded reference, largest and 99.9th percentile.
    max_relative_error: |y - reference| / reference. sum_error: |sum(y) - 1|. flushed: elements that became zero.
    """
    normal = truth.astype(np.float32) >= NORMAL
    steps = ulp_distance(y[normal], truth[normal])
    relative = np.abs(y[normal].astype(np.float64) - truth[normal]) / truth[normal]
    return {
        "max_ulp": float(steps.max()),
        "ulp_p999": float(np.quantile(steps, 0.999)),
        "max_relative_error": float(relative.max()),
        "sum_error": abs(float(y.astype(np.float64).sum()) - 1.0),
        "flushed": float(np.count_nonzero(y[normal] == 0)),
    }
