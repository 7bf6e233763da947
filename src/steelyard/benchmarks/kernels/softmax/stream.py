"""The memory's own speed: STREAM-like kernels, and the size at which the last cache ends."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np

from steelyard.core.errors import MissingError
from steelyard.probe import machine

PLATEAU = 1.25  # a size is out of cache when it and all larger ones read at most so much faster than the largest
AHEAD = (0, 4096)


@cache
def native() -> ModuleType:
    """The compiled kernels. Raises MissingError where they were not built."""
    try:
        from steelyard import _native
    except ImportError as error:
        raise MissingError(
            f"the compiled kernels are not here ({error}).",
            "Install a C++20 compiler, then `pip install -e .` in the checkout builds them.",
        ) from error
    return _native


def available_bytes() -> int:
    """Memory that can be had now without swapping (bytes)."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def cpu_family() -> str:
    """`broadwell` or `zen2` where this is one of the paper's machines that a claim names, else the family and model."""
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    except OSError:
        return platform.machine()
    facts = {k.strip(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
    vendor, family, model = (facts.get(k, "") for k in ("vendor_id", "cpu family", "model"))
    if vendor == "GenuineIntel" and family == "6" and model in ("61", "71", "79", "86"):
        return "broadwell"
    zen2 = (range(0x30, 0x40), range(0x47, 0x48), range(0x60, 0x80), range(0x84, 0x88), range(0x90, 0xB0))
    if vendor == "AuthenticAMD" and family == "23" and any(int(model) in models for models in zen2):
        return "zen2"
    return f"{vendor} family {family} model {model}"


def knee() -> int:
    """Bytes from which on a row is out of the last cache, by measured read bandwidth; kept per machine.

    A virtual machine may report more or less last-level cache than its share, so the reported size is not trusted.
    """
    kernels = native()
    path = _file()
    try:
        stored = json.loads(path.read_text())
        for name, stores, candidate, ahead in stored["stream"]:
            kernels.choose(name, kernels.best_isa(), "memory", stores, candidate, ahead)
        return int(stored["knee"])
    except (OSError, ValueError, KeyError):
        pass
    speeds = read_speeds()
    found = {"knee": knee_of(speeds), "read_bytes_per_second": speeds, "stream": _fastest_stream()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps(found, indent=1))
        fresh.replace(path)
    except OSError:
        pass  # measured again next time
    return int(found["knee"])


def knee_of(speeds: dict[int, float]) -> int:
    """The smallest size from which on no size reads faster than PLATEAU times the largest one."""
    sizes = sorted(speeds)
    at = len(sizes) - 1
    while at > 0 and speeds[sizes[at - 1]] <= PLATEAU * speeds[sizes[-1]]:
        at -= 1
    return sizes[at]


def read_speeds(largest: int = 1 << 29, rounds: int = 5) -> dict[int, float]:
    """Row bytes -> read bandwidth (bytes/s) of the best of interleaved rounds, from 256 KiB, two sizes an octave."""
    largest = min(largest, available_bytes() // 4)
    sizes = [s for k in range(18, 40) for s in (1 << k, 3 << (k - 1)) if s <= largest]
    kernels, row = native(), native().buffer(sizes[-1] // 4)
    least = dict.fromkeys(sizes, float("inf"))
    for _ in range(rounds):
        for size in sizes:
            part = row[: size // 4]
            again = max(1, (1 << 23) // size)
            kernels.run_pass("read", part)
            begin = time.perf_counter()
            for _ in range(again):
                kernels.run_pass("read", part)
            least[size] = min(least[size], (time.perf_counter() - begin) / again)
    return {size: size / least[size] for size in sizes}


def _fastest_stream(floats: int = 1 << 24, rounds: int = 3) -> list[tuple[str, str, int, int]]:
    """(kernel, stores, candidate, prefetch bytes) of the fastest of each STREAM kernel out of cache: a fair ceiling."""
    kernels = native()
    isa = kernels.best_isa()
    x, out = kernels.buffer(floats), kernels.buffer(floats)
    found = []
    for name, stores in (("read", "normal"), ("copy", "normal"), ("copy", "streaming")):
        tries = [(i, ahead) for i in range(len(kernels.candidates(name, isa))) for ahead in AHEAD]
        least = dict.fromkeys(tries, float("inf"))
        for _ in range(rounds):
            for index, ahead in tries:
                kernels.choose(name, isa, "memory", stores, index, ahead)
                begin = time.perf_counter()
                kernels.run_pass(name, x, out, stores=stores)
                least[index, ahead] = min(least[index, ahead], time.perf_counter() - begin)
        index, ahead = min(least, key=least.__getitem__)
        kernels.choose(name, isa, "memory", stores, index, ahead)
        found.append((name, stores, index, ahead))
    return found


def stream_seconds(x: np.ndarray, out: np.ndarray) -> dict[str, float]:
    """Seconds of one read of x, and of one copy of x into out with normal and with streaming stores."""
    kernels = native()
    times = {}
    for label, name, stores in (
        ("read", "read", "normal"),
        ("normal", "copy", "normal"),
        ("streaming", "copy", "streaming"),
    ):
        begin = time.perf_counter_ns()
        kernels.run_pass(name, x, out, stores=stores)
        times[label] = (time.perf_counter_ns() - begin) / 1e9
    return times


def _file() -> Path:
    import platformdirs

    folder = Path(os.environ.get("STEELYARD_TUNING") or platformdirs.user_cache_path("steelyard"))
    name = hashlib.sha256(f"{native().cpu_name()} {machine().caches}".encode()).hexdigest()[:12]
    return folder / f"softmax-knee-{name}.json"
