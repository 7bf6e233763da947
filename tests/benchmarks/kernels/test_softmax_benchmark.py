"""The softmax benchmark: its cases, its metrics, and that it finds broken kernels."""

from __future__ import annotations

import json

import numpy as np
import pytest

from steelyard.benchmarks.kernels.softmax import stream
from steelyard.benchmarks.kernels.softmax.accuracy import accuracy, accuracy_row, reference, ulp_distance
from steelyard.benchmarks.kernels.softmax.benchmark import OFFICIAL, Softmax
from steelyard.benchmarks.kernels.softmax.edges import EDGES, edge_case_failures, edge_rows, expected, right
from steelyard.core.errors import InputError
from steelyard.core.interfaces import Outcome

pytest.importorskip("steelyard._native", reason="the compiled kernels are not built")
MIB = 1 << 20


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A last cache that ends at 1 MiB, so that no test measures this machine."""
    monkeypatch.setattr(stream, "knee", lambda: MIB)


def exact(x: np.ndarray, out: np.ndarray) -> None:
    out[...] = expected(x)


class Exact:
    streams, stores = (2, 1), "normal"

    def __call__(self, x: np.ndarray, out: np.ndarray) -> None:
        exact(x, out)

    def passes(self) -> list:
        return [("read", lambda x, out: x.sum(), 1, 0), ("copy", lambda x, out: np.copyto(out, x), 1, 1)]


def test_knee_is_where_the_plateau_begins() -> None:
    assert stream.knee_of({1: 100.0, 2: 90.0, 4: 40.0, 8: 31.0, 16: 29.0, 32: 30.0}) == 8
    assert stream.knee_of({1: 100.0, 2: 36.0, 4: 40.0, 8: 30.0}) == 8  # a dip before the plateau does not count
    assert stream.knee_of({1: 30.0, 2: 30.0}) == 1


@pytest.mark.usefixtures("small")
def test_sizes() -> None:
    bench = Softmax(max_bytes=4 * MIB)
    timed = [c for c in bench.cases(None) if c.attributes["kind"] == "time"]
    assert [c.attributes["bytes"] for c in timed][-2:] == [2 * MIB, 4 * MIB]
    assert timed[0].attributes["bytes"] == timed[0].attributes["l1_bytes"] // 2
    official = [c.payload for c in Softmax(sizes="official").cases(None) if c.attributes["kind"] == "time"]
    assert official == list(OFFICIAL) == [128, 154, 512, 2048, 8192, 10_000, 100_000, 1_000_000]
    assert [c.payload for c in Softmax(sizes="100+2000").cases(None)][:2] == [100, 2000]
    with pytest.raises(InputError, match="sizes"):
        Softmax(sizes="big").cases(None)
    with pytest.raises(InputError, match=r"needs 12,\d{3},\d{3},\d{3},\d{3} bytes"):
        Softmax(sizes="1000000000000").cases(None)


@pytest.mark.usefixtures("small")
def test_a_timed_round() -> None:
    bench = Softmax(sizes="600000+3000")
    long, short = (c for c in bench.cases(None) if c.attributes["kind"] == "time")
    bench.warm(Exact(), long)
    result = bench.measure(Exact(), long, 0)
    assert isinstance(result, Outcome)
    t = result.metrics["time"]
    assert t > 0
    assert result.metrics["bandwidth"] == pytest.approx(2 * 4 * 600_000 / t)
    assert result.metrics["traffic"] == pytest.approx(3 * 4 * 600_000 / t)
    assert result.metrics["traffic_allocating"] == pytest.approx(4 * 4 * 600_000 / t)
    shares = json.loads(result.artifacts["passes"])["stream_share"]
    assert result.metrics["slowest_pass_stream_share"] == min(shares.values()) > 0
    first = bench._field
    bench.measure(Exact(), short, 0)
    assert bench._field is not first
    assert bench._field.rows == 1 + -(-MIB // 12_000)  # type: ignore[union-attr]


@pytest.mark.usefixtures("small")
def test_outputs_rotate_and_the_input_is_the_stated_one() -> None:
    bench = Softmax(sizes="1000")
    case = bench.cases(None)[0]
    seen = []
    bench.warm(lambda x, out: seen.append((x.min(), x.max(), out.ctypes.data)), case)
    bench.warm(lambda x, out: seen.append((x.min(), x.max(), out.ctypes.data)), case)
    assert seen[0][2] != seen[1][2]
    assert -1000 <= seen[0][0] < -900
    assert 900 < seen[0][1] < 1000


def test_reference_of_two_elements() -> None:
    y = reference(np.array([0.0, np.log(3.0)], np.float32))
    assert y == pytest.approx([0.25, 0.75], rel=1e-7)


def test_ulp_distance_counts_float32_steps() -> None:
    one = np.array([1.0, 0.5], np.float32)
    assert ulp_distance(np.nextafter(one, np.float32(2)), one.astype(np.float64)).tolist() == [1, 1]
    assert ulp_distance(one, np.array([1.0 + 2e-8, 0.5])).tolist() == [0, 0]


def test_accuracy_of_known_errors() -> None:
    x = np.array([0.0, 0.0, -200.0], np.float32)
    truth = reference(x)
    y = np.array([0.5, 0.5 + 2.0**-24, 1.0], np.float32)  # the third reference is below the normal range
    assert accuracy(y, truth) == {
        "max_ulp": 1.0, "ulp_p999": pytest.approx(0.999), "max_relative_error": 2.0**-23, "sum_error": 1.0 + 2.0**-24,
        "flushed": 0.0,
    }  # fmt: skip
    assert accuracy(np.array([1.0, 0.0, 0.0], np.float32), truth)["flushed"] == 1.0


def test_accuracy_rows_are_what_they_say() -> None:
    assert np.ptp(accuracy_row("equal", 100)) == 0
    assert accuracy_row("one-huge", 99)[33] == 80
    assert np.abs(accuracy_row("uniform1000", 1000)).max() > 900
    assert accuracy_row("normal10", 10_000).std() == pytest.approx(10, rel=0.05)


@pytest.mark.parametrize("name", EDGES)
def test_the_exact_answer_passes_and_trivial_answers_fail(name: str) -> None:
    rows = edge_rows(name)
    assert edge_case_failures(exact, name) == 0
    if name != "empty":
        wrong = edge_case_failures(lambda x, out: out.fill(0.123), name)
        assert wrong == len(rows)
    assert edge_case_failures(lambda x, out: 1 / 0, name) == len(rows)


def test_a_write_out_of_bounds_is_found() -> None:
    def overrun(x: np.ndarray, out: np.ndarray) -> None:
        exact(x, out)
        np.lib.stride_tricks.as_strided(out, (x.size + 1,))[x.size] = 0

    assert edge_case_failures(overrun, "tails") == 65


def test_right_wants_zeros_and_nans_where_they_belong() -> None:
    truth = expected(np.array([0.0, -np.inf], np.float32))
    assert right(np.array([1, 0], np.float32), truth)
    assert not right(np.array([1, 1e-6], np.float32), truth)
    assert not right(np.array([np.nan, 0], np.float32), truth)
    assert right(np.full(2, np.nan, np.float32), expected(np.full(2, -np.inf, np.float32)))


def test_the_subtract_less_softmax_is_caught() -> None:
    def naive(x: np.ndarray, out: np.ndarray) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            e = np.exp(x)
            out[...] = e / e.sum()

    assert edge_case_failures(naive, "large-magnitude") > 0
