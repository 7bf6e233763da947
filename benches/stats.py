"""Time of the rankings and the bootstrap against peers, in one run: python benches/stats.py [--peer].

1,000,000 comparisons among 1,000 contenders. `--peer` also runs choix on the same comparisons, which takes minutes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from steelyard.core.words import Kind
from steelyard.stats.bradley_terry import fit_pairs
from steelyard.stats.compare import compare
from steelyard.stats.rank import rank


def timed(label: str, run: Callable[[], Any]) -> tuple[Any, float]:
    """Run once, print the seconds."""
    start = time.perf_counter()
    out = run()
    seconds = time.perf_counter() - start
    print(f"{label:<60} {seconds:8.2f} s", flush=True)
    return out, seconds


def main() -> None:
    """Print one line a measurement."""
    rng = np.random.default_rng(0)
    m, n = 1000, 1_000_000
    strength = rng.normal(size=m)
    pair = rng.integers(0, m, (n, 2))
    pair = pair[pair[:, 0] != pair[:, 1]]
    first = rng.random(len(pair)) < 1 / (1 + np.exp(strength[pair[:, 1]] - strength[pair[:, 0]]))
    winner, loser = np.where(first, pair[:, 0], pair[:, 1]), np.where(first, pair[:, 1], pair[:, 0])
    wins = np.zeros((m, m))
    np.add.at(wins, (winner, loser), 1.0)
    theta, ours = timed(f"Bradley-Terry, {len(pair):,} comparisons, {m:,} contenders", lambda: fit_pairs(wins))
    if "--peer" in sys.argv:
        import choix

        data = list(zip(winner.tolist(), loser.tolist(), strict=True))
        peer, theirs = timed("the same with choix.ilsr_pairwise", lambda: choix.ilsr_pairwise(m, data, max_iter=1000))
        print(f"  ratio {theirs / ours:.1f}x, largest difference {np.abs(peer - theta).max():.1e}")
    scores = rng.normal(size=(100, 1)) + rng.normal(size=(100, 5000))
    scores[rng.random(scores.shape) < 0.8] = np.nan
    timed("rank with intervals and tiers, 100 x 5,000, 80% missing", lambda: rank(scores, [str(i) for i in range(100)]))
    a, b = rng.random((2, 5000))
    timed("paired comparison of 5,000 cases, 10,000 sign flips", lambda: compare(a, b, Kind.FRACTION))
    x, y = rng.lognormal(0, 0.1, (2, 14, 30))
    timed("paired times, 14 cases x 30 rounds, 10,000 draws", lambda: compare(x, y, Kind.DURATION))


if __name__ == "__main__":
    main()
