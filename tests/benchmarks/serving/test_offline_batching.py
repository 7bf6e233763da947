"""Offline batching: workloads, metrics by hand, clock against engine, data files, and a contender that loses a request."""

import json

import numpy as np
import pytest

from steelyard.benchmarks.serving.offline_batching import workloads
from steelyard.benchmarks.serving.offline_batching.benchmark import OfflineBatching
from steelyard.benchmarks.serving.offline_batching.loads import Load
from steelyard.benchmarks.serving.offline_batching.workloads import Workload, make
from steelyard.benchmarks.serving.offline_batching_simulated.benchmark import SimulatedBatching
from steelyard.contenders.schedulers.llama_server import LlamaServer
from steelyard.contenders.schedulers.lru_prefix import LRUPrefix, NoPrefixCache
from steelyard.contenders.schedulers.prefix_global import PrefixGlobal
from steelyard.core.errors import InputError, MissingError
from steelyard.core.words import Provenance, Status
from steelyard.lab.serving.clock import Clock
from steelyard.lab.serving.prefix_tree import build_tree
from tests.conftest import need

SMALL = Workload("w", "grid", 3, 4, 0, 40, 8, 4)


def case_of(workload, capacity=0.25, shuffled=True):
    return Load(workload, shuffled, capacity).case()


def test_a_grid_has_the_prompts_it_says_and_shares_what_it_says():
    made = make(SMALL, vocabulary=50_000, shuffled=True, seed=0)
    assert [len(made), {len(r.prompt) for r in made}] == [12, {48}]
    tree = build_tree(made)
    assert tree.once == 3 * 40 + 12 * 8
    assert {r.max_new for r in made} == {4}
    assert {r.new for r in made} <= {2, 3, 4}
    again = make(SMALL, vocabulary=50_000, shuffled=True, seed=0)
    assert [r.id for r in again] == [r.id for r in made]
    assert [r.id for r in make(SMALL, vocabulary=50_000, shuffled=False, seed=0)] == sorted(r.id for r in made)


@pytest.mark.parametrize(
    ("kind", "optimum"), [("unshared", 0), ("identical", 1 - (39 + 12) / (12 * 40)), ("chain", None)]
)
def test_workloads_at_the_edges(kind, optimum):
    sizes = {"unshared": (12, 1, 0, 0, 40), "identical": (1, 12, 0, 39, 1), "chain": (1, 12, 0, 10, 5)}[kind]
    tree = build_tree(make(Workload("w", kind, *sizes, 4), vocabulary=10**6, shuffled=True, seed=1))
    if kind == "chain":  # 10, then 5 more each: nothing but a token each is new
        optimum = 1 - (10 + 12 * 5 + 12) / sum(10 + 5 * k + 1 for k in range(1, 13))
    assert tree.optimum == pytest.approx(optimum)


def test_snippets_have_a_long_tail_and_tasks_differ_in_output():
    groups = [
        r.id.split("-")[1]
        for r in make(Workload("s", "snippets", 6, 12, 0, 9, 3, 2), vocabulary=9, shuffled=True, seed=0)
    ]
    assert sorted((groups.count(g) for g in set(groups)), reverse=True) == [12, 6, 4, 3, 2, 2]
    tasks = make(Workload("t", "tasks", 8, 1, 0, 9, 3, 64, varied=True), vocabulary=9, shuffled=True, seed=0)
    assert max(r.max_new for r in tasks) == 64
    assert min(r.max_new for r in tasks) == 4


def test_metrics_of_a_job_by_hand():
    # no sharing at all and room for everything: two prompts of 40 tokens in one step, then one token each
    case = case_of(Workload("w", "unshared", 2, 1, 0, 0, 40, 2), capacity=0.0)
    out = SimulatedBatching(part=1).measure(NoPrefixCache(), case, 0)
    lengths = [r.new for r in case.payload.requests(50_000, list, 0)]
    steps = max(lengths)
    m = out.metrics
    assert out.provenance is Provenance.SIMULATED
    assert (m["token_saving_ratio"], m["prompt_tokens_computed"]) == (0, 80)
    assert m["tokens_computed"] == 80 + sum(n - 1 for n in lengths)
    assert m["forward_passes"] == steps
    assert m["tokens_per_step"] == m["tokens_computed"] / steps
    assert m["peak_blocks"] == 2 * 3  # 40 tokens fill two blocks and a half
    assert m["peak_kv_bytes"] == 6 * 16 * 2 * 32 * 8 * 128 * 2
    assert m["mean_completion"] == sum(lengths) / 2
    assert m["tokens_per_second"] == pytest.approx((80 + sum(lengths)) / m["time"])
    assert "share_of_optimum" not in m


def test_the_clock_counts_what_the_engine_does():
    bench = OfflineBatching(checked=4)
    case = case_of(SMALL)
    job, _ = bench._job(case.payload)
    for scheduler in (PrefixGlobal(), LRUPrefix(), LRUPrefix(order="longest-match"), NoPrefixCache()):
        assert scheduler.serve(job, Clock()).steps == scheduler.serve(job, bench._machine(job.limits)).steps


def test_a_real_run_gives_identical_outputs_and_the_method_computes_least():
    bench, case = OfflineBatching(checked=12), case_of(SMALL)
    found = {}
    for scheduler in (PrefixGlobal(), LRUPrefix(), NoPrefixCache()):
        bench.warm(scheduler, case)
        out = bench.measure(scheduler, case, 0)
        assert out.provenance is Provenance.MEASURED
        assert out.metrics["identical_outputs"] == 1
        found[type(scheduler).__name__] = out
    assert len({out.artifacts["output"] for out in found.values()}) == 1
    computed = {name: out.metrics["prompt_tokens_computed"] for name, out in found.items()}
    assert computed["PrefixGlobal"] == 3 * 40 + 12 * 8 < computed["LRUPrefix"] < computed["NoPrefixCache"] == 12 * 48


def test_outputs_that_differ_are_seen(monkeypatch):
    bench, case = OfflineBatching(checked=12), case_of(SMALL)

    class Liar(NoPrefixCache):
        def serve(self, job, machine):
            served = super().serve(job, machine)
            first = job.requests[0].id
            served.outputs[first] = [t + 1 for t in served.outputs[first]]
            return served

    assert bench.measure(Liar(), case, 0).metrics["identical_outputs"] == pytest.approx(11 / 12)


def test_a_contender_that_loses_a_request_fails():
    class Loser(NoPrefixCache):
        def serve(self, job, machine):
            served = super().serve(job, machine)
            del served.outputs[job.requests[0].id]
            return served

    out = SimulatedBatching().measure(Loser(), case_of(SMALL), 0)
    assert out.status is Status.FAILED
    assert "got nothing" in out.error


def test_a_workload_file_is_read_and_what_does_not_fit_is_named(tmp_path):
    rows = [
        {"id": f"d{k % 2}-q{k}", "prompt_tokens": [k % 2] * 100 + [k], "max_new": 4, "expected_new": 2}
        for k in range(8)
    ]
    rows.append({"id": "huge", "prompt_tokens": [7] * 5000, "max_new": 1})
    rows.append({"id": "text", "prompt": "hello", "max_new": 3, "new": 1, "document": "x"})
    path = tmp_path / "mine.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    cases = list(SimulatedBatching().cases(str(path)))
    assert [c.id for c in cases] == [f"mine/given/{c}" for c in (0.125, 0.25, 0.5, "unlimited")]
    out = SimulatedBatching().measure(PrefixGlobal(), cases[1], 0)
    assert out.metrics["rejected"] == 1
    assert json.loads(out.artifacts["rejected"])["huge"].startswith("needs 314 blocks")
    assert out.metrics["prompt_tokens_computed"] == 2 * 100 + 8 + 5
    assert [len(v) for v in json.loads(out.artifacts["output"]).values()].count(1) == 1
    path.write_text('{"id": "x", "prompt_tokens": [5000], "max_new": 1}')
    bench = OfflineBatching()
    case = next(bench.cases(str(path)))
    with pytest.raises(InputError, match=r"request 'x': token 5000 is none of the 1024"):
        bench.measure(PrefixGlobal(), case, 0)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"id": "a", "max_new": 1}', "field 'prompt_tokens'|field 'prompt'"),
        ('{"id": "a", "prompt_tokens": [1, "x"], "max_new": 1}', "no list of token ids"),
        ('{"id": "a", "prompt_tokens": [1.5], "max_new": 1}', "no list of token ids"),
        ('{"id": "a", "prompt_tokens": [], "max_new": 1}', "empty prompt"),
        ('{"id": "a", "prompt_tokens": [1], "max_new": 1, "new": 2}', "new=2"),
        ("{", "line 2"),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, words):
    path = tmp_path / "bad.jsonl"
    path.write_text('{"id": "ok", "prompt_tokens": [1, 2], "max_new": 1}\n' + line)
    with pytest.raises(InputError, match=words) as caught:
        SimulatedBatching().measure(PrefixGlobal(), next(SimulatedBatching().cases(str(path))), 0)
    assert "line 2" in caught.value.what


def test_bad_options_and_missing_files_are_refused(tmp_path):
    for wrong in ({"lengths": "x"}, {"dtype": "fp8"}, {"part": 0}, {"checked": 0}):
        with pytest.raises(InputError):
            OfflineBatching(**wrong)
    with pytest.raises(InputError, match="no workload"):
        list(SimulatedBatching().cases(str(tmp_path)))


def test_llama_server_needs_a_model_of_its_own():
    job, _ = Load(SMALL, True, 0.25).job(Load(SMALL, True, 0.25).requests(100, list, 0), 8)
    with pytest.raises(MissingError, match="GGUF"):
        LlamaServer().serve(job, Clock())


def test_our_own_workloads_stay_as_small_as_they_are_said_to_be():
    for workload in workloads.at_full_length():
        made = make(workload, vocabulary=1000, shuffled=True, seed=0)
        assert 100 <= len(made) <= 201
        assert np.mean([len(r.prompt) for r in made]) < 2600


@pytest.mark.slow
def test_llama_server_reuses_the_prefix_of_a_slot_and_the_engine_gives_the_models_own_tokens():
    need("xllamacpp")
    from steelyard.catalog.models import find_model

    if not find_model("smollm2").present():
        pytest.skip("steelyard models pull smollm2")
    bench = OfflineBatching(model="smollm2", checked=2)
    case = case_of(Workload("tiny-lm", "grid", 1, 2, 0, 24, 3, 3))
    server = bench.measure(LlamaServer(slots=1), case, 0)
    assert server.metrics["prompt_tokens_computed"] <= 27 + 4  # the second prompt finds the 24 tokens of the first
    assert "forward_passes" not in server.metrics
    ours = bench.measure(PrefixGlobal(), case, 0)
    assert ours.metrics["identical_outputs"] == 1
    assert ours.metrics["prompt_tokens_computed"] == 24 + 2 * 3
