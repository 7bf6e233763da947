"""How long the command line takes to answer, beside an empty Python, in interleaved rounds with intervals.

    python benches/start.py [--rounds 15]

The bar is 0.3 s for each command on a quiet machine. Exit code 1 when it is missed with certainty (the whole 95 %
interval of the median lies above it), 0 otherwise.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

import numpy as np

from steelyard.probe import machine
from steelyard.probe.timing import interleave

BAR_S = 0.3
EMPTY = "python -c pass"
COMMANDS = {"steelyard --help": ["--help"], "steelyard list": ["list"], "steelyard show softmax": ["show", "softmax"]}


def run(argv: list[str]) -> None:
    subprocess.run([sys.executable, *argv], check=True, stdout=subprocess.DEVNULL)


def interval(series: np.ndarray, draws: int = 2000) -> tuple[float, float, float]:
    """The median of `series` (rounds,) with its 95 % bootstrap interval."""
    picks = np.random.default_rng(0).integers(0, series.size, (draws, series.size))
    low, high = np.quantile(np.median(series[picks], axis=1), (0.025, 0.975))
    return float(np.median(series)), float(low), float(high)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    calls = {EMPTY: ["-c", "pass"]} | {name: ["-m", "steelyard", *words] for name, words in COMMANDS.items()}
    timed = interleave({name: lambda argv=argv: run(argv) for name, argv in calls.items()}, rounds=rounds, warmup=1)  # type: ignore[misc]
    ratios = timed.ratios(EMPTY)
    print(f"{machine().describe()}; {rounds} rounds; load {os.getloadavg()[0]:.1f}; bar {BAR_S} s")
    missed = 0
    for name, wall, ratio in zip(timed.names, timed.wall_ns / 1e9, ratios, strict=True):
        seconds, low, high = interval(wall)
        times = "" if name == EMPTY else "  {:5.1f}x [{:.1f}, {:.1f}]".format(*interval(ratio))
        missed += name != EMPTY and low > BAR_S
        print(f"  {name:24} {seconds:.3f} s [{low:.3f}, {high:.3f}]{times}")
    for name in timed.noisy():
        print(f"  noisy: {name} spreads over more than a tenth of its median")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
