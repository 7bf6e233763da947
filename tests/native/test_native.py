"""The compiled module itself: STREAM kernels, buffers, names."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import need

_native = pytest.importorskip("steelyard._native", reason="the compiled kernels are not built")
ISAS = [isa for isa, reason in _native.isas().items() if not reason]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("stores", ["normal", "streaming"])
@pytest.mark.parametrize("n", [0, 1, 15, 16, 100, 4099])
def test_stream_kernels(isa: str, stores: str, n: int) -> None:
    rng = np.random.default_rng(n)
    a, b = rng.normal(size=(2, n)).astype(np.float32)
    for offset in (0, 3):
        out = np.zeros(n + 8, np.float32)[offset : offset + n]
        _native.run_pass("copy", a, out, isa=isa, stores=stores)
        assert np.array_equal(out, a)
        _native.run_pass("triad", a, out, b, isa=isa, stores=stores, scale=3.0)
        assert np.allclose(out, a + 3 * b, rtol=1e-5, atol=1e-6)
    assert _native.run_pass("read", a, isa=isa) == pytest.approx(float(a.sum(dtype=np.float64)), abs=1e-3)


@pytest.mark.parametrize("count", [0, 1, 17, 1 << 19, (1 << 19) + 5])
def test_buffers_are_aligned_zero_and_outlive_their_name(count: int) -> None:
    view = _native.buffer(count)[: count // 2]
    assert view.dtype == np.float32
    assert view.ctypes.data % (1 << 21 if count * 4 >= 1 << 21 else 64) == 0
    assert not view.any()


def test_too_large_a_buffer_is_a_memory_error() -> None:
    with pytest.raises(MemoryError):
        _native.buffer(1 << 60)


def test_unknown_names_and_missing_outputs_are_refused() -> None:
    x = np.zeros(4, np.float32)
    with pytest.raises(ValueError, match="unknown pass"):
        _native.run_pass("fourth", x)
    with pytest.raises(ValueError, match="unknown isa"):
        _native.run_pass("max", x, isa="mmx")
    with pytest.raises(ValueError, match="needs an out"):
        _native.run_pass("write", x)
    with pytest.raises(ValueError, match="no such candidate"):
        _native.choose("max", "scalar", "cached", "normal", 1000, 0)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc/cpuinfo")
def test_dispatch_agrees_with_the_kernel_of_the_system() -> None:
    flags = Path("/proc/cpuinfo").read_text()
    isas = _native.isas()
    assert (isas["avx2"] == "") == (" avx2 " in flags and " fma " in flags)
    assert (isas["avx512"] == "") == (" avx512f " in flags)
    assert isas["scalar"] == ""


_COUNT = """
import numpy as np
from steelyard import _native
x, out = np.zeros({n}, np.float32), np.zeros({n}, np.float32)
kernel = _native.Softmax("two-pass", "avx2")
for _ in range({calls}):
    kernel(x, out)
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() != "x86_64", reason="counts AVX2 instructions")
def test_instructions_of_the_avx2_two_pass_kernel() -> None:
    """Counted by callgrind, hence the same on every machine: pass 1 needs at least 17 vector instructions for 8
    elements and pass 2 at least 15 (load, clamp, multiply, round, 7 FMA, ... store); address arithmetic, the loop and
    registers spilled may add half as much, not more."""
    need("valgrind")
    if "avx2" not in ISAS:
        pytest.skip("no AVX2 here")
    n = 46_080
    per_vector = (_instructions(n, 21) - _instructions(n, 1)) / 20 / (n / 8)
    assert 32 <= per_vector <= 48


def _instructions(n: int, calls: int) -> int:
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
         sys.executable, "-c", _COUNT.format(n=n, calls=calls)],
        capture_output=True, text=True, timeout=280, check=True, env=os.environ | {"PYTHONHASHSEED": "0"},
    )  # fmt: skip
    line = next(line for line in done.stderr.splitlines() if "Collected" in line)
    return int(line.split(":")[1])
