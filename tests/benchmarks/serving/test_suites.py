"""The serving suites: every part plans; without a GPU the ones that need it say so; in bf16 the same code runs."""

import pytest
import torch

from steelyard import catalog
from steelyard.catalog.suites import suites
from steelyard.core.errors import InputError, MissingError
from steelyard.core.interfaces import Outcome
from steelyard.core.spec import Spec, parse_spec
from steelyard.weigh.plan import load_benchmark, make_plan, weighed

GPU = suites()["serving-gpu"]["runs"]
SMALL = {
    "scbench": {"model": "recall", "length": 32, "contexts": 1, "turns": 1, "task": "scbench_kv"},
    "cache-fidelity": {"model": "recall", "length": 32, "more": 8, "windows": 1},
    "chunk-reuse": {"model": "tiny", "requests": 1, "passages": 2, "words": 22, "most": 1},
    "chunk-serving": {"model": "tiny", "requests": 1, "passages": 2, "words": 22, "stream": 2, "most": 1},
    "offline-batching": {"model": "tiny", "lengths": "small", "part": 8, "checked": 1},
}


@pytest.mark.parametrize("run", suites()["serving"]["runs"], ids=lambda r: r["benchmark"])
def test_every_part_of_the_suite_has_a_benchmark_and_contenders_that_can_be_made(run):
    card, bench = load_benchmark(parse_spec(run["benchmark"]))
    assert len({weighed(text, card, bench).config for text in run["contenders"]}) > 1


@pytest.mark.parametrize("run", GPU, ids=lambda r: r["benchmark"])
def test_without_a_gpu_its_parts_say_so_before_anything_is_fetched_or_measured(run, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(MissingError, match="no GPU that PyTorch can use") as refused:
        make_plan(run["benchmark"], run["contenders"])
    assert "cpu" in refused.value.cure


@pytest.mark.parametrize("run", GPU, ids=lambda r: r["benchmark"])
def test_the_same_parts_made_small_run_in_bf16_on_a_processor(run, tmp_path, monkeypatch):
    if "chunk" in run["benchmark"]:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    spec = parse_spec(run["benchmark"])
    small = Spec(spec.name, {**spec.options, **SMALL[spec.name], "device": "cpu"})
    assert small.options["dtype"] == "bf16"
    plan, bench = make_plan(small, run["contenders"])
    for text in run["contenders"][: 2 if spec.name == "offline-batching" else None]:  # whose jobs take seconds
        found = bench.measure(catalog.make_contender(parse_spec(text), plan.card.interface), plan.cases[0], 0)
        values = found.metrics if isinstance(found, Outcome) else found
        assert values[plan.card.primary.name] >= 0, found


def test_a_device_that_nobody_knows_is_refused():
    with pytest.raises(InputError, match="device is 'tpu'"):
        make_plan("chunk-reuse[device=tpu]", ["full"])
