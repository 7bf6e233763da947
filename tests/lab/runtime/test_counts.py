"""FLOPs and saved bytes against hand computation, PyTorch's own counter and its profiler."""

import pytest
import torch
import transformers

from steelyard.lab.runtime.flops import forward_flops, intensity, model_flops
from steelyard.lab.runtime.measuring import flop_counter
from steelyard.lab.runtime.steps import Inference, Training, rows_of
from steelyard.lab.runtime.tracing import OperatorClock, SavedBytes, Tracer, kind_of
from steelyard.lab.runtime.work import SHAPES, Work, open_for

WORK = Work("pretrain", "tiny", batch=2, tokens=16)
LAYERS, WIDTH, FEED, HEADS, KV_HEADS, VOCABULARY = SHAPES["tiny"]


def training(work=WORK, attention="eager", recompute=False):
    torch.set_num_threads(1)
    model = open_for(work, attention)
    if recompute:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    ids, labels = rows_of(work, model.config.vocab_size)
    return Training(model, torch.optim.SGD(model.parameters(), lr=0.0), ids, labels)


def split(running, read, *contexts):
    tracer = Tracer(running.model, read)
    for context in contexts:
        context.__enter__()
    with tracer.traced():
        running.step(tracer.mark)
    for context in contexts:
        context.__exit__(None, None, None)
    return tracer.costs


def counted(running):
    counter = flop_counter()
    return split(running, counter.get_total_flops, counter)


def test_forward_flops_by_hand():
    config = transformers.LlamaConfig(hidden_size=4, intermediate_size=10, num_hidden_layers=3, num_attention_heads=2, num_key_value_heads=1, vocab_size=7)  # fmt: skip
    found = forward_flops(config, rows=1, tokens=5)
    # q and o: 4 x 4, k and v: 4 x 2; scores and values: 5 x 5 x 4 each; gate, up, down: 4 x 10; head: 4 x 7
    assert found == {
        "attention": 3 * (2 * 5 * (16 + 16 + 8 + 8) + 2 * 2 * 25 * 4),
        "mlp": 3 * 2 * 5 * 3 * 40,
        "head": 2 * 5 * 28,
    }
    assert forward_flops(config, 1, 1, context=4)["attention"] == 3 * (2 * 48 + 2 * 2 * 5 * 4)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_counts_of_the_shapes_are_those_of_pytorch(attention):
    found = counted(training(attention=attention))
    assert {kind: found[kind, "forward"] for kind in ("attention", "mlp", "head")} == forward_flops(
        training().model.config, 2, 16
    )
    assert found["mlp", "backward"] == 2 * found["mlp", "forward"]
    assert found["head", "backward"] == 2 * found["head", "forward"]
    if attention == "eager":  # the fused kernel computes the scores again in its backward pass
        assert found["attention", "backward"] == 2 * found["attention", "forward"]
        assert sum(v for (kind, _), v in found.items() if kind != "rotary") == pytest.approx(model_flops(training().model.config, WORK), rel=1e-4)  # fmt: skip


def test_recomputation_runs_a_forward_pass_again_and_is_seen_apart():
    plain, again = counted(training()), counted(training(recompute=True))
    assert ("attention", "recompute") not in plain
    assert again["attention", "recompute"] == again["attention", "forward"] == plain["attention", "forward"]
    # the last product of a layer is not needed again: nothing keeps its result
    last = LAYERS * 2 * 2 * 16 * FEED * WIDTH
    assert again["mlp", "recompute"] == plain["mlp", "forward"] - last
    assert {k: v for k, v in again.items() if k[1] == "backward"} == {
        k: v for k, v in plain.items() if k[1] == "backward"
    }


def test_frozen_weights_cost_no_gradient_of_their_own():
    running = training()
    running.model.model.requires_grad_(False)
    running.model.model.norm.requires_grad_(True)
    found = counted(running)
    assert ("mlp", "backward") not in found or found["mlp", "backward"] == 0
    assert (
        found["head", "backward"] == found["head", "forward"]
    )  # its weight is the frozen embedding: the input's gradient only


def test_parts_add_up_to_the_whole():
    ticks = iter(range(10**6))
    running = training(recompute=True)
    tracer = Tracer(running.model, lambda: float(next(ticks)))
    hooks = lambda: sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in running.model.modules())  # noqa: E731
    before = hooks()
    with tracer.traced():
        running.step(tracer.mark)
    assert sum(tracer.costs.values()) == next(ticks) - 1 > 100
    assert {kind for kind, _ in tracer.costs} >= {
        "attention",
        "mlp",
        "norm",
        "embedding",
        "head",
        "loss",
        "optimiser",
        "layer",
    }
    assert hooks() == before


def test_saved_bytes_by_hand():
    block = torch.nn.Sequential(torch.nn.Linear(8, 16, bias=False), torch.nn.ReLU(), torch.nn.Linear(16, 4, bias=False))
    saved = SavedBytes(block)
    with saved.watching():
        block(torch.ones(3, 8)).sum()
    # the input, and what ReLU puts out, which the second layer keeps as well; weights are there anyway
    assert saved.total == 4 * 3 * 8 + 4 * 3 * 16


def test_recomputation_keeps_the_inputs_of_layers_only():
    found = {}
    for recompute in (False, True):
        running = training(recompute=recompute)
        saved = SavedBytes(running.model)
        with saved.watching():
            found[recompute] = split(running, lambda saved=saved: saved.total)
    inside = lambda costs: sum(costs.get((kind, "forward"), 0) for kind in ("attention", "mlp", "layer"))  # noqa: E731
    assert inside(found[True]) <= LAYERS * 4 * 2 * 16 * WIDTH
    assert inside(found[False]) > 10 * inside(found[True]) or inside(found[True]) == 0


def test_the_clock_of_operators_agrees_with_the_profiler():
    torch.set_num_threads(1)
    a, b = torch.randn(700, 700), torch.randn(700, 700)
    clock = OperatorClock(lambda: None, torch.device("cpu"))
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile, clock:
        for _ in range(5):
            (a @ b).relu()
    theirs = {e.key: e.self_cpu_time_total * 1e-6 for e in profile.key_averages()}
    assert clock.gemm == pytest.approx(theirs["aten::mm"], rel=0.05)
    assert 0 < clock.other < clock.gemm


def test_decoding_counts_one_token_after_a_growing_cache():
    work = Work("decode", "tiny", batch=2, tokens=8, new=3)
    torch.set_num_threads(1)
    model = open_for(work).requires_grad_(False)
    running = Inference(model, rows_of(work, model.config.vocab_size)[0], new=3)
    running.step()
    found = counted(running)
    by_hand = [forward_flops(model.config, 2, 1, context=8 + k) for k in range(3)]
    for kind in ("attention", "mlp", "head"):
        assert found[kind, "forward"] == sum(step[kind] for step in by_hand)
    assert sum(sum(step.values()) for step in by_hand) == model_flops(model.config, work)


def test_decoding_says_what_the_library_generates_however_often():
    work = Work("decode", "tiny", batch=2, tokens=8, new=4)
    model = open_for(work).requires_grad_(False)
    ids, _ = rows_of(work, model.config.vocab_size)
    running = Inference(model, ids, new=4)
    running.step()
    first = running.said
    running.step()
    whole = model.generate(ids, max_new_tokens=5, do_sample=False, eos_token_id=None, pad_token_id=0)
    assert torch.equal(running.said, first)
    assert torch.equal(first, whole[:, 9:])


def test_intensity_by_hand():
    config = transformers.LlamaConfig(hidden_size=4, intermediate_size=4, num_attention_heads=1, num_key_value_heads=1)
    # seven products of 4 x 4 over one row: 32 FLOPs each, over 4 + 16 + 4 numbers of 4 bytes
    assert intensity(config, Work("decode", batch=1, tokens=9)) == pytest.approx(32 / (4 * 24))


def test_kinds_of_modules_without_known_names_are_their_classes():
    model = torch.nn.ModuleDict({"strange": torch.nn.Conv1d(1, 1, 1), "input_layernorm": torch.nn.LayerNorm(2)})
    assert [kind_of(n, m) for n, m in model.named_modules() if n] == ["conv1d", "norm"]
