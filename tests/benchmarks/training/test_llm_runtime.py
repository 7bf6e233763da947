"""The runtime benchmark: its cases, what it makes of figures, the search for the largest batch, failures as rows."""

import json
import math
import textwrap

import pytest

from steelyard import catalog
from steelyard.benchmarks.training.llm_runtime.benchmark import CONTENDERS, LLMRuntime
from steelyard.benchmarks.training.llm_runtime.cases import PHASES
from steelyard.benchmarks.training.llm_runtime.metrics import largest, of_module, of_step
from steelyard.core.errors import InputError, MissingError
from steelyard.core.spec import parse_spec
from steelyard.core.words import Status
from steelyard.lab.runtime.figures import Figures
from steelyard.lab.runtime.roof import LIMITS, Roof, bottleneck, shares_of


def case_of(bench, start):
    return next(case for case in bench.cases(None) if case.id.startswith(start))


def contender(text):
    return catalog.make_contender(parse_spec(text), "runtime")


@pytest.mark.parametrize("phase", PHASES)
def test_cases_have_ids_of_their_own_and_contenders_exist(phase):
    bench = LLMRuntime(phase=phase, sizes="full")
    ids = [case.id for case in bench.cases(None)]
    assert len(ids) == len(set(ids))
    assert all(contender(text) for text in bench.contenders_in(None))
    assert CONTENDERS["train"] == catalog.find("llm-runtime").card.contenders


def test_bad_options_are_told():
    with pytest.raises(InputError, match="phase is 'x'"):
        LLMRuntime(phase="x")
    with pytest.raises(InputError, match="no data to read"):
        LLMRuntime().cases("somewhere")
    with pytest.raises(InputError, match="cannot be read"):
        LLMRuntime(phase="serve").cases("/nowhere.jsonl")


@pytest.mark.parametrize("most", range(10))
def test_the_largest_that_fits_is_found(most):
    for limit in (1, 7, 8, 64):
        tried = []
        found = largest(lambda n, most=most, tried=tried: tried.append(n) or n <= most, limit)
        assert found == min(most, limit)
        assert max(tried) <= limit or limit == 1


def test_limits_of_a_step_by_hand():
    roof = {"optimiser_s": 1.0, "communication_s": 0.5, "ridge": 10.0}
    shares = shares_of(10.0, gemm_s=4.0, other_s=2.0, intensity=20.0, **roof)
    assert shares == pytest.approx(
        {"compute": 0.4, "memory": 0.2, "optimiser": 0.1, "communication": 0.05, "dispatch": 0.25}
    )
    assert bottleneck(shares) == "compute"
    slim = shares_of(10.0, gemm_s=4.0, other_s=2.0, intensity=1.0, **roof)
    assert slim["memory"] == pytest.approx(0.6)
    assert slim["compute"] == 0.0
    late = shares_of(5.0, gemm_s=4.0, other_s=2.0, intensity=20.0, **roof)  # operators slower than the plain step
    assert sum(late.values()) == pytest.approx(1.0)
    assert late["dispatch"] == pytest.approx(0.0)


def figures():
    return Figures(
        step_s=[0.2, 0.1, 0.4], counted=100, bytes={"peak": 7.0}, model_flops=600, intensity=20.0, roof=Roof(1e4, 1e3), traced_s=0.5,
        modules={("attention", "forward"): 0.1, ("mlp", "backward"): 0.2, ("optimiser", "optimiser"): 0.02, ("other", "forward"): 0.18},
        flops={("attention", "forward"): 300.0, ("mlp", "recompute"): 500.0}, gemm={("mlp", "backward"): 0.09},
        operators={"gemm": 0.1, "other": 0.04}, first_loss=2.0, saved={("attention", "forward"): 64.0},
    )  # fmt: skip


def test_metrics_of_a_step_by_hand():
    found = of_step([figures()])
    assert found["step_time"] == 0.2
    assert found["tokens_per_s"] == pytest.approx(100 / 0.2)
    assert found["mfu"] == pytest.approx(600 / 0.2 / 1e4)
    assert found["hfu"] == pytest.approx(800 / 0.2 / 1e4)
    assert found["layers_share"] == pytest.approx(0.3 / 0.5)
    assert found["gemm_in_layers_share"] == pytest.approx(0.09 / 0.3)
    assert found["unattributed_share"] == pytest.approx(0.18 / 0.5)
    assert found["hook_overhead"] == pytest.approx(0.5 / 0.2 - 1)
    assert sum(found[f"{limit}_share"] for limit in LIMITS) == pytest.approx(1.0)
    two = of_step([figures(), figures()])
    assert two["flops"] == 1600  # of both processes, over both peaks
    assert two["hfu"] == pytest.approx(found["hfu"])


def test_the_summary_names_what_limits_each_work():
    shares = {"compute": 0.2, "memory": 0.1, "optimiser": 0.0, "communication": 0.6, "dispatch": 0.1}
    metrics = {f"{name}_share": share for name, share in shares.items()}
    metrics |= {"step_time": 0.5, "mfu": 0.25, "peak_bytes": 3 * 2.0**20, "tokens_per_s": 9.0}
    (row,) = LLMRuntime().summary(lambda name: {"pretrain-2x128/step": metrics[name]})
    assert row["work"] == "pretrain-2x128"
    assert row["bottleneck"] == "communication"
    assert (row["communication"], row["of peak FLOP/s"], row["peak MiB"]) == ("60%", "25%", 3.0)


def test_metrics_of_a_module_by_hand():
    assert of_module(figures(), "attention", "forward") == {
        "module_time": 0.1, "module_share": pytest.approx(0.2), "module_flops": 300.0, "module_saved_bytes": 64.0,
    }  # fmt: skip
    assert of_module(figures(), "norm", "recompute")["module_time"] == 0.0


def test_a_step_and_its_parts_come_from_the_same_processes():
    bench, who = LLMRuntime(seconds=0.05), contender("pytorch[attention=sdpa]")
    step = bench.measure(who, case_of(bench, "finetune-2x64/step"), 0)
    known = set(catalog.find("llm-runtime").card.metric)
    assert step.status is Status.OK
    assert set(step.metrics) <= known
    assert all(math.isfinite(v) for v in step.metrics.values())
    assert step.metrics["loss_deviation"] < 1e-3
    assert sum(step.metrics[f"{limit}_share"] for limit in LIMITS) == pytest.approx(1.0)
    rows = [json.loads(line) for line in step.artifacts["modules"].splitlines()]
    part = bench.measure(who, case_of(bench, "finetune-2x64/attention/backward"), 0)
    assert set(part.metrics) <= known
    (row,) = [r for r in rows if (r["module"], r["direction"]) == ("attention", "backward")]
    assert part.metrics["module_time"] == pytest.approx(row["ms"] / 1e3)
    assert len(bench._found) == 1


def test_what_does_not_fit_into_memory_is_a_failed_row():
    bench = LLMRuntime(memory=8)
    out = bench.measure(contender("pytorch"), case_of(bench, "pretrain-2x128/step"), 0)
    assert out.status is Status.FAILED
    assert "out of memory" in out.error


def test_what_takes_too_long_is_a_row_too():
    bench = LLMRuntime(timeout=0.2)
    assert bench.measure(contender("pytorch"), case_of(bench, "pretrain-2x128/step"), 0).status is Status.TIMEOUT


def test_a_busy_machine_may_be_refused():
    bench = LLMRuntime(max_load=1e-9)
    out = bench.measure(contender("pytorch"), case_of(bench, "pretrain-2x128/step"), 0)
    assert "load average" in out.error


def test_llama_cpp_does_not_train():
    bench = LLMRuntime()
    with pytest.raises(MissingError, match="does not train"):
        bench.measure(contender("llama-cpp"), case_of(bench, "pretrain-2x128/step"), 0)


def test_a_runtime_of_ones_own_is_a_file(tmp_path):
    file = tmp_path / "my_runtime.py"
    file.write_text(textwrap.dedent('''
        from dataclasses import dataclass
        from steelyard.lab import runtime


        @dataclass(frozen=True)
        class Plain:
            """The library's model with plain gradient descent."""

            rate: float = 0.1
            ranks = 1

            def open(self, work, place):
                import torch

                model = runtime.open_for(work, "sdpa")
                ids, labels = runtime.rows_of(work, model.config.vocab_size)
                return runtime.Training(model, torch.optim.SGD(model.parameters(), lr=self.rate), ids, labels)
    '''))  # fmt: skip
    bench = LLMRuntime(seconds=0.05)
    out = bench.measure(contender(f"{file}:Plain[rate=0.2]"), case_of(bench, "finetune-2x64/step"), 0)
    assert out.status is Status.OK, out.error
    assert out.metrics["optimiser_bytes"] == 0
    assert out.metrics["loss_deviation"] < 1e-3


def test_requests_are_served_from_a_trace(tmp_path):
    file = tmp_path / "burst.jsonl"
    file.write_text("".join(f'{{"t": 0.0, "prompt_tokens": 12, "max_new": {n}}}\n' for n in (1, 3, 5)))
    bench = LLMRuntime(phase="serve")
    (case,) = bench.cases(str(file))
    out = bench.measure(contender("pytorch"), case, 0)
    assert out.status is Status.OK, out.error
    assert out.metrics["completed_share"] == 1.0
    replies = [json.loads(line) for line in out.artifacts["replies"].splitlines()]
    assert [r["new"] for r in replies] == [1, 3, 5]
    assert out.metrics["tokens_per_s"] == pytest.approx(9 / max(r["last"] for r in replies))


def test_nothing_answered_in_time_is_a_timeout_with_no_throughput(tmp_path):
    file = tmp_path / "burst.jsonl"
    file.write_text('{"t": 0.0, "prompt_tokens": 200, "max_new": 200}\n')
    bench = LLMRuntime(phase="serve")
    bench.timeout = 30.0
    (case,) = bench.cases(str(file))
    part = case.payload
    object.__setattr__(part.work, "patience", 0.0)
    out = bench.measure(contender("pytorch"), case, 0)
    assert out.status is Status.TIMEOUT
    assert out.metrics["tokens_per_s"] == 0.0


def test_operators_are_replayed():
    bench = LLMRuntime(phase="operators", seconds=0.01)
    out = bench.measure(contender("pytorch"), case_of(bench, "gate-up-256"), 0)
    assert out.metrics["flops"] == 2 * 256 * 192 * 2 * 512
    assert out.metrics["hfu"] > 0
    out = bench.measure(contender("pytorch"), case_of(bench, "embedding-256"), 0)
    assert out.metrics["bytes_moved"] == 2 * 256 * 192 * 4


def test_the_largest_batch_that_fits(tmp_path):
    file = tmp_path / "narrow.py"
    file.write_text(textwrap.dedent("""
        from dataclasses import dataclass


        @dataclass(frozen=True)
        class Narrow:
            rows: int = 5

            def open(self, work, place):
                if work.batch > self.rows:
                    raise MemoryError("no room")
                return self

            def step(self):
                return 0.0
    """))  # fmt: skip
    bench = LLMRuntime(phase="batch")
    case = case_of(bench, "pretrain-2x128/batch")
    for rows in (0, 5):
        out = bench.measure(contender(f"{file}:Narrow[rows={rows}]"), case, 0)
        assert out.metrics["largest_batch"] == min(rows, 64)
        assert ("step_time" in out.metrics) == (rows > 0)
