"""Times, memory, energy, instructions and the machine, against what is known beforehand or told by others."""

from __future__ import annotations

import dataclasses
import gc
import json
import os
import platform
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from steelyard.core.errors import InputError, MissingError
from steelyard.probe import machine
from steelyard.probe.memory import current, peak, peak_of_program
from steelyard.probe.timing import Timings, interleave, pin

MIB = 2**20


def timings(*walls: list[float]) -> Timings:
    wall = np.array(walls, dtype=float)
    return Timings(tuple("abcdef"[: len(walls)]), wall, wall, (1,) * len(walls))


def test_a_sleep_takes_its_time_and_no_processor() -> None:
    found = interleave({"sleep": lambda: time.sleep(0.01)}, rounds=5, warmup=1)
    assert found.wall_ns.shape == (1, 5)
    assert found.wall_ns.min() >= 10e6
    assert found.cpu_ns.max() < 5e6


def test_every_round_runs_everything_once_in_changing_order_with_the_collector_off() -> None:
    ran: list[str] = []
    collecting: set[bool] = set()

    def called(name: str) -> None:
        ran.append(name)
        collecting.add(gc.isenabled())
        time.sleep(2e-4)  # long enough not to be repeated within a round

    found = interleave({name: lambda name=name: called(name) for name in "abc"}, rounds=8, warmup=2)  # type: ignore[misc]
    assert found.repeats == (1, 1, 1)
    rounds = [ran[-24:][i : i + 3] for i in range(0, 24, 3)]
    assert all(Counter(one) == Counter("abc") for one in rounds)
    assert len(set(map(tuple, rounds))) > 1
    assert Counter(ran) == dict.fromkeys("abc", 2 + 1 + 8)  # warm-up, one to see how long it takes, rounds
    assert False in collecting
    assert gc.isenabled()


def test_a_quick_callable_is_repeated_and_its_time_is_of_one_call() -> None:
    found = interleave({"nothing": lambda: None}, rounds=5)
    assert found.repeats[0] > 100
    assert 1 < found.median_ns()["nothing"] < 5000


def test_twice_the_work_takes_twice_the_time() -> None:
    one, two = (lambda n=n: sum(range(n)) for n in (200_000, 400_000))  # type: ignore[misc]
    found = interleave({"one": one, "two": two}, rounds=15)
    assert found.cpu_ns.min(axis=1) @ [-2, 1] == pytest.approx(0, abs=0.4 * found.cpu_ns[0].min())
    assert found.ratios("one")[0].tolist() == [1.0] * 15
    with pytest.raises(InputError, match="unknown baseline 'three'"):
        found.ratios("three")


def test_time_is_a_budget_and_one_round_is_always_run() -> None:
    assert interleave({"a": lambda: time.sleep(0.001)}, rounds=10_000, time_s=0.0).wall_ns.shape == (1, 1)
    with pytest.raises(InputError, match="nothing to time"):
        interleave({})


def test_noise_and_drift_by_hand() -> None:
    # Quartiles of 1..5 are 2 and 4, the median 3: spread 2/3. The second half of `b` is 20 % slower than the first.
    found = timings([1, 2, 3, 4, 5, 3], [10, 10, 10, 12, 12, 12], [7, 7, 7, 7, 7, 7])
    assert timings([1, 2, 3, 4, 5]).spread() == {"a": pytest.approx(2 / 3)}
    assert found.noisy() == ("a", "b")
    assert found.drift() == {"a": 1.0, "b": pytest.approx(0.2), "c": 0.0}
    assert found.drifted() == ("a", "b")
    assert timings([1]).drift() == {"a": 0.0}


def test_pinning_lasts_as_long_as_its_context() -> None:
    before = os.sched_getaffinity(0)
    with pin(min(before)):
        assert os.sched_getaffinity(0) == {min(before)}
    assert os.sched_getaffinity(0) == before
    with pytest.raises(MissingError, match="core 100000 cannot be used"), pin(100_000):
        pass


def test_the_peak_of_a_callable_is_what_it_touches() -> None:
    ballast = np.ones(64 * MIB, np.uint8)  # the parent's own memory must not be taken for the callable's
    kept = [np.ones(MIB // 16, np.uint8) for _ in range(1600)]  # small pieces: malloc keeps their 100 MiB when they go
    last = np.ones(MIB // 16, np.uint8)  # above them, so that the heap cannot shrink
    del kept
    found = peak(lambda: [np.ones(MIB // 16, np.uint8) for _ in range(768)])
    assert 47 * MIB < found.grown < 60 * MIB
    found = peak(lambda: np.ones(48 * MIB, np.uint8).sum() + last[0])
    assert 47 * MIB < found.grown < 60 * MIB
    assert peak(lambda: None).grown < 4 * MIB
    assert current() >= ballast.nbytes
    with pytest.raises(ZeroDivisionError):
        peak(lambda: 1 / 0)
    with pytest.raises(InputError, match="SIGKILL"):
        peak(lambda: os.kill(os.getpid(), 9))


def test_the_peak_of_a_program_is_its_own_not_its_starters() -> None:
    ballast = np.ones(256 * MIB, np.uint8)
    script = "import sys; x = bytearray(int(sys.argv[1])); x[::4096] = b'x' * len(x[::4096])"
    small, big = (peak_of_program([sys.executable, "-c", script, str(size)]).peak for size in (4096, 80 * MIB))
    assert big - small == pytest.approx(80 * MIB, rel=0.1)
    assert small < 64 * MIB < ballast.nbytes
    with pytest.raises(InputError, match="ended with code 3"):
        peak_of_program([sys.executable, "-c", "raise SystemExit(3)"])
    with pytest.raises(MissingError, match="no-such-program cannot be run"):
        peak_of_program(["no-such-program"])


def test_the_machine_agrees_with_the_system() -> None:
    here = machine()
    assert here.architecture == platform.machine()
    assert here.cores == len(os.sched_getaffinity(0))
    total = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    assert abs(here.memory - int(total.split()[1]) * 1024) < 2**30
    flags = Path("/proc/cpuinfo").read_text()
    assert all(f" {extension} " in f"{flags} " for extension in here.isa)
    assert ("avx2" in here.capabilities) == (" avx2 " in flags)
    assert f"{here.cores} core" in here.describe()
    assert "\n" not in here.describe()
    assert json.loads(here.to_json())["id"] == here.id


def test_the_fingerprint_is_stable_and_tells_machines_apart() -> None:
    script = "from steelyard.probe import machine; print(machine().id)"
    again = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()
    assert again == machine().id
    assert dataclasses.replace(machine(), memory=2**40).id != machine().id


def test_the_fingerprint_is_quick_and_nothing_heavy_is_imported() -> None:
    script = (
        "import sys, time\n"
        "from steelyard.probe import machine\n"
        "import steelyard.probe.timing, steelyard.probe.memory, steelyard.probe.energy, steelyard.probe.counts\n"
        "best = 1.0\n"
        "for _ in range(5):\n"
        "    machine.cache_clear(); began = time.process_time(); machine()\n"
        "    best = min(best, time.process_time() - began)\n"
        "print(best < 0.02, {'numpy', 'pynvml', 'psutil'} & set(sys.modules))"
    )
    assert (
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
        == "True set()\n"
    )
