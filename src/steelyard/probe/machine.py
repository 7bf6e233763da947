"""The machine's fingerprint: what a number was measured on. Linux; elsewhere what Python knows."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

_ISA = (
    "sse4_2",
    "avx",
    "f16c",
    "fma",
    "avx2",
    "avx512f",
    "avx512bw",
    "avx512_bf16",
    "avx512_fp16",
    "amx_tile",
    "asimd",
    "sve",
)


@dataclass(frozen=True)
class Machine:
    """What stays the same from boot to boot.

    caches: level name -> bytes of one instance (L1d, L2, L3). memory: bytes of RAM, rounded to 1 GiB.
    """

    cpu: str
    architecture: str
    cores: int
    isa: tuple[str, ...]
    caches: tuple[tuple[str, int], ...]
    memory: int
    gpus: tuple[str, ...]
    system: str
    python: str

    @property
    def id(self) -> str:
        """Twelve hex digits that differ where any of the facts differs."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]

    @property
    def capabilities(self) -> set[str]:
        """What a claim's `needs` may ask for: ISA extensions, `cuda`."""
        return {*self.isa, self.architecture, *(["cuda"] if self.gpus else [])}

    def describe(self) -> str:
        """One line: processor, cores, widest vectors, last cache, memory, system."""
        wide = next((n for f, n in (("avx512f", "AVX-512"), ("avx2", "AVX2"), ("asimd", "NEON")) if f in self.isa), "")
        last = f"{self.caches[-1][1] / 2**20:.0f} MiB {self.caches[-1][0]}" if self.caches else ""
        parts = [self.cpu, f"{self.cores} cores", wide, last, f"{self.memory / 2**30:.0f} GiB", *self.gpus, self.system]
        return ", ".join(p for p in parts if p)

    def to_json(self) -> str:
        return json.dumps({"id": self.id, "summary": self.describe(), **asdict(self)}, sort_keys=True)


@cache
def machine() -> Machine:
    """This machine. Reads /proc and /sys; takes a few milliseconds, once."""
    info = _cpuinfo()
    flags = set((info.get("flags") or info.get("Features") or "").split())
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        memory = 0
    return Machine(
        cpu=info.get("model name") or platform.processor() or platform.machine(),
        architecture=platform.machine(),
        cores=affinity,
        isa=tuple(f for f in _ISA if f in flags),
        caches=_caches(),
        memory=round(memory / 2**30) * 2**30,
        gpus=_gpus(),
        system=platform.system(),
        python=platform.python_version(),
    )


def _cpuinfo() -> dict[str, str]:
    try:
        first = Path("/proc/cpuinfo").read_text().split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _caches() -> tuple[tuple[str, int], ...]:
    found = {}
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        try:
            kind = (folder / "type").read_text().strip()
            level = int((folder / "level").read_text())
            size = (folder / "size").read_text().strip()
        except (OSError, ValueError):
            continue
        if kind != "Instruction":
            scale = {"K": 2**10, "M": 2**20, "G": 2**30}.get(size[-1], 1)
            found[f"L{level}{'d' if kind == 'Data' else ''}"] = int(size.rstrip("KMG")) * scale
    return tuple(found.items())


def _gpus() -> tuple[str, ...]:
    names = []
    for file in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information")):
        for line in file.read_text().splitlines():
            if line.startswith("Model:"):
                names.append(line.partition(":")[2].strip())
    return tuple(names)
