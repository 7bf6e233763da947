"""Energy used while something runs: RAPL for processors, NVML for NVIDIA GPUs, or the reason why neither is here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
Counter = Callable[[], int]


@dataclass(slots=True)
class Energy:
    """What was used. joules: by source ("package-0 (RAPL)", "GPU 0 (NVML)"), filled when the context ends.

    seconds: wall time. reasons: why a kind of counter is not here. The counters are the whole machine's: what else
    runs at the time is counted too.
    """

    joules: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    reasons: list[str] = field(default_factory=list)

    @property
    def supported(self) -> bool:
        return bool(self.joules)

    @property
    def total(self) -> float | None:
        """Joules of all sources together; None where nothing counts."""
        return sum(self.joules.values()) if self.joules else None


@contextmanager
def energy(powercap: Path = POWERCAP) -> Iterator[Energy]:
    """Measure the energy used within the context.

    powercap: the sysfs folder of RAPL. A RAPL counter is read at the start and the end: a context in which it would
    overflow twice (an hour or so) is too long.
    """
    used = Energy()
    counters = [*_rapl(powercap, used.reasons), *_nvml(used.reasons)]
    before = [read() for _, read, _, _ in counters]
    began = time.perf_counter()
    try:
        yield used
    finally:
        used.seconds = time.perf_counter() - began
        for (name, read, joules, wraps), start in zip(counters, before, strict=True):
            spent = read() - start
            used.joules[name] = (spent + wraps if spent < 0 else spent) * joules


def _rapl(powercap: Path, reasons: list[str]) -> Iterator[tuple[str, Counter, float, int]]:
    # Packages only: cores and DRAM nested in a package (intel-rapl:0:0) are parts of it or would be counted twice.
    zones = sorted(zone for zone in powercap.glob("*rapl:*") if zone.name.count(":") == 1)
    if not zones:
        reasons.append(f"RAPL: no counters in {powercap} (a virtual machine hides them)")
    for zone in zones:
        file = zone / "energy_uj"
        try:
            file.read_text()
            name = (zone / "name").read_text().strip()
            wraps = int((zone / "max_energy_range_uj").read_text())
        except PermissionError:
            reasons.append(f"RAPL: {file} may not be read (chmod a+r {file}, as root)")
        except (OSError, ValueError) as error:
            reasons.append(f"RAPL: {zone.name}: {error}")
        else:
            yield f"{name} (RAPL)", lambda file=file: int(file.read_text()), 1e-6, wraps  # type: ignore[misc]


def _nvml(reasons: list[str]) -> Iterator[tuple[str, Counter, float, int]]:
    try:
        import pynvml
    except ImportError:
        reasons.append("NVML: nvidia-ml-py is not installed")
        return
    try:
        pynvml.nvmlInit()
        handles = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError as error:
        reasons.append(f"NVML: {error}")
        return
    for number, handle in enumerate(handles):
        try:
            pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
        except pynvml.NVMLError as error:
            reasons.append(f"NVML: GPU {number}: {error}")
        else:
            read = lambda handle=handle: int(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle))  # noqa: E731
            yield f"GPU {number} (NVML)", read, 1e-3, 0
