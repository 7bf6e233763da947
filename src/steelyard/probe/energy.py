"""Energy used while something runs: RAPL for processors, NVML for NVIDIA GPUs, or the reason why neither is here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
LOOK_S = 60.0


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


@dataclass(slots=True)
class _Counter:
    """One counter. read: its value now. joules: of one step. wraps: where it begins again from 0, 0 for never."""

    name: str
    read: Callable[[], int]
    joules: float
    wraps: int = 0
    last: int = 0
    total: int = 0
    trouble: str = ""

    def step(self) -> None:
        """Add what was used since the last look."""
        if self.trouble:
            return
        try:
            now = self.read()
        except Exception as error:  # what was measured must not be lost to a counter that went away meanwhile
            self.trouble = str(error)
            return
        spent, self.last = now - self.last, now
        if spent < 0 and not self.wraps:
            self.trouble = "the counter was set back (was the driver loaded again?)"
        self.total += spent + self.wraps if spent < 0 else spent


@contextmanager
def energy(powercap: Path = POWERCAP, look_s: float = LOOK_S) -> Iterator[Energy]:
    """Measure the energy used within the context.

    powercap: the sysfs folder of RAPL. look_s: how often a counter that overflows is looked at meanwhile (RAPL's holds
    262 kJ, nine minutes at 500 W). A GPU's counter moves every 20 to 100 ms: measure seconds, not milliseconds.
    """
    used = Energy()
    counters = [*_rapl(powercap, used.reasons), *_nvml(used.reasons)]
    over = threading.Event()

    def watch() -> None:
        while not over.wait(look_s):
            for counter in wrapping:
                counter.step()

    wrapping = [c for c in counters if c.wraps]
    watcher = threading.Thread(target=watch, name="energy", daemon=True)
    for counter in counters:
        counter.last = counter.read()
    if wrapping:
        watcher.start()
    began = time.perf_counter()
    try:
        yield used
    finally:
        used.seconds = time.perf_counter() - began
        over.set()
        if wrapping:
            watcher.join()
        for counter in counters:
            counter.step()
            if counter.trouble:
                used.reasons.append(f"{counter.name}: {counter.trouble}")
            else:
                used.joules[counter.name] = counter.total * counter.joules


def _rapl(powercap: Path, reasons: list[str]) -> Iterator[_Counter]:
    # Packages only, each once: zones nested in a package (intel-rapl:0:0) are its parts or stand beside it, `psys` holds
    # the packages, and intel-rapl-mmio:0 is a package's second door.
    zones = sorted(zone for zone in powercap.glob("intel-rapl:*") if zone.name.count(":") == 1)
    if not zones:
        reasons.append(f"RAPL: no counters in {powercap} (a virtual machine hides them)")
    for zone in zones:
        file = zone / "energy_uj"
        try:
            name = (zone / "name").read_text().strip()
            if not name.startswith("package"):
                continue
            file.read_text()
            wraps = int((zone / "max_energy_range_uj").read_text())
        except PermissionError:
            reasons.append(f"RAPL: {file} may not be read (chmod a+r {file}, as root)")
        except (OSError, ValueError) as error:
            reasons.append(f"RAPL: {zone.name}: {error}")
        else:
            yield _Counter(f"{name} (RAPL)", lambda file=file: int(file.read_text()), 1e-6, wraps)  # type: ignore[misc]


def _nvml(reasons: list[str]) -> Iterator[_Counter]:
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
            yield _Counter(f"GPU {number} (NVML)", read, 1e-3)
