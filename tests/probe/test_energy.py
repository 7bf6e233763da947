"""Energy counters, from trees and a driver made by hand: units, overflow, what may not be read, what is counted twice."""

from __future__ import annotations

import os
import sys
import tempfile
import time
import types
from pathlib import Path

import pytest

from steelyard.probe.energy import energy


def zone(folder: Path, name: str, microjoules: int) -> Path:
    folder.mkdir(parents=True)
    (folder / "name").write_text(name + "\n")
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    (folder / "max_energy_range_uj").write_text("10000000\n")
    return folder / "energy_uj"


@pytest.fixture
def without_nvml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)


def test_rapl_counts_packages_once_each_in_microjoules_and_may_wrap(tmp_path: Path, without_nvml: None) -> None:
    first = zone(tmp_path / "intel-rapl:0", "package-0", 1_000_000)
    second = zone(tmp_path / "intel-rapl:1", "package-1", 9_000_000)
    others = [
        zone(tmp_path / "intel-rapl:0:0", "dram", 5),
        zone(tmp_path / "intel-rapl:2", "psys", 5),  # the whole board: it holds the packages
        zone(tmp_path / "intel-rapl-mmio:0", "package-0", 5),  # package 0 by another way
    ]
    with energy(tmp_path) as used:
        first.write_text("3500000\n")
        second.write_text("500000\n")  # wrapped at 10 J: 1 J to the end and 0.5 J after
        for other in others:
            other.write_text("9000000\n")
    assert used.joules == {"package-0 (RAPL)": pytest.approx(2.5), "package-1 (RAPL)": pytest.approx(1.5)}
    assert used.total == pytest.approx(4.0)
    assert used.seconds > 0


def test_a_counter_that_wraps_several_times_is_followed(tmp_path: Path, without_nvml: None) -> None:
    counter = zone(tmp_path / "intel-rapl:0", "package-0", 0)
    with energy(tmp_path, look_s=0.005) as used:
        for turn in range(1, 8):  # 6 J a turn, 42 J in all, on a counter that holds 10 J
            fresh = counter.with_suffix(".new")
            fresh.write_text(f"{turn * 6_000_000 % 10_000_000}\n")
            fresh.replace(counter)
            time.sleep(0.2)
    assert used.total == pytest.approx(42.0)


def test_a_counter_that_may_not_be_read_is_said_with_the_cure(without_nvml: None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        counter = zone(Path(folder, "intel-rapl:0"), "package-0", 1)
        counter.chmod(0o400)
        other_user = os.geteuid() == 0
        if other_user:  # the kernel lets root read everything
            os.seteuid(65534)
        else:
            counter.chmod(0)
        try:
            with energy(Path(folder)) as used:
                pass
        finally:
            if other_user:
                os.seteuid(0)
    assert not used.supported
    assert used.total is None
    assert used.reasons[0] == f"RAPL: {counter} may not be read (chmod a+r {counter}, as root)"


def test_a_counter_that_goes_away_costs_its_figure_and_not_the_measurement(tmp_path: Path, without_nvml: None) -> None:
    gone = zone(tmp_path / "intel-rapl:0", "package-0", 0)
    stays = zone(tmp_path / "intel-rapl:1", "package-1", 0)
    found = []

    def work() -> None:
        with energy(tmp_path) as used:
            found.append(used)
            gone.unlink()
            stays.write_text("2000000")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    (used,) = found
    assert used.joules == {"package-1 (RAPL)": pytest.approx(2.0)}
    assert any(reason.startswith("package-0 (RAPL): ") for reason in used.reasons)


def test_without_counters_energy_says_why(tmp_path: Path, without_nvml: None) -> None:
    with energy(tmp_path) as used:
        pass
    assert used.total is None
    assert used.reasons == [
        f"RAPL: no counters in {tmp_path} (a virtual machine hides them)",
        "NVML: nvidia-ml-py is not installed",
    ]


class Driver(types.ModuleType):
    """The four calls of nvidia-ml-py that are used, over counters in millijoules; None is a GPU without a counter."""

    class NVMLError(Exception):
        pass

    def __init__(self, counters: list[int | None], broken: bool = False) -> None:
        super().__init__("pynvml")
        self.counters, self.broken = counters, broken

    def nvmlInit(self) -> None:
        if self.broken:
            raise self.NVMLError("Driver Not Loaded")

    def nvmlDeviceGetCount(self) -> int:
        return len(self.counters)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: int) -> int:
        value = self.counters[handle]
        if value is None:
            raise self.NVMLError("Not Supported")
        return value


def test_nvml_counts_in_millijoules_gpu_by_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver([5_000, None, 7_000])
    monkeypatch.setitem(sys.modules, "pynvml", driver)
    with energy(tmp_path) as used:
        driver.counters = [5_000 + 1_500, None, 100]  # the last one: its driver was loaded again
    assert used.joules == {"GPU 0 (NVML)": pytest.approx(1.5)}
    assert used.reasons[1:] == [
        "NVML: GPU 1: Not Supported", "GPU 2 (NVML): the counter was set back (was the driver loaded again?)",
    ]  # fmt: skip


def test_a_driver_that_is_not_loaded_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", Driver([], broken=True))
    with energy(tmp_path) as used:
        pass
    assert used.reasons[1] == "NVML: Driver Not Loaded"
