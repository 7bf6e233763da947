"""All pairs of a catalogue of leaderboards against the released procedure in pandas: benches/agree.py [FOLDER] [--all].

Both give the mean of tau-b and of its p over the repeats, for every pair of scenarios with enough shared models, on the
same drawn subsets; pandas takes minutes, and so does every tenth pair only unless `--all`. Without a folder the
catalogue is made up, of the size of the released one.
"""

from __future__ import annotations

import sys
import tempfile
import time
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from steelyard.benchmarks.stats.benchbench.catalogue import read_catalogue
from steelyard.stats.agreement import agree
from steelyard.stats.boards import Board

N, REPEATS = 10, 3  # the released demo's


def made_up(folder: Path) -> Path:
    """83 leaderboards of 20 to 130 out of 400 models."""
    rng = np.random.default_rng(0)
    ability = rng.normal(size=400)
    for k in range(83):
        rows = rng.choice(400, int(rng.integers(20, 130)), replace=False)
        lines = [f"model-{i},{50 + 10 * ability[i] + 8 * rng.normal():.2f}" for i in rows]
        (folder / f"board{k}_2601_made.csv").write_text("\n".join([f"model,board{k}", *lines]) + "\n")
    return folder


def ours(board: Board) -> dict[tuple[str, str], tuple[float, float]]:
    """Mean tau and p of each pair."""
    found = {}
    for i, j in combinations(range(len(board.scenarios)), 2):
        a = agree(board.scores[:, i], board.scores[:, j], n=N, repeats=REPEATS, draws=0)
        if not np.isnan(a.value):
            found[board.scenarios[i], board.scenarios[j]] = (a.value, a.p)
    return found


def in_pandas(board: Board, every: int) -> dict[tuple[str, str], tuple[float, float]]:
    """The same from the long table, pair by pair and repeat by repeat, as the released code goes about it."""
    frame = pd.DataFrame(board.scores, index=pd.Index(board.models, name="model"), columns=board.scenarios)
    long = frame.reset_index().melt(id_vars="model", var_name="scenario", value_name="score").dropna()
    found = {}
    for a, b in list(combinations(board.scenarios, 2))[::every]:
        pair = long[(long["scenario"] == a) | (long["scenario"] == b)]
        count = pair["model"].value_counts()
        shared = sorted(count[count == 2].index)
        if len(shared) < N:
            continue
        values = []
        for e in range(REPEATS):
            size = len(shared)
            picked = range(size) if size == N else np.random.default_rng(e).choice(size, N, replace=False)
            chosen = pair[pair["model"].isin([shared[k] for k in picked])]
            wide = chosen.pivot(index="model", columns="scenario", values="score")
            values.append(tuple(kendalltau(wide[a], wide[b])))
        mean = np.nanmean(np.array(values), axis=0)
        if not np.isnan(mean[0]):
            found[a, b] = (float(mean[0]), float(mean[1]))
    return found


def main() -> None:
    """Print the time of both, by pair, and the largest difference."""
    given = [a for a in sys.argv[1:] if a != "--all"]
    with tempfile.TemporaryDirectory() as scratch:
        board = read_catalogue(Path(given[0]) if given else made_up(Path(scratch)), profile="published").board
    every = 1 if "--all" in sys.argv else 10
    times, made = [], []
    for name, run in (("steelyard", lambda: ours(board)), ("pandas", lambda: in_pandas(board, every))):
        start = time.perf_counter()
        made.append(run())
        times.append((time.perf_counter() - start) / len(made[-1]))
        print(
            f"{name:<10} {len(made[-1]):5} pairs of {len(board.scenarios)} scenarios, {1e3 * times[-1]:7.2f} ms a pair",
            flush=True,
        )
    left, right = made
    assert right.keys() <= left.keys()
    gap = np.abs(np.array([left[k] for k in right]) - np.array(list(right.values()))).max(axis=0)
    print(f"ratio {times[1] / times[0]:.0f}x; largest difference {gap[0]:.1e} of tau, {gap[1]:.1e} of p")


if __name__ == "__main__":
    main()
