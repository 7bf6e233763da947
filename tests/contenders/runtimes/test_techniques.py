"""Adapters, packed weights and stored moments against what they stand for."""

import gc
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import norm

from steelyard.contenders.runtimes.lora import TARGETS, LoRALinear, adapt
from steelyard.contenders.runtimes.optimisers import DiskStore, EightBitStore, HostStore, StoredAdamW
from steelyard.contenders.runtimes.packed import NF4, PackedLinear, from_nf4, pack, to_int8, to_nf4
from steelyard.lab.runtime.work import SHAPES, Work, open_for
from tests.conftest import need


def test_adapters_change_nothing_at_first_and_are_a_low_rank_product_then():
    torch.manual_seed(0)
    base = torch.nn.Linear(6, 5)
    layer, x = LoRALinear(base, rank=2, alpha=8.0, dtype=torch.float32), torch.randn(3, 6)
    assert torch.equal(layer(x), base(x))
    torch.nn.init.normal_(layer.up)
    merged = base.weight + 4.0 * layer.up @ layer.down
    assert torch.allclose(layer(x), x @ merged.T + base.bias, atol=1e-5)


@pytest.mark.parametrize("targets", ["qv", "all"])
def test_adapters_train_rank_times_in_plus_out_weights(targets):
    model = open_for(Work("finetune"))
    adapt(model, rank=3, targets=targets)
    layers, width, feed, heads, kv_heads, _ = SHAPES["tiny"]
    keys = kv_heads * width // heads
    sizes = {"q_proj": (width, width), "k_proj": (width, keys), "v_proj": (width, keys), "o_proj": (width, width),
             "gate_proj": (width, feed), "up_proj": (width, feed), "down_proj": (feed, width)}  # fmt: skip
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert trained == layers * 3 * sum(a + b for a, b in (sizes[name] for name in TARGETS[targets]))


def test_adapters_are_those_of_peft():
    need("peft")
    import peft

    work = Work("finetune", batch=1, tokens=8)
    ours, theirs = open_for(work), open_for(work)
    adapt(ours, rank=4, targets="qv", alpha=16.0)
    theirs = peft.get_peft_model(theirs, peft.LoraConfig(r=4, lora_alpha=16, target_modules=["q_proj", "v_proj"]))
    mine = [m for m in ours.modules() if isinstance(m, LoRALinear)]
    other = [m for m in theirs.modules() if isinstance(m, peft.tuners.lora.Linear)]
    assert len(mine) == len(other) == 8
    with torch.no_grad():
        for a, b in zip(mine, other, strict=True):
            b.lora_A["default"].weight.copy_(a.down)
            a.up.normal_()
            b.lora_B["default"].weight.copy_(a.up)
        ids = work.batch_of(100)[0]
        assert torch.allclose(ours(ids).logits, theirs(ids).logits, atol=1e-5)


def test_levels_of_nf4_are_quantiles_of_the_normal_distribution():
    """QLoRA, appendix E: 8 positive and 7 negative quantiles, evenly from the offset to one half, scaled to 1."""
    offset = 0.9677083
    positive = norm.ppf(np.linspace(offset, 0.5, 9)[:-1])
    negative = -norm.ppf(np.linspace(offset, 0.5, 8)[:-1])
    levels = np.sort(np.concatenate([positive, [0.0], negative]))
    assert pytest.approx(levels / np.abs(levels).max(), abs=1e-6) == NF4


def test_nf4_goes_to_the_nearest_level_and_takes_half_a_byte():
    torch.manual_seed(0)
    weights = torch.randn(4, 64)
    codes, scales = to_nf4(weights)
    back = from_nf4(codes, scales, (4, 64), torch.float32)
    levels = torch.tensor(NF4)[None, None] * weights.abs().amax(1)[:, None, None]
    nearest = (weights[..., None] - levels).abs().amin(-1)
    assert torch.allclose((back - weights).abs(), nearest, atol=1e-6)
    assert codes.nbytes == weights.numel() // 2
    exact = torch.tensor(NF4).repeat(4) * 3.0
    assert torch.allclose(from_nf4(*to_nf4(exact), (64,), torch.float32), exact)


def test_int8_is_within_half_a_step_of_each_row():
    weights = torch.randn(5, 40)
    codes, scales = to_int8(weights)
    assert ((codes * scales[:, None] - weights).abs() <= scales[:, None] / 2 + 1e-6).all()
    assert torch.equal(to_int8(torch.zeros(2, 3))[0], torch.zeros(2, 3, dtype=torch.int8))


@pytest.mark.parametrize("kind", ["nf4", "int8"])
def test_packed_layers_compute_and_pass_back_what_their_weights_say_and_keep_no_copy(kind):
    torch.manual_seed(0)
    layer = PackedLinear(torch.nn.Linear(64, 6), kind)
    dense = torch.nn.Linear(64, 6)
    with torch.no_grad():
        dense.weight.copy_(layer.weight(torch.float32))
        dense.bias.copy_(layer.bias)
    a, b = (torch.randn(3, 64, generator=torch.Generator().manual_seed(1)).requires_grad_() for _ in range(2))
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x) or x, lambda x: x):
        mine = layer(a)
    mine.square().sum().backward()
    dense(b).square().sum().backward()
    assert torch.allclose(a.grad, b.grad, atol=1e-4)
    assert not any(x.shape == (6, 64) for x in kept)


def test_packing_leaves_embeddings_norms_and_the_output_layer():
    model = open_for(Work("finetune"))
    pack(model, "nf4")
    assert sum(isinstance(m, PackedLinear) for m in model.modules()) == 4 * 7
    assert isinstance(model.lm_head, torch.nn.Linear)


def test_packing_lets_go_of_the_checkpoint_that_the_weights_were_mapped_from(tmp_path):
    open_for(Work("finetune")).save_pretrained(tmp_path)
    model = open_for(Work("finetune", model=str(tmp_path)))
    before = model.lm_head.weight.clone()
    assert str(tmp_path) in Path("/proc/self/maps").read_text()
    pack(model, "int8")
    gc.collect()
    assert str(tmp_path) not in Path("/proc/self/maps").read_text()
    assert torch.equal(model.lm_head.weight, before)
    assert model.lm_head.weight is model.get_input_embeddings().weight


def parameters():
    torch.manual_seed(0)
    return [torch.nn.Parameter(torch.randn(7, 5)), torch.nn.Parameter(torch.randn(300))]


def steps(optimiser, weights, count=5):
    rng = torch.Generator().manual_seed(3)
    for _ in range(count):
        for p in weights:
            p.grad = torch.randn(p.shape, generator=rng)
        optimiser.step()
        optimiser.zero_grad()


@pytest.mark.parametrize("store", [HostStore, lambda n: DiskStore(n, cold=False), lambda n: DiskStore(n, cold=True)])
def test_stored_moments_give_the_steps_of_adamw(store):
    ours, theirs = parameters(), parameters()
    steps(StoredAdamW(ours, store([p.numel() for p in ours]), lr=0.1), ours)
    steps(torch.optim.AdamW(theirs, lr=0.1), theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert torch.allclose(a, b, atol=1e-6)


def test_eight_bits_come_close_in_a_quarter_of_the_memory():
    sizes = [35, 300]
    ours, theirs = parameters(), parameters()
    store = EightBitStore(sizes, torch.device("cpu"))
    optimiser = StoredAdamW(ours, store, lr=0.1)
    steps(optimiser, ours, 20)
    steps(torch.optim.AdamW(theirs, lr=0.1), theirs, 20)
    for a, b, begin in zip(ours, theirs, parameters(), strict=True):
        a, b, begin = a.detach(), b.detach(), begin.detach()
        assert float((a - b).norm() / (b - begin).norm()) < 0.1
    held = sum(t.nbytes for tensors in optimiser.state.values() for t in tensors.values())
    assert held == 3 * 2 * (256 + 4)  # blocks of 256 codes and a scale: one, and two, for each of two moments


def test_small_second_moments_do_not_vanish_in_eight_bits():
    store = EightBitStore([4], torch.device("cpu"))
    store.save(0, torch.zeros(4), torch.tensor([1.0, 1e-6, 1e-12, 0.0]))
    second = store.load(0)[1]
    assert (second[:3] > 0).all()
    assert second[3] == 0


def test_a_file_of_moments_has_no_name_and_holds_no_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = DiskStore([1000], cold=True)
    assert list(tmp_path.iterdir()) == []
    assert store.tensors(0) == {}
