"""Chooses each pass's candidate (elements per step, accumulators, prefetch distance) by measuring, once per CPU.

    python -m steelyard.contenders.kernels.tuning

Every algorithm's passes are tuned the same way, over the same candidates. The choice is kept in the user's cache
folder; without it the compiled-in defaults are used.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

PASSES = ("max", "sum", "store", "write", "multiply", "extended_sum", "extended_write", "online")
AHEAD = (0, 1024, 4096)
Rows = dict[str, int]
ROWS: Rows = {"cached": 1 << 16, "memory": 1 << 24}  # floats: 256 KiB stays in a second-level cache, 64 MiB does not
SCALAR_ROWS: Rows = {"cached": 1 << 14, "memory": 1 << 19}  # bound by arithmetic wherever the row lies


def tuning_file(cpu: str) -> Path:
    """Where the choice for this CPU is kept."""
    import platformdirs

    folder = Path(os.environ.get("STEELYARD_TUNING") or platformdirs.user_cache_path("steelyard"))
    return folder / f"softmax-tuning-{hashlib.sha256(cpu.encode()).hexdigest()[:12]}.json"


def apply_stored(kernels: ModuleType) -> bool:
    """Make the kernels use the stored choice; False where there is none. Reads the file once a process."""
    if getattr(kernels, "tuned_from", None) is not None:
        return bool(kernels.tuned_from)
    path = tuning_file(kernels.cpu_name())
    kernels.tuned_from = ""  # type: ignore[attr-defined]
    try:
        choices = json.loads(path.read_text())
    except (OSError, ValueError):
        return False
    for entry in choices:
        isa, name = entry["isa"], entry["pass"]
        known = [] if kernels.isas()[isa] else kernels.candidates(name, isa)
        if tuple(entry["candidate"]) in known:  # another build may have other candidates
            index = known.index(tuple(entry["candidate"]))
            kernels.choose(name, isa, entry["regime"], entry["stores"], index, entry["ahead"])
    kernels.tuned_from = str(path)  # type: ignore[attr-defined]
    return True


def tune(
    kernels: ModuleType, isas: tuple[str, ...], rows: dict[str, int] = ROWS, rounds: int = 5
) -> list[dict[str, Any]]:
    """Measure every candidate of every pass and use the fastest.

    rows: regime -> floats of the row it is tuned on. rounds: interleaved repetitions; the least time counts.
    Returns one entry a (isa, regime, pass, stores): the choice, its time and the slowest candidate's (seconds).
    """
    found = []
    for regime, n in rows.items():
        x, out = kernels.buffer(n), kernels.buffer(n)
        x[:] = np.random.default_rng(23).uniform(-1000, 1000, n).astype(np.float32)
        for isa in isas:
            for name, stores in _settings():
                found.append(_fastest(kernels, x, out, isa, regime, name, stores, rounds))
    return found


def _settings() -> Iterator[tuple[str, str]]:
    for name in PASSES:
        for stores in ("normal", "streaming"):
            yield name, stores


def _fastest(
    kernels: ModuleType, x: np.ndarray, out: np.ndarray, isa: str, regime: str, name: str, stores: str, rounds: int
) -> dict[str, Any]:
    known = kernels.candidates(name, isa)
    tries = [(i, ahead) for i in range(len(known)) for ahead in (AHEAD if regime == "memory" else (0,))]
    least = dict.fromkeys(tries, float("inf"))
    shift = 1443.0 if name == "extended_write" else 1000.0
    for _ in range(rounds):
        for index, ahead in tries:
            kernels.choose(name, isa, regime, stores, index, ahead)
            begin = time.perf_counter()
            kernels.run_pass(name, x, out, None, isa, stores, True, shift, 0.5)
            least[index, ahead] = min(least[index, ahead], time.perf_counter() - begin)
    (index, ahead), seconds = min(least.items(), key=lambda item: item[1])
    kernels.choose(name, isa, regime, stores, index, ahead)
    return {
        "isa": isa, "regime": regime, "pass": name, "stores": stores, "candidate": list(known[index]), "ahead": ahead,
        "seconds": seconds, "slowest": max(least.values()),
    }  # fmt: skip


def main() -> None:
    """Tune every instruction set of this machine, store the choice and print it."""
    from steelyard.contenders.kernels.native_softmax import native

    kernels = native()
    wide = tuple(isa for isa, reason in kernels.isas().items() if not reason and isa != "scalar")
    chosen = tune(kernels, wide) + tune(kernels, ("scalar",), SCALAR_ROWS)
    path = tuning_file(kernels.cpu_name())
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(chosen, indent=1))
    fresh.replace(path)
    for c in chosen:
        elements, accumulators = c["candidate"]
        print(f"{c['isa']:7} {c['regime']:7} {c['pass']:15} {c['stores']:10}", end="")
        print(f"{elements:6} elements, {accumulators} accumulators, prefetch {c['ahead']:5} B", end="")
        print(f"{c['seconds'] * 1e6:10.1f} us  (slowest {c['slowest'] / c['seconds']:.2f}x)")
    print(f"kept in {path}")


if __name__ == "__main__":
    main()
