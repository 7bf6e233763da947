"""Techniques change what a step costs, not what it computes."""

import os

import pytest

from steelyard.contenders.runtimes.pytorch import PyTorch
from steelyard.core.errors import MissingError
from steelyard.lab.runtime.nursery import call
from steelyard.lab.runtime.work import Work

MEASURE = "steelyard.lab.runtime.measuring:measure"
WORK = Work("finetune", batch=4, tokens=16)


def figures(runtime, work=WORK, apart=False):
    return call(MEASURE, runtime, work, 0.01, apart, ranks=runtime.ranks)


def losses(runtime):
    return call("tests.lab.runtime.doings:losses", runtime, WORK, 5, ranks=runtime.ranks)


@pytest.fixture(scope="module")
def plain():
    return losses(PyTorch())[0]


@pytest.mark.parametrize(
    "runtime",
    [
        PyTorch(attention="sdpa"), PyTorch(recompute="layer"), PyTorch(recompute="second", optimiser="fused"), PyTorch(accumulate=2),
        PyTorch(offload="disk-cold"), PyTorch(offload="host", recompute="layer", attention="math"),
    ],
)  # fmt: skip
def test_a_technique_gives_the_same_losses(plain, runtime):
    assert losses(runtime)[0] == pytest.approx(plain, rel=1e-4)
    assert plain[-1] < plain[0] - 0.1


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
@pytest.mark.parametrize("sharding", ["ddp", "zero3"])
def test_sharding_gives_the_same_losses(plain, sharding):
    for rank in losses(PyTorch(sharding=sharding)):
        assert rank == pytest.approx(plain, rel=1e-4)


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
def test_sharding_halves_what_it_shards_and_splits_the_work(plain):
    found = figures(PyTorch(sharding="zero2", recompute="layer"), apart=True)
    for rank in found:
        assert rank.first_loss == pytest.approx(plain[0], rel=1e-5)
        assert rank.bytes["optimiser"] == pytest.approx(8 * rank.trained / 2, rel=0.01)
        assert rank.modules["communication", "communication"] > 0
        assert rank.flops["mlp", "recompute"] > 0
    forward_and_back = sum(v for r in found for (_, direction), v in r.flops.items() if direction != "recompute")
    assert forward_and_back == pytest.approx(found[0].model_flops, rel=1e-3)


@pytest.fixture(scope="module")
def apart():
    return figures(PyTorch(), apart=True)[0]


def test_bytes_are_those_of_the_shapes(apart):
    assert apart.bytes["weights"] == pytest.approx(
        4 * apart.trained, rel=0.01
    )  # fp32; the rotation's frequencies beside
    assert apart.bytes["gradient"] == 4 * apart.trained
    assert apart.bytes["optimiser"] == pytest.approx(8 * apart.trained, rel=0.01)
    assert apart.bytes["activation"] == sum(apart.saved.values()) > 0


def test_packed_weights_and_adapters_take_what_they_should(apart):
    found = figures(PyTorch(tune="lora", weights="nf4"), apart=True)[0]
    layers, rest = 4 * (2 * 192 * 192 + 2 * 192 * 96 + 3 * 192 * 512), 1024 * 192 + 9 * 192
    half_a_byte_and_scales = layers // 2 + layers // 64 * 4
    assert found.bytes["weights"] == pytest.approx(half_a_byte_and_scales + 4 * rest + 4 * found.trained, rel=0.001)
    assert found.bytes["gradient"] == 4 * found.trained
    assert sum(found.flops.values()) < sum(apart.flops.values())  # no gradients of frozen weights


@pytest.mark.parametrize(
    ("runtime", "work", "says"),
    [
        (PyTorch(weights="nf4"), WORK, "cannot be trained"),
        (PyTorch(recompute="layer"), Work("prefill"), "no backward pass"),
        (PyTorch(accumulate=3), WORK, "micro-batches"),
        (PyTorch(offload="disk", optimiser="sgd"), WORK, "moments"),
        (PyTorch(weights="nf4"), Work("prefill"), "only int8"),
        (PyTorch(attention="sdpa"), Work("serve"), "attention of its own"),
    ],
)
def test_switches_that_exclude_each_other_are_told(runtime, work, says):
    with pytest.raises(MissingError, match=says):
        call(MEASURE, runtime, work, 0.01, False)


def test_int8_in_inference_quarters_the_weights_and_counts_the_same_products():
    work = Work("prefill", batch=1, tokens=16)
    plain, packed = (figures(PyTorch(weights=w), work, apart=True)[0] for w in ("plain", "int8"))
    assert packed.bytes["weights"] < 0.4 * plain.bytes["weights"]  # the embedding stays
    assert sum(packed.flops.values()) == sum(plain.flops.values())
