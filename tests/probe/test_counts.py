"""Instruction counts, against programs whose instructions can be counted by hand."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

import pytest

from steelyard.core.errors import InputError, MissingError
from steelyard.probe import counts
from tests.conftest import need

# One mov, then N times dec and jnz, then what ends the process.
LOOP = """
.globl _start
_start:
    mov $COUNT, %ecx
1:  dec %ecx
    jnz 1b
    mov $60, %eax
    xor %edi, %edi
    syscall
"""


@pytest.fixture(params=["callgrind", "perf_event"])
def how(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    need("valgrind")
    if request.param == "perf_event" and counts.backend() != "perf_event":
        pytest.skip("this machine has no counters that perf may read")
    monkeypatch.setattr(counts, "backend", lambda: request.param)
    return str(request.param)


def program(folder: Path, count: int) -> str:
    if platform.machine() != "x86_64":
        pytest.skip("the program is written for x86-64")
    need("gcc")
    source, out = folder / f"loop{count}.s", folder / f"loop{count}"
    source.write_text(LOOP.replace("COUNT", str(count)))
    subprocess.run(["gcc", "-nostdlib", "-static", "-o", str(out), str(source)], check=True)
    return str(out)


def test_a_loop_has_the_instructions_that_are_written_in_it(tmp_path: Path, how: str) -> None:
    small, large = (counts.instructions([program(tmp_path, n)]) for n in (1_000, 51_000))
    assert {small.backend, large.backend} == {how}
    assert large.instructions - small.instructions == pytest.approx(2 * 50_000, abs=0 if how == "callgrind" else 50)
    if how == "callgrind":  # it books a block when it ends, and the last three instructions' block never does
        assert small.instructions in (1 + 2 * 1_000, 1 + 2 * 1_000 + 3)


def test_the_processes_that_a_program_starts_count_too(tmp_path: Path, how: str) -> None:
    loop = program(tmp_path, 1_000_000)
    alone, twice = (counts.instructions(["sh", "-c", "; ".join([loop] * n) + "; true"]) for n in (1, 2))
    assert twice.instructions - alone.instructions == pytest.approx(2_000_000, rel=0.05)


def test_a_program_that_fails_or_is_not_there_is_no_count(how: str) -> None:
    with pytest.raises(InputError, match=f"ended with code 7 under {how}"):
        counts.instructions(["sh", "-c", "exit 7"])
    with pytest.raises(MissingError, match="no-such-program is not a program here"):
        counts.instructions(["no-such-program"])
