"""Ten million measurements, written and aggregated per contender: the pool beside pandas and SQLite, in one run.

    python benches/pool.py [--rows 10000000]

Every peer gets the same rows, in chunks, in its native form (Arrow table, DataFrame, tuples) made outside the clock,
and the settings that suit it: pandas writes zstd Parquet, keeps text as categories and reads only the columns it needs;
SQLite inserts in one transaction with journal and fsync off, and aggregates both without and with a covering index.
Each stage runs in a process of its own, whose peak memory (VmHWM, making of the chunks included) is reported.
The appends at the end are small and durable: each survives `kill -9` once acknowledged (SQLite: WAL, one commit each).
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK = 250_000
BENCHMARKS, CONTENDERS, METRICS, APPENDS = 8, 40, 2, 5000
SUM = "SELECT benchmark, contender, count(*), avg(value) FROM measurements GROUP BY benchmark, contender"


def chunks(rows: int) -> Iterator[pa.Table]:
    """`rows` plausible measurements: benchmark after benchmark, contenders interleaved, two metrics a cell."""
    import numpy as np
    import pyarrow as pa

    rng = np.random.default_rng(1)
    text = {
        "benchmark": [f"benchmark-{i}" for i in range(BENCHMARKS)],
        "contender": [f"contender-{i}" for i in range(CONTENDERS)],
        "contender_config": [json.dumps({"option": i, "seed": 0}) for i in range(CONTENDERS)],
        "code_version": [f"{i:040x}" for i in range(CONTENDERS)],
        "metric": ["correct", "time"],
        "unit": ["1", "s"],
        "case": [f"case/{i}" for i in range(5000)],
        "case_attributes": [json.dumps({"size": i, "kind": "plain"}) for i in range(5000)],
        "benchmark_version": ["1.0"],
        "run": [f"run-{i}" for i in range(20)],
        "machine": ["0123456789abcdef"],
    }
    for start in range(0, rows, CHUNK):
        at = np.arange(start, min(start + CHUNK, rows))
        cell = at // METRICS
        contender, metric, case = cell % CONTENDERS, at % METRICS, cell // CONTENDERS % 5000
        codes = {"benchmark": at * BENCHMARKS // rows, "case": case, "case_attributes": case, "run": at * 20 // rows}
        codes |= dict.fromkeys(("contender", "contender_config", "code_version"), contender)
        codes |= dict.fromkeys(("metric", "unit"), metric)
        columns: dict[str, Any] = {
            name: pa.DictionaryArray.from_arrays(codes.get(name, 0 * at).astype(np.int32), pa.array(words))
            for name, words in text.items()
        }
        columns["value"] = np.where(metric == 0, rng.integers(0, 2, len(at)), rng.lognormal(size=len(at)))
        columns["trial"] = cell // (CONTENDERS * 5000)
        columns["duration_s"] = rng.lognormal(size=len(at))
        columns["started_at"] = 1.7e9 + at * 0.01
        from steelyard.pool.schema import conform

        yield conform(pa.table(columns))


def pool_write(place: Path, rows: int) -> dict[str, Any]:
    from steelyard.pool import Pool

    spent = 0.0
    with Pool(place) as store:
        for table in chunks(rows):
            began = time.perf_counter()
            store.append_table(table)
            spent += time.perf_counter() - began
    return {"seconds": spent}


def pool_sum(place: Path, view: str = "measurements") -> dict[str, Any]:
    import duckdb  # noqa: F401  imports stay outside the clock, as they do for pandas
    import pyarrow.parquet  # noqa: F401

    from steelyard.pool import Pool

    began = time.perf_counter()
    table = Pool(place, readonly=True).query(SUM.replace("measurements", view))
    spent = time.perf_counter() - began
    return {"seconds": spent, "sums": [list(row.values()) for row in table.to_pylist()]}


def pandas_write(place: Path, rows: int) -> dict[str, Any]:
    place.mkdir()
    spent = 0.0
    for number, table in enumerate(chunks(rows)):
        frame = table.to_pandas()
        began = time.perf_counter()
        frame.to_parquet(place / f"{number:05}.parquet", compression="zstd")
        spent += time.perf_counter() - began
    return {"seconds": spent}


def pandas_sum(place: Path) -> dict[str, Any]:
    import pandas as pd

    began = time.perf_counter()
    frame = pd.read_parquet(place, columns=["benchmark", "contender", "value"])
    found = frame.groupby(["benchmark", "contender"], observed=True)["value"].agg(["count", "mean"]).reset_index()
    spent = time.perf_counter() - began
    return {"seconds": spent, "sums": [list(row) for row in found.itertuples(index=False)]}


def sqlite_write(place: Path, rows: int) -> dict[str, Any]:
    import sqlite3

    from steelyard.pool.schema import COLUMNS, INTEGERS, REALS

    kinds = {name: "REAL" if name in REALS else "INTEGER" if name in INTEGERS else "TEXT" for name in COLUMNS}
    con = sqlite3.connect(place, isolation_level=None)
    con.execute("PRAGMA journal_mode = OFF")
    con.execute("PRAGMA synchronous = OFF")
    columns = ", ".join(f'"{name}" {kind}' for name, kind in kinds.items())
    con.execute(f"CREATE TABLE measurements ({columns})")
    con.execute("BEGIN")
    spent = 0.0
    for table in chunks(rows):
        for batch in table.to_batches(50_000):
            tuples = list(zip(*(column.to_pylist() for column in batch.columns), strict=True))
            began = time.perf_counter()
            con.executemany(f"INSERT INTO measurements VALUES ({', '.join('?' * len(COLUMNS))})", tuples)
            spent += time.perf_counter() - began
    began = time.perf_counter()
    con.execute("COMMIT")
    con.close()
    return {"seconds": spent + time.perf_counter() - began}


def sqlite_sum(place: Path) -> dict[str, Any]:
    import sqlite3

    con = sqlite3.connect(place)
    began = time.perf_counter()
    found = con.execute(SUM).fetchall()
    return {"seconds": time.perf_counter() - began, "sums": [list(row) for row in found]}


def sqlite_index(place: Path) -> dict[str, Any]:
    import sqlite3

    con = sqlite3.connect(place)
    began = time.perf_counter()
    con.execute("CREATE INDEX covering ON measurements (benchmark, contender, value)")
    con.commit()
    return {"seconds": time.perf_counter() - began}


def pool_append(place: Path) -> dict[str, Any]:
    from steelyard.core.words import Measurement
    from steelyard.pool import Pool

    rows = [Measurement("b", "1", f"case-{i}", "c", "time", i * 0.1, started_at=float(i)) for i in range(APPENDS)]
    with Pool(place) as store:
        began = time.perf_counter()
        for row in rows:
            store.append([row])
        return {"seconds": time.perf_counter() - began}


def sqlite_append(place: Path) -> dict[str, Any]:
    import dataclasses
    import sqlite3

    from steelyard.core.words import Measurement
    from steelyard.pool.schema import COLUMNS

    made = [Measurement("b", "1", f"case-{i}", "c", "time", i * 0.1, started_at=float(i)) for i in range(APPENDS)]
    rows = [dataclasses.astuple(row) for row in made]
    con = sqlite3.connect(place, isolation_level=None)
    con.execute("PRAGMA journal_mode = WAL")
    con.execute("PRAGMA synchronous = OFF")  # as the pool: safe from a kill, and from a power cut only once sealed
    columns = ", ".join(f'"{name}"' for name in COLUMNS)
    con.execute(f"CREATE TABLE measurements ({columns})")
    began = time.perf_counter()
    for row in rows:
        con.execute(f"INSERT INTO measurements VALUES ({', '.join('?' * len(COLUMNS))})", row)
    return {"seconds": time.perf_counter() - began}


def stage(name: str, *arguments: object) -> dict[str, Any]:
    """Run one stage in a process of its own; its seconds, peak memory (MiB) and result."""
    command = [sys.executable, __file__, "--stage", name, *map(str, arguments)]
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(ran.stdout)
    return result


def inside(name: str, place: str, *rest: str) -> None:
    result = globals()[name](Path(place), *(int(r) if r.isdigit() else r for r in rest))
    (peak,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(json.dumps(result | {"peak_mib": int(peak.split()[1]) / 1024}))


def size_mib(place: Path) -> float:
    files = place.rglob("*") if place.is_dir() else [place]
    return sum(file.stat().st_size for file in files if file.is_file()) / 2**20


def agree(one: list[list[Any]], other: list[list[Any]]) -> bool:
    """Whether two results have the same groups and counts, and means equal to a billionth."""
    pairs = zip(sorted(one), sorted(other), strict=True)
    return all(a[:3] == b[:3] and abs(a[3] - b[3]) <= 1e-9 * abs(b[3]) for a, b in pairs)


def main(rows: int) -> None:
    folder = Path(tempfile.mkdtemp(prefix="steelyard-bench-"))
    try:
        places = {"pool": folder / "pool", "pandas": folder / "pandas", "sqlite": folder / "rows.sqlite"}
        print(f"{rows:,} measurements, {BENCHMARKS} benchmarks, {CONTENDERS} contenders, 21 columns", flush=True)
        print(f"{'':24}{'write':>9}{'ratio':>8}{'peak':>10}{'disk':>10}{'aggregate':>11}{'ratio':>8}{'peak':>10}")
        written = {name: stage(f"{name}_write", place, rows) for name, place in places.items()}
        disk = {name: size_mib(place) for name, place in places.items()}
        summed = {name: stage(f"{name}_sum", place) for name, place in places.items()}
        for name in places:
            show(name, written[name], written["pool"], disk[name], summed[name], summed["pool"])
        index = stage("sqlite_index", places["sqlite"])
        index["seconds"] += written["sqlite"]["seconds"]
        indexed = stage("sqlite_sum", places["sqlite"])
        show("sqlite, covering index", index, written["pool"], size_mib(places["sqlite"]), indexed, summed["pool"])
        everything = [*summed.values(), indexed]
        print("all agree:", all(agree(one["sums"], summed["pool"]["sums"]) for one in everything))
        latest = stage("pool_sum", places["pool"], "latest")
        print(f"pool, view `latest` (no repeats): {latest['seconds']:.2f} s, peak {latest['peak_mib']:.0f} MiB")
        ours, theirs = (stage(f"{name}_append", folder / f"{name}-appends")["seconds"] for name in ("pool", "sqlite"))
        print(
            f"{APPENDS} acknowledged appends of one row: pool {ours * 1e6 / APPENDS:.0f} us each, "
            f"sqlite {theirs * 1e6 / APPENDS:.0f} us each ({theirs / ours:.2f}x)"
        )
    finally:
        shutil.rmtree(folder)


def show(name: str, write: Any, write_base: Any, disk: float, add: Any, add_base: Any) -> None:
    print(
        f"{name:24}{write['seconds']:8.1f}s{write['seconds'] / write_base['seconds']:7.2f}x{write['peak_mib']:6.0f} MiB"
        f"{disk:6.0f} MiB{add['seconds']:10.2f}s{add['seconds'] / add_base['seconds']:7.2f}x{add['peak_mib']:6.0f} MiB",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--stage", nargs="+", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.stage:
        inside(*asked.stage)
    else:
        main(asked.rows)
