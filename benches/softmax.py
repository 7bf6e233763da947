"""Ratios of softmax kernels against their baselines and peers, interleaved in one process, with their intervals.

    python benches/softmax.py [--elements N ...] [--rounds 30] [--isa auto]

Exit code 1 when a bar is missed with certainty (the whole interval lies below it), 0 otherwise.
"""

from __future__ import annotations

import argparse
import os

import numpy as np

from steelyard.benchmarks.kernels.softmax.benchmark import Softmax
from steelyard.contenders.kernels.online import Online
from steelyard.contenders.kernels.peers import Numpy, Torch
from steelyard.contenders.kernels.three_pass import ThreePassRecompute, ThreePassReload
from steelyard.contenders.kernels.two_pass import TwoPass
from steelyard.core.interfaces import Outcome

BARS = (  # (faster, slower, least ratio), out of cache, one thread
    ("two-pass", "recompute", 1.3),
    ("two-pass streaming", "recompute streaming", 1.3),
    ("two-pass", "torch", 1.6),
    ("two-pass streaming", "torch", 1.6),
)
STREAM_BAR = 0.85


def contenders(isa: str) -> dict[str, object]:
    """Label -> contender; baselines come with both kinds of stores."""
    found: dict[str, object] = {}
    for label, stores in (("", "normal"), (" streaming", "streaming")):
        for name, cls in (
            ("two-pass", TwoPass), ("recompute", ThreePassRecompute), ("reload", ThreePassReload), ("online", Online),
        ):  # fmt: skip
            found[name + label] = cls(isa=isa, stores=stores)
    return {**found, "torch": Torch(), "numpy": Numpy()}


def ratio(slow: np.ndarray, fast: np.ndarray, draws: int = 2000) -> tuple[float, float, float]:
    """Median time of `slow` over that of `fast`, with the 95% bootstrap interval over paired rounds."""
    picks = np.random.default_rng(0).integers(0, len(fast), (draws, len(fast)))
    drawn = np.median(slow[picks], axis=1) / np.median(fast[picks], axis=1)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(np.median(slow) / np.median(fast)), float(low), float(high)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--elements", type=int, nargs="*", help="row lengths; default: twice the measured knee")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--isa", default="auto", choices=["auto", "scalar", "avx2", "avx512"])
    chosen = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    sizes = "+".join(map(str, chosen.elements)) if chosen.elements else "knee"
    bench = Softmax(sizes=sizes, max_bytes=0)
    things = contenders(chosen.isa)
    missed = 0
    for case in bench.cases(None):
        if case.attributes["kind"] != "time" or (not chosen.elements and case.attributes["bytes"] <= bench.knee):
            continue
        times = {label: np.zeros(chosen.rounds) for label in things}
        shares: dict[str, list[dict[str, float]]] = {label: [] for label in things}
        for thing in things.values():
            bench.warm(thing, case)
        for trial in range(chosen.rounds):
            for label, thing in things.items():
                result = bench.measure(thing, case, trial)
                assert isinstance(result, Outcome)
                times[label][trial] = result.metrics["time"]
                shares[label].append(dict(result.metrics))
        mib, knee = case.attributes["bytes"] / 2**20, bench.knee / 2**20
        print(f"\n{case.id}: {mib:.2f} MiB, knee {knee:.0f} MiB, {chosen.isa}, {chosen.rounds} rounds, one thread")
        for label in things:
            rest = [np.median([s[k] for s in shares[label]]) for k in _SHARES if k in shares[label][0]]
            print(
                f"  {label:20} median {np.median(times[label]) * 1e3:9.3f} ms  least {times[label].min() * 1e3:9.3f} ms  "
                + "  ".join(f"{100 * v:4.0f}%" for v in rest)
            )
        for fast, slow, bar in BARS:
            middle, low, high = ratio(times[slow], times[fast])
            least = times[slow].min() / times[fast].min()
            verdict = "holds" if low >= bar else "fails" if high < bar else "undecided"
            missed += high < bar and case.attributes["bytes"] > bench.knee
            print(
                f"  {fast} against {slow}: {middle:.2f}x [{low:.2f}, {high:.2f}], least times {least:.2f}x;"
                f" bar {bar}: {verdict}"
            )
        for label in ("two-pass", "two-pass streaming"):
            if found := [s["stream_share"] for s in shares[label] if "stream_share" in s]:
                print(f"  {label}: {100 * np.median(found):.0f}% of STREAM; bar {100 * STREAM_BAR:.0f}%")
                missed += bool(np.median(found) < STREAM_BAR)
    return int(missed > 0)


_SHARES = ("stream_share", "slowest_pass_stream_share")

if __name__ == "__main__":
    raise SystemExit(main())
