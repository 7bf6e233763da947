"""Time of all expected ranks of a contest at once against the direct sums, in one run: python benches/contest.py.

15,000 participants, every rating from 1 to 8,000; and the platform's whole update of that contest.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from steelyard.stats.contest import platform_changes, seeds, win_probability

N, HIGH = 15_000, 8_000


def timed(label: str, run: Callable[[], Any], rounds: int) -> tuple[Any, float]:
    """The last result and the median seconds of some rounds, printed."""
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        out = run()
        taken.append(time.perf_counter() - start)
    seconds = float(np.median(taken))
    print(f"{label:<70} {1e3 * seconds:10.1f} ms", flush=True)
    return out, seconds


def direct(ratings: np.ndarray) -> np.ndarray:
    """The sum over all participants, rating by rating."""
    return np.array([1.0 + win_probability(ratings, x).sum() for x in range(1, HIGH + 1)])


def main() -> None:
    """Print one line a measurement, the ratio, and the largest difference."""
    ratings = np.clip(np.random.default_rng(0).normal(1300, 400, N), -50, 3900).round()
    table, fast = timed(f"all {HIGH:,} expected ranks among {N:,}, by FFT", lambda: seeds(ratings, 1, HIGH), 20)
    sums, slow = timed("the same as direct sums (vectorised over participants)", lambda: direct(ratings), 1)
    print(f"  ratio {slow / fast:.0f}x, largest difference {np.abs(table - sums).max():.1e}")
    ranks = np.arange(1, N + 1)
    timed("the platform's update of everybody", lambda: platform_changes(ranks, ratings), 5)


if __name__ == "__main__":
    main()
