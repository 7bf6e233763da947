"""Rankings from comparisons: 1,000,000 of them with intervals beside choix's point estimate, then the cost of each row.

    python benches/rank.py [--most 100000000]

One run, same comparisons for all. choix gets them as the list of pairs it asks for, made outside the clock. Ours goes
from two arrays (winner, loser) to strengths and intervals, the median of five such runs; then from measurements in a
pool, whose pairs are counted by SQL where they lie, up to --most comparisons (100 contenders on each case, so 4,950
comparisons a case). On a busy machine OPENBLAS_NUM_THREADS=1 keeps choix's linear algebra from waiting for cores.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import choix
import numpy as np

from steelyard.pool import Pool
from steelyard.report.wins import count_wins
from steelyard.stats.bradley_terry import count_pairs, fit_pairs
from steelyard.stats.pair_errors import pair_errors

CONTENDERS, COMPARISONS, FIELD = 1000, 1_000_000, 100


def timed(label: str, run: Callable[[], Any]) -> tuple[Any, float, float]:
    """The result, wall seconds and processor seconds of one call; prints both."""
    wall, processor = time.perf_counter(), time.process_time()
    out = run()
    spent = time.perf_counter() - wall, time.process_time() - processor
    print(f"{label:<66} {spent[0]:9.3f} s wall {spent[1]:9.3f} s processor", flush=True)
    return out, *spent


def ranked(winner: np.ndarray, loser: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Strengths and half widths of their 95% intervals."""
    wins = count_pairs(winner, loser, CONTENDERS)
    theta = fit_pairs(wins)
    return theta, 1.96 * pair_errors(wins, theta)


def beside_choix() -> None:
    rng = np.random.default_rng(0)
    strength = rng.normal(size=CONTENDERS)
    first = rng.integers(0, CONTENDERS, COMPARISONS)
    second = (first + rng.integers(1, CONTENDERS, COMPARISONS)) % CONTENDERS
    won = rng.random(COMPARISONS) < 1 / (1 + np.exp(strength[second] - strength[first]))
    winner, loser = np.where(won, first, second), np.where(won, second, first)
    ranked(winner[:200_000], loser[:200_000])  # imports
    print(f"{COMPARISONS:,} comparisons among {CONTENDERS:,} contenders")
    runs = [timed("strengths with intervals", lambda: ranked(winner, loser)) for _ in range(5)]
    theta, half = runs[0][0]
    wall, processor = (float(np.median([run[i] for run in runs])) for i in (1, 2))
    covered = np.abs(theta - (strength - strength.mean())) <= half
    pairs = list(zip(winner.tolist(), loser.tolist(), strict=True))
    peer, their_wall, their_processor = timed(
        "choix.ilsr_pairwise, strengths only", lambda: choix.ilsr_pairwise(CONTENDERS, pairs)
    )
    print(f"  {their_wall / wall:.0f} times as fast ({their_processor / processor:.0f} by processor time), largest "
          f"difference {np.abs(peer - theta).max():.1e}, {covered.mean():.1%} of intervals hold the truth")  # fmt: skip


def from_the_pool(most: int) -> None:
    import pyarrow as pa

    rng = np.random.default_rng(1)
    print(f"counted in the pool, {FIELD} contenders on each case")
    comparisons = 100_000
    while comparisons <= most:
        cases = round(comparisons / (FIELD * (FIELD - 1) / 2))
        rows = cases * FIELD
        with tempfile.TemporaryDirectory() as place, Pool(Path(place) / "pool") as pool:
            at = np.arange(rows)
            text = {"benchmark": ["b"], "benchmark_version": ["1"], "metric": ["score"],
                    "case": [f"case/{i}" for i in range(cases)], "contender": [f"c{i:03d}" for i in range(FIELD)]}  # fmt: skip
            codes = {"case": at // FIELD, "contender": at % FIELD}
            columns: dict[str, Any] = {
                name: pa.DictionaryArray.from_arrays(codes.get(name, 0 * at).astype(np.int32), pa.array(words))
                for name, words in text.items()
            }
            columns["value"] = rng.normal(size=rows) + at % FIELD / 50
            pool.append_table(pa.table(columns))
            (_, wins, ties), wall, _ = timed(
                f"{int(cases * FIELD * (FIELD - 1) / 2):>11,} comparisons of {rows:,} measurements",
                lambda pool=pool: count_wins(pool, "b", "score", "1"),
            )
            counted = wins.sum() + ties.sum() / 2
            _, fit, _ = timed(
                "            and their strengths with intervals", lambda w=wins: pair_errors(w, fit_pairs(w))
            )
            print(f"            {1e9 * (wall + fit) / counted:.0f} ns a comparison")
        comparisons *= 10


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--most", type=int, default=10_000_000, help="comparisons in the largest pool")
    most = parser.parse_args().most
    beside_choix()
    from_the_pool(most)
