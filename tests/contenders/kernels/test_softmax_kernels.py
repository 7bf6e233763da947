"""The softmax kernels against float64, on every instruction set that runs here."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from steelyard.contenders.kernels.online import Online
from steelyard.contenders.kernels.peers import Numpy, Scipy
from steelyard.contenders.kernels.three_pass import ThreePassRecompute, ThreePassReload
from steelyard.contenders.kernels.two_pass import TwoPass
from steelyard.core.errors import InputError, MissingError

_native = pytest.importorskip("steelyard._native", reason="the compiled kernels are not built")
ISAS = [isa for isa, reason in _native.isas().items() if not reason]
ALGORITHMS = [TwoPass, ThreePassRecompute, ThreePassReload, Online]
STORES = ["normal", "streaming"]


def softmax64(x: np.ndarray) -> np.ndarray:
    e = np.exp(x.astype(np.float64) - x.max(axis=-1, keepdims=True).astype(np.float64))
    return e / e.sum(axis=-1, keepdims=True)


def run(contender: object, x: np.ndarray) -> np.ndarray:
    out = np.full_like(x, 9.0)
    contender(x, out)  # type: ignore[operator]
    return out


def close(y: np.ndarray, x: np.ndarray, relative: float) -> None:
    truth = softmax64(x)
    assert np.all(np.abs(y - truth) <= relative * truth + 2.0**-125)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("profile", ["sound", "published"])
@settings(max_examples=40, deadline=None)
@given(
    x=hnp.arrays(np.float32, st.integers(1, 700), elements=st.floats(-1000, 1000, width=32)),
    stores=st.sampled_from(STORES),
)
def test_rows_agree_with_float64(algorithm: type, isa: str, profile: str, stores: str, x: np.ndarray) -> None:
    # x - max is rounded in three-pass (2^-24 * 2000 at most before the exponential); two-pass never subtracts.
    bound = 1e-6 if algorithm is TwoPass else 2000 * 2.0**-24 + 1e-6
    close(run(algorithm(isa=isa, stores=stores, profile=profile), x), x, bound)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_adding_a_constant_changes_nothing(algorithm: type, isa: str) -> None:
    x = np.round(np.random.default_rng(1).normal(0, 8, 3001) * 64).astype(np.float32) / 64
    shifted = x + np.float32(512)  # exact: all are multiples of 1/64
    assert np.allclose(run(algorithm(isa=isa), x), run(algorithm(isa=isa), shifted), rtol=2e-6, atol=0)


@pytest.mark.parametrize("isa", ISAS)
def test_exponential_is_within_two_ulp(isa: str) -> None:
    """m * 2^n over [-104, 89], a stride through all floats there; 2^-n is taken out so that nothing under- or overflows."""
    bits = [np.arange(0x80000000, 0xC2D00001, 4999), np.arange(0x00000000, 0x42B20001, 4999)]
    x = np.concatenate(bits).astype(np.uint32).view(np.float32)
    worst = 0.0
    for low in np.arange(-160, 140, 20):  # shifts keep 2^(n - shift) in the normal range on every instruction set
        part = x[(x * np.log2(np.e) > low - 20) & (x * np.log2(np.e) <= low)]
        if part.size == 0:
            continue
        out = np.empty_like(part)
        _native.run_pass("extended_write", part, out, isa=isa, shift=float(low + 1), scale=1.0)
        truth = np.exp(part.astype(np.longdouble)) * np.longdouble(2) ** -np.longdouble(low + 1)
        ulp = 2.0 ** (np.floor(np.log2(truth.astype(np.float64))) - 23)
        worst = max(worst, float(np.max(np.abs(out.astype(np.longdouble) - truth) / ulp)))
    assert 0.4 < worst < 2.0


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("stores", STORES)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_tail_and_offset_stays_inside_its_output(algorithm: type, stores: str, isa: str) -> None:
    source = np.random.default_rng(2).normal(0, 10, 400).astype(np.float32)
    contender = algorithm(isa=isa, stores=stores)
    for n in [*range(1, 66), 200, 257]:
        offset = n % 17
        x = source[offset : offset + n]
        block = np.full(n + 64, -7, np.float32)
        contender(x, block[offset + 1 : offset + 1 + n])
        close(block[offset + 1 : offset + 1 + n], x, 1e-5)
        assert np.all(block[: offset + 1] == -7)
        assert np.all(block[offset + 1 + n :] == -7)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_threads_and_alignment_do_not_change_a_bit(algorithm: type, isa: str) -> None:
    x = np.random.default_rng(3).normal(0, 10, 300_001).astype(np.float32)
    one = run(algorithm(isa=isa), x)
    for threads in (2, 3, 5):
        assert np.array_equal(run(algorithm(isa=isa, threads=threads), x), one)
    rows = x[:300_000].reshape(30, 10_000)
    batched = run(algorithm(isa=isa, threads=4), rows)
    assert all(np.array_equal(batched[r], run(algorithm(isa=isa), rows[r])) for r in range(30))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_rows_with_a_stride(algorithm: type) -> None:
    base = np.random.default_rng(4).normal(0, 5, (6, 64)).astype(np.float32)
    out = np.zeros((6, 100), np.float32)
    algorithm()(base[::2, 5:55], out[1::2, 20:70])
    close(out[1::2, 20:70], base[::2, 5:55], 1e-5)
    assert not out[0].any()
    assert not out[1, 70:].any()
    algorithm()(base[::-1], reverse := np.zeros_like(base))
    close(reverse, base[::-1], 1e-5)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_in_place(algorithm: type, isa: str) -> None:
    x = np.random.default_rng(5).normal(0, 5, 1001).astype(np.float32)
    x[3], x[700] = -np.inf, np.finfo(np.float32).min
    y = x.copy()
    algorithm(isa=isa)(y, y)
    close(y, x, 1e-5)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_edges_in_the_sound_profile(algorithm: type, isa: str) -> None:
    contender = algorithm(isa=isa)
    inf, nan = np.inf, np.nan

    def of(*values: float) -> list[float]:
        return run(contender, np.array(values, np.float32)).tolist()

    assert of() == []
    assert of(7.5) == [1.0]
    assert of(0, -inf, 0) == [0.5, 0.0, 0.5]
    assert of(-inf, 3e38) == [0.0, 1.0]
    assert of(2.0**23, 2.0**23 - 1)[0] == pytest.approx(1 / (1 + np.exp(-1)), rel=1e-6)
    for row in ([1, inf, 2], [nan, 1], [-inf, -inf], [inf], [-inf], [nan, -inf, inf], [1.0] * 40 + [-nan]):
        assert np.isnan(of(*row)).all(), row


@settings(max_examples=150, deadline=None)
@given(x=hnp.arrays(np.float32, st.integers(1, 90), elements=st.floats(width=32, allow_subnormal=False)))
def test_any_float_at_all_gives_what_scipy_gives(x: np.ndarray) -> None:
    """Infinities, NaN and magnitudes up to FLT_MAX, mixed: all algorithms agree with float64 softmax."""
    with np.errstate(invalid="ignore"):
        truth = np.full(x.shape, np.nan) if np.isnan(x).any() or x.max() == np.inf else softmax64(x)
    for isa in ISAS:
        for algorithm in ALGORITHMS:
            y = run(algorithm(isa=isa), x)
            assert np.array_equal(np.isnan(y), np.isnan(truth)), (isa, algorithm)
            if not np.isnan(truth).any():
                assert np.all(np.abs(y - truth) <= 3e-5 * truth + 2.0**-125), (isa, algorithm)


def test_the_published_algorithm_loses_rows_with_minus_infinity() -> None:
    """n = -inf makes t = NaN (derived in the card). AVX-512 is left out: its scalef forgives a later -inf."""
    for isa in [isa for isa in ISAS if isa != "avx512"]:
        x = np.array([0.0, -np.inf, 1.0], np.float32)
        assert np.isnan(run(TwoPass(isa=isa, profile="published"), x)).all()


def test_more_accurate_than_three_pass_on_wide_input() -> None:
    """Where x and max differ in sign or scale, x - max is rounded: up to 2^-25 * 64 for differences above 64."""
    x = np.random.default_rng(6).normal(0, 10, 100_000).astype(np.float32)
    truth = softmax64(x)
    kept = truth > 2.0**-125  # normal float32 numbers
    two, three = (np.max(np.abs(run(a(), x) - truth)[kept] / truth[kept]) for a in (TwoPass, ThreePassRecompute))
    assert two < 6e-7 < 1e-6 < three < 6e-6


def test_subnormals_are_kept_on_request_and_the_callers_float_state_survives() -> None:
    x = np.array([0.0, -95.0], np.float32)  # exp(-95) = 5.5e-42 is subnormal
    isa = "avx512"
    if isa not in ISAS:
        pytest.skip("only AVX-512 scales into the subnormal range")
    assert run(TwoPass(isa=isa), x)[1] == 0
    assert run(TwoPass(isa=isa, subnormals="keep"), x)[1] == pytest.approx(np.exp(-95.0), rel=1e-3)
    assert np.float32(2.0**-130) * np.float32(2) == np.float32(2.0**-129)


@pytest.mark.parametrize("peer", [Numpy, Scipy])
def test_peers(peer: type) -> None:
    x = np.random.default_rng(7).normal(0, 10, (3, 500)).astype(np.float32)
    close(run(peer(), x), x, 1e-5)


def test_torch_peer() -> None:
    pytest.importorskip("torch")
    from steelyard.contenders.kernels.peers import Torch

    x = np.random.default_rng(8).normal(0, 10, (3, 500)).astype(np.float32)
    close(run(Torch(), x), x, 1e-5)


def test_bad_input_is_named() -> None:
    x = np.zeros((4, 10), np.float32)
    with pytest.raises(InputError, match=r"float64 and shape \(4, 10\)"):
        TwoPass()(x.astype(np.float64), x)
    with pytest.raises(InputError, match="float16"):
        TwoPass()(x.astype(np.float16), x)
    with pytest.raises(InputError, match="not contiguous"):
        TwoPass()(x[:, ::2], x[:, :5])
    with pytest.raises(InputError, match=r"out has dtype int32"):
        TwoPass()(x, np.zeros((4, 10), np.int32))
    with pytest.raises(InputError, match="same shape"):
        TwoPass()(x, np.zeros((4, 9), np.float32))
    with pytest.raises(InputError, match=r"shape \(2, 2, 2\)"):
        TwoPass()(np.zeros((2, 2, 2), np.float32), np.zeros((2, 2, 2), np.float32))
    with pytest.raises(InputError, match="threads is 0"):
        TwoPass(threads=0)(x, x.copy())
    frozen = x.copy()
    frozen.flags.writeable = False
    with pytest.raises(InputError, match="read-only"):
        TwoPass()(x, frozen)


def test_an_instruction_set_that_is_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TwoPass, "supported", lambda self: "no AVX-512F on this CPU")
    with pytest.raises(MissingError, match="no AVX-512F"):
        TwoPass(isa="avx512")(np.zeros(3, np.float32), np.zeros(3, np.float32))
