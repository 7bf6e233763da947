"""A long CSV of a million rows into the pool: seconds, peak memory, and what reading the file alone costs its peers.

    python benches/importing.py [--rows 1000000]

Each stage runs in a process of its own, whose peak memory (VmHWM) is reported. pandas and DuckDB only read the file and
count its rows: a lower bound for any importer.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

CASES, CONTENDERS = 5000, 100


def write(path: Path, rows: int) -> None:
    """`rows` lines: case, contender, trial, score and a text for each case; one row in a thousand holds no number."""
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(("sample_id", "model", "trial", "score", "question"))
        for at in range(rows):
            case, rest = at % CASES, at // CASES
            value = "n/a" if at % 1000 == 999 else f"{(at * 2654435761 % 1000) / 1000}"
            out.writerow(
                (f"q{case}", f"model-{rest % CONTENDERS}", rest // CONTENDERS, value, f"What is {case} plus 1?")
            )


def steelyard(path: Path) -> dict[str, Any]:
    from steelyard.pool import Pool
    from steelyard.pool.importers import Asked, find, take

    asked = Asked(mapping={"text": "question"}, directions=[("score", _higher())])
    [source], _ = find([path])
    began = time.perf_counter()
    with Pool(path.with_name("pool")) as pool:
        told = take(pool, source, asked, {})
    return {"seconds": time.perf_counter() - began, "rows": told.read, "kept": told.added}


def _higher() -> Any:
    from steelyard.core.words import Direction

    return Direction.HIGHER


def pandas(path: Path) -> dict[str, Any]:
    import pandas as pd

    began = time.perf_counter()
    rows = len(pd.read_csv(path))
    return {"seconds": time.perf_counter() - began, "rows": rows, "kept": 0}


def duckdb(path: Path) -> dict[str, Any]:
    import duckdb as db

    began = time.perf_counter()
    [(rows, _)] = db.sql(
        f"SELECT count(*), avg(TRY_CAST(score AS DOUBLE)) FROM read_csv('{path}', all_varchar = true)"
    ).fetchall()
    return {"seconds": time.perf_counter() - began, "rows": rows, "kept": 0}


def main(rows: int) -> None:
    folder = Path(tempfile.mkdtemp(prefix="steelyard-bench-"))
    try:
        path = folder / "scores.csv"
        write(path, rows)
        print(f"{rows:,} rows, {path.stat().st_size / 2**20:.0f} MiB of CSV")
        for stage in ("steelyard", "pandas", "duckdb"):
            ran = subprocess.run(
                [sys.executable, __file__, "--stage", stage, str(path)], stdout=subprocess.PIPE, text=True, check=True
            )
            found = json.loads(ran.stdout)
            kept = f", {found['kept']:,} added to the pool" if found["kept"] else ""
            print(
                f"{stage:12}{found['seconds']:7.2f} s ({found['cpu']:.1f} s of CPU)  peak {found['peak_mib']:5.0f} MiB  {found['rows']:,} rows{kept}"
            )
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--stage", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.stage:
        result = globals()[asked.stage[0]](Path(asked.stage[1]))
        (peak,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
        print(json.dumps(result | {"peak_mib": int(peak.split()[1]) / 1024, "cpu": time.process_time()}))
    else:
        main(asked.rows)
