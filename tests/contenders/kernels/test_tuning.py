"""Tuning measures the same candidates for every pass, keeps a choice, and changes no result."""

from __future__ import annotations

import json

import numpy as np
import pytest

from steelyard.contenders.kernels import tuning

_native = pytest.importorskip("steelyard._native", reason="the compiled kernels are not built")


def test_tune_stores_and_applies(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("STEELYARD_TUNING", str(tmp_path))
    before = {p: _native.choice(p, "scalar", "cached", "normal") for p in tuning.PASSES}
    try:
        chosen = tuning.tune(_native, ("scalar",), {"cached": 256}, rounds=1)
        assert {(c["pass"], c["stores"]) for c in chosen} == {
            (p, s) for p in tuning.PASSES for s in ("normal", "streaming")
        }
        assert all(0 < c["seconds"] <= c["slowest"] for c in chosen)
        assert all(tuple(c["candidate"]) in _native.candidates(c["pass"], "scalar") for c in chosen)
        target = _native.candidates("max", "scalar")[0]
        entry = chosen[0] | {"pass": "max", "candidate": list(target), "ahead": 64, "stores": "normal"}
        tuning.tuning_file(_native.cpu_name()).write_text(json.dumps([entry]))
        monkeypatch.setattr(_native, "tuned_from", None, raising=False)
        assert tuning.apply_stored(_native)
        assert _native.choice("max", "scalar", "cached", "normal") == (0, 64)
    finally:
        for name, (candidate, ahead) in before.items():
            _native.choose(name, "scalar", "cached", "normal", candidate, ahead)


@pytest.mark.parametrize("isa", [i for i, reason in _native.isas().items() if not reason])
@pytest.mark.parametrize("name", ["max", "sum", "extended_sum", "read"])
def test_all_candidates_compute_the_same(isa: str, name: str) -> None:
    x = np.random.default_rng(9).normal(0, 3, 5003).astype(np.float32)
    wide = x.astype(np.float64)
    truth = {"max": wide.max(), "sum": np.exp(wide - 10).sum(), "read": wide.sum()}
    before = _native.choice(name, isa, "cached", "normal")
    try:
        for index in range(len(_native.candidates(name, isa))):
            _native.choose(name, isa, "cached", "normal", index, 64)
            found = _native.run_pass(name, x, isa=isa, shift=10.0)
            if name == "extended_sum":  # the mantissa alone: its log2 differs from the sum's by a whole number
                power = np.log2(np.exp(wide).sum()) - np.log2(found)
                assert power == pytest.approx(round(power), abs=1e-5)
            else:
                assert found == pytest.approx(truth[name], rel=1e-5, abs=2e-3)
    finally:
        _native.choose(name, isa, "cached", "normal", *before)
