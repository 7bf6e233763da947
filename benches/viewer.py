"""Every page of the viewer over a pool of ten million measurements: seconds to the first answer, to the whole, and again.

    python benches/viewer.py [--rows 10000000]

The pool is built with Pool.append_table: 20 benchmarks, 25 contenders, 2000 cases, 5 trials, two metrics (10^7 rows) of
which one in fifty cells failed. A server runs in a process of its own; a page's first answer is what a person sees at
once (it says what is still being computed), the whole is when nothing is pending any more, again is a second visit.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

if TYPE_CHECKING:
    import pyarrow as pa

BENCHMARKS, CONTENDERS, CASES, METRICS = 20, 25, 2000, 2
PAGES = (
    "", "paper?row=23", "ledger", "board", "board?b=bench-3", "board?b=bench-3&metric=time", "board?b=bench-1&b=bench-2",
    "cases?b=bench-4", "case?b=bench-4&case=case-7", "compare?b=bench-5", "agreement", "profiles?b=bench-6",
    "pareto?b=bench-6", "runs", "failures", "failures?b=bench-7", "stamp",
    "sql?run=1&q=SELECT+contender,avg(value)+FROM+measurements+WHERE+benchmark='bench-8'+GROUP+BY+1",
)  # fmt: skip
SLOWEST_S = 1.0


def chunk(benchmark: int, trials: int) -> pa.Table:
    """All rows of one benchmark: contenders of growing skill on cases of chance hardness."""
    import numpy as np
    import pyarrow as pa

    rng = np.random.default_rng(benchmark)
    at = np.arange(CONTENDERS * CASES * trials * METRICS)
    metric, cell = at % METRICS, at // METRICS
    who, case, trial = cell % CONTENDERS, cell // CONTENDERS % CASES, cell // (CONTENDERS * CASES)
    hard = rng.normal(size=CASES)
    passed = rng.random(len(at)) < 1 / (1 + np.exp(hard[case] - 4 * who / CONTENDERS + 2))
    lost = cell % 50 == 7
    value = np.where(metric == 0, passed, rng.lognormal(sigma=0.2, size=len(at)) * (1 + who % 7))

    def text(codes: Any, words: list[str]) -> pa.DictionaryArray:
        return pa.DictionaryArray.from_arrays(np.asarray(codes, np.int32), pa.array(words))

    return pa.table(
        {
            "benchmark": text(0 * at, [f"bench-{benchmark}"]), "benchmark_version": text(0 * at, ["1"]),
            "contender": text(who, [f"contender-{i:02}" for i in range(CONTENDERS)]),
            "case": text(case, [f"case-{i}" for i in range(CASES)]),
            "case_attributes": text(case, [f'{{"size": {i % 10}}}' for i in range(CASES)]),
            "metric": text(metric, ["correct", "time"]), "unit": text(metric, ["1", "s"]), "trial": trial,
            "value": np.where(lost, np.nan, value), "status": text(lost, ["ok", "failed"]),
            "error": text(lost, ["", "no answer"]), "run": text(0 * at, [f"run-{benchmark}"]),
            "machine": text(0 * at, ['{"summary": "a machine"}']), "started_at": 1.79e9 + benchmark * 1e5 + at * 0.01,
        }
    )  # fmt: skip


def build(place: Path, rows: int) -> int:
    from steelyard.core.card import Card
    from steelyard.pool import Pool

    trials = max(1, rows // (BENCHMARKS * CONTENDERS * CASES * METRICS))
    facts: dict[str, Any] = {
        "kind": "benchmark", "summary": "A made one.", "track": "code", "interface": "imported",
        "metrics": [
            {"name": "correct", "kind": "binary", "primary": True},
            {"name": "time", "unit": "s", "kind": "duration", "direction": "lower"},
        ],
    }  # fmt: skip
    total = 0
    with Pool(place) as pool:
        for i in range(BENCHMARKS):
            total += pool.append_table(chunk(i, trials))
            pool.put_card(Card.model_validate({"name": f"bench-{i}", "title": f"Benchmark {i}", **facts}))
    return total


def serve(place: Path) -> Iterator[str]:
    """A viewer in a process of its own: where it is."""
    command = [sys.executable, "-m", "steelyard", "view", "--pool", str(place), "--port", "0"]
    ran = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ)
    try:
        found = re.search(r"http://\S+", ran.stdout.readline() if ran.stdout else "")
        if not found:
            raise RuntimeError("the viewer did not start")
        yield found[0]
    finally:
        ran.terminate()
        ran.wait()


def fetch(address: str) -> tuple[float, int]:
    """Seconds, and how many things the page is still computing."""
    began = time.perf_counter()
    with urlopen(address) as answer:
        answer.read()
        return time.perf_counter() - began, int(answer.headers.get("x-pending") or 0)


def main(rows: int, whole_s: float) -> int:
    folder = Path(tempfile.mkdtemp(prefix="steelyard-bench-"))
    slow = []
    try:
        began = time.perf_counter()
        total = build(folder / "pool", rows)
        print(f"{total:,} measurements written in {time.perf_counter() - began:.1f} s", flush=True)
        for address in serve(folder / "pool"):
            print(f"{'page':62}{'first':>9}{'whole':>9}{'again':>9}", flush=True)
            for page in PAGES:
                began = time.perf_counter()
                first, pending = fetch(address + page)
                while pending and time.perf_counter() - began < whole_s:
                    time.sleep(0.1)
                    pending = fetch(address + page)[1]
                whole = f"{time.perf_counter() - began:8.2f}s" if not pending else f"  >{whole_s:5.0f}s"
                again = fetch(address + page)[0]
                print(f"/{page[:60]:61}{first:8.2f}s{whole}{again:8.2f}s", flush=True)
                slow += [page] * (max(first, again) > SLOWEST_S)
    finally:
        shutil.rmtree(folder)
    print(f"pages that took more than {SLOWEST_S:g} s to answer: {', '.join('/' + p for p in slow) or 'none'}")
    return 1 if slow else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--whole", type=float, default=120.0, help="Seconds to wait for what a page computes.")
    asked = parser.parse_args()
    sys.exit(main(asked.rows, asked.whole))
