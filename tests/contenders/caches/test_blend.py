"""CacheBlend: exact where it must be, what is computed by hand where it is not, and a store that survives everything."""

import dataclasses

import pytest
import torch

from steelyard import catalog
from steelyard.contenders.caches import blend as module
from steelyard.contenders.caches.blend import Blend
from steelyard.core.errors import InputError
from steelyard.core.spec import parse_spec
from steelyard.lab import CachePolicy, Session, selective
from steelyard.lab.chunk_store import MemoryStore, store_at
from steelyard.lab.fidelity import kl_divergence
from steelyard.lab.forward_pass import rotate, rotations
from tests.lab.making import tiny

CHUNKS = (7, 15, 12, 9)
ASKED = 6
IDS = [(7 * i * i + 3 * i) % 101 for i in range(sum(CHUNKS) + ASKED)]


@pytest.fixture(autouse=True)
def own_stores():
    store_at.cache_clear()


def policy(text):
    return catalog.make_contender(parse_spec(text), "cache")


def run(lab, chosen, ids=IDS, chunks=CHUNKS):
    session = Session(lab, chosen)
    logits = session.prefill(ids, len(ids) - sum(chunks), chunks, rows=len(ids) - sum(chunks))
    if "reuse" in session.cache.state:
        session.cache.state["reuse"].finish()
    return logits, session


def alone(lab, ids):
    """Keys before rotation and values of a text by itself, from the library's projections."""
    held = {}
    hooks = [
        getattr(layer.self_attn, f"{part}_proj").register_forward_hook(
            lambda _, __, out, at=(index, part): held.__setitem__(at, out.view(1, len(ids), -1, 8).transpose(1, 2))
        )
        for index, layer in enumerate(lab.layers)
        for part in "kv"
    ]
    with torch.no_grad():
        lab.model(torch.tensor([ids]))
    for hook in hooks:
        hook.remove()
    return [(held[i, "k"], held[i, "v"]) for i in range(len(lab.layers))]


@pytest.mark.parametrize("choose", ["hkvd", "attended", "random", "chunk-heads", "oracle"])
@pytest.mark.parametrize("more", ["", ",variant=released", ",store=disk,pipeline=false"])
def test_with_ratio_one_it_is_the_full_prefill_to_the_last_bit(choose, more, tmp_path):
    lab = tiny("llama")
    whole, full = run(lab, CachePolicy())
    where = f",folder={tmp_path}" if "disk" in more else ""
    chosen = dataclasses.replace(policy(f"blend[ratio=1,choose={choose}{more}]"), folder=str(tmp_path) if where else "")
    for _ in range(2):  # the second finds everything in the store
        logits, session = run(lab, chosen)
        assert torch.equal(logits, whole)
        for ours, theirs in zip(session.cache.layers, full.cache.layers, strict=True):
            assert torch.equal(ours.keys, theirs.keys)
            assert torch.equal(ours.values, theirs.values)
        assert session.generate(5) == full.copy().generate(5)


def test_with_ratio_nought_the_context_is_what_the_chunks_are_alone_at_their_true_places():
    lab = tiny("llama")
    logits, session = run(lab, policy("blend[ratio=0]"))
    at = 0
    for size in CHUNKS:
        turn = rotations(lab, torch.zeros(1), torch.arange(at, at + size)[None])[0]
        for layer, (keys, values) in zip(session.cache.layers, alone(lab, IDS[at : at + size]), strict=True):
            assert torch.allclose(layer.keys[:, :, at : at + size], rotate(keys, turn), atol=1e-5)
            assert torch.allclose(layer.values[:, :, at : at + size], values, atol=1e-5)
        at += size
    follow = Session(lab, CachePolicy(), session.cache.copy())
    for layer in follow.cache.layers:
        layer.keep(torch.arange(at))
    follow.cache.seen = at
    assert torch.allclose(follow.extend(IDS[at:]), logits, atol=1e-4)  # the usual pass over that cache says the same
    assert session.cache.state["reuse"].token_layers == ASKED * 3


def test_one_chunk_at_the_front_has_nothing_to_repair():
    lab = tiny("llama")
    for text in ("blend[ratio=0]", "blend[ratio=0.2]", "prefix-cache"):
        run(lab, policy(text), chunks=(43,))
        logits, _ = run(lab, policy(text), chunks=(43,))
        assert torch.allclose(logits, run(lab, CachePolicy(), chunks=(43,))[0], atol=1e-4), text


def test_the_kept_tokens_are_those_whose_values_deviate_most_at_the_second_layer():
    lab = tiny("llama")
    _, full = run(lab, CachePolicy())
    _, session = run(lab, policy("blend[ratio=0.3,filter=fixed]"))
    alone_values = torch.cat([alone(lab, IDS[a : a + n])[1][1] for n, a in zip(CHUNKS, (0, 7, 22, 34), strict=True)], 2)
    wrong = (full.cache.layers[1].values[:, :, :43] - alone_values).square().sum((0, 1, 3))
    assert float(wrong[:7].max()) < 1e-9  # the first chunk is as it was
    wanted = sorted(wrong.topk(int(0.3 * 43)).indices.tolist())
    _, naive = run(lab, policy("blend[ratio=0]"))
    changed = (session.cache.layers[2].values - naive.cache.layers[2].values).abs().sum((0, 1, 3))[:43]
    assert [i for i in range(43) if changed[i] > 1e-6] == wanted


@pytest.mark.parametrize("text", ["blend[ratio=0.3,filter=fixed]", "blend[ratio=0.3,filter=fixed,mask=released]"])
def test_each_kept_token_sees_what_the_mask_says(text):
    """The last layer by hand, from the cache that the pass left and the kept tokens' hidden states."""
    lab = tiny("llama")
    caught = {}
    hook = lab.layers[2].self_attn.o_proj.register_forward_hook(lambda _, args, __: caught.update(mixed=args[0]))
    asked = lab.layers[2].self_attn.q_proj.register_forward_hook(lambda _, __, out: caught.update(queries=out))
    _, session = run(lab, policy(text))
    hook.remove()
    asked.remove()
    layer = session.cache.layers[2]
    _, naive = run(lab, policy("blend[ratio=0]"))
    changed = (layer.values - naive.cache.layers[2].values).abs().sum((0, 1, 3))[:43]
    kept = [*(i for i in range(43) if changed[i] > 1e-6), *range(43, 49)]
    turn = rotations(lab, torch.zeros(1), torch.tensor([kept]))[0]
    queries = rotate(caught["queries"].view(1, len(kept), 4, 8).transpose(1, 2), turn)
    seen = [p if "mask" not in text else 49 - len(kept) + j for j, p in enumerate(kept)]
    for j in range(len(kept)):
        for head in range(4):
            keys, values = (x[0, head // 2, : seen[j] + 1] for x in (layer.keys, layer.values))
            weights = (queries[0, head, j] @ keys.T / 8**0.5).softmax(-1)
            assert torch.allclose(caught["mixed"][0, j, 8 * head : 8 * head + 8], weights @ values, atol=1e-4)


def test_counts_are_those_of_the_formula():
    lab = tiny("llama")
    run(lab, policy("blend[ratio=0.3,filter=fixed]"))
    before = lab.counts.copy()
    _, session = run(lab, policy("blend[ratio=0.3,filter=fixed]"))
    spent, reuse = lab.counts - before, session.cache.state["reuse"]
    m, every = int(0.3 * 43) + ASKED, 49
    assert reuse.token_layers == 2 * every + (3 - 2) * m
    assert (reuse.kept, spent.tokens_computed, spent.tokens_reused) == (m, m, every - m)
    qkv, rest = 32 * 32 + 2 * 32 * 16, 32 * 32 + 3 * 32 * 48
    matrices = 2 * (every * (qkv + rest) + every * qkv + m * rest + m * (qkv + rest))
    assert spent.flops == matrices + 4 * 8 * spent.attended + 2 * 32 * 101 * ASKED
    assert reuse.loaded_bytes == 2 * 2 * 2 * 8 * 43 * 4  # layers 1 and 2, keys and values, two heads of 8, fp32
    full = 4 * every * (every + 1) // 2
    assert full < spent.attended < 3 * full


def test_long_prompts_are_attended_to_block_by_block_with_the_same_result(monkeypatch):
    lab = tiny("llama")
    whole, _ = run(lab, policy("blend[ratio=0.6]"))
    monkeypatch.setattr(selective, "BLOCK", 4)
    logits, _ = run(lab, policy("blend[ratio=0.6]"))
    assert torch.allclose(logits, whole, atol=1e-5)


def test_gradual_filtering_has_the_ratio_on_average_and_ends_with_fewer():
    kept = [Blend()._kept(0.2, layer, 11, 1000) for layer in range(1, 11)]
    assert kept[0] == 250
    assert kept[-1] == 150
    assert sum(kept) / 10 == pytest.approx(200, abs=1)
    assert [Blend()._kept(1.0, layer, 11, 1000) for layer in (1, 5, 10)] == [1000] * 3
    assert Blend(variant="released")._kept(0.2, 9, 11, 1000) == 200


def test_recomputing_more_comes_nearer_to_the_full_prefill():
    lab = tiny("llama")
    whole, _ = run(lab, CachePolicy())
    far = [kl_divergence(whole, run(lab, policy(f"blend[ratio={r}]"))[0]) for r in (0, 0.5, 1)]
    assert far[0] > far[1] > far[2] == 0


def test_short_chunks_empty_chunks_and_a_chunk_twice():
    lab = tiny("llama")
    ids = [*IDS[:5], *IDS[10:18], 3, *IDS[10:18], *IDS[:4]]
    whole, _ = run(lab, CachePolicy(), ids, (5, 8, 1, 0, 8))
    logits, session = run(lab, policy("blend[ratio=1]"), ids, (5, 8, 1, 0, 8))
    assert torch.equal(logits, whole)
    assert session.cache.state["reuse"].misses == 3  # the chunk that comes twice is made once
    assert torch.isfinite(run(lab, policy("blend"), ids, (5, 8, 1, 0, 8))[0]).all()


def test_another_model_finds_nothing():
    run(tiny("llama"), policy("blend"))
    assert run(tiny("llama", seed=1), policy("blend"))[1].cache.state["reuse"].misses == 4
    assert run(tiny("llama"), policy("blend"))[1].cache.state["reuse"].misses == 0


def test_a_damaged_entry_is_made_anew(tmp_path):
    lab, chosen = tiny("llama"), Blend(store="disk", folder=str(tmp_path))
    whole, _ = run(lab, chosen)
    for at in (-1, 40, 0):  # data, header, and a file cut short
        victim = sorted(tmp_path.glob("*.safetensors"))[1]
        raw = bytearray(victim.read_bytes())
        if at:
            raw[at] ^= 255
        victim.write_bytes(raw if at else raw[: len(raw) // 2])
        logits, session = run(lab, chosen)
        assert torch.allclose(logits, whole, atol=1e-5)
        assert session.cache.state["reuse"].corrupt == 1
        assert run(lab, chosen)[1].cache.state["reuse"].misses == 0


def test_a_store_too_small_costs_time_and_nothing_else():
    lab = tiny("llama")
    whole, _ = run(lab, policy("blend"))
    module.store_at.cache_clear()
    logits, _ = run(lab, policy("blend[room=0]"))
    assert torch.equal(logits, whole)
    assert isinstance(store_at("memory", "", 0), MemoryStore)
    assert store_at("memory", "", 0).bytes == 0


@pytest.mark.parametrize(
    ("text", "family", "chunks", "said"),
    [("blend[ratio=1.5]", "llama", CHUNKS, "ratio 1.5"), ("blend", "llama", (49,), "no question"),
     ("blend", "mistral", CHUNKS, "sliding window"), ("blend[check=3]", "llama", CHUNKS, "layer from 1 to 2"),
     ("prefix-cache", "gemma3", CHUNKS, "sliding window")],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_a_reason(text, family, chunks, said):
    with pytest.raises(InputError, match=said):
        run(tiny(family), policy(text), chunks=chunks)


def test_prefix_caching_reuses_a_common_beginning_and_changes_nothing():
    lab = tiny("llama")
    run(lab, policy("prefix-cache"), [*IDS[:22], *IDS[3:30]])
    before = lab.counts.copy()
    logits, session = run(lab, policy("prefix-cache"))
    assert (lab.counts - before).attended == 3 * 4 * (27 * 22 + 27 * 28 // 2)
    assert torch.allclose(logits, run(lab, CachePolicy())[0], atol=1e-4)
    reuse = session.cache.state["reuse"]
    assert (reuse.misses, reuse.kept) == (2, 49 - 22)
    assert run(lab, policy("prefix-cache"))[1].cache.state["reuse"].kept == ASKED
