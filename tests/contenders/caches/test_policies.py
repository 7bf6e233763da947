"""Cache methods: each has a setting that is the full cache, and does what its paper says otherwise."""

import math
import re

import pytest
import torch

from steelyard import catalog
from steelyard.core.contender import build
from steelyard.core.spec import parse_spec
from steelyard.lab import CachePolicy, Session
from steelyard.lab.fidelity import kl_divergence, mean_log_probability, perplexity, top1_agreement
from tests.conftest import ROOT
from tests.lab.making import MADE, tiny

IDS = [(7 * i * i + 3 * i) % 101 for i in range(64)]
NAMES = [entry.name for entry in catalog.contenders("cache") if entry.name != "press"]


def policy(text):
    return catalog.make_contender(parse_spec(text), "cache")


def logits(lab, chosen, prompt=48):
    session = Session(lab, chosen)
    session.prefill(IDS[:prompt])
    return torch.cat([session.logits[None].float(), session.extend(IDS[prompt:])]), session


@pytest.mark.parametrize("family", MADE)
@pytest.mark.parametrize("name", NAMES)
def test_the_identity_setting_is_the_full_cache(name, family):
    cls = catalog.find(name).load()
    same = build(cls, cls.identity, name)
    if reason := same.supported():
        pytest.skip(reason)
    full, whole = logits(tiny(family), CachePolicy())
    ours, session = logits(tiny(family), same)
    assert torch.allclose(ours, full, atol=1e-5, rtol=0)
    assert session.bytes >= whole.bytes  # some hold bounds or indices beside


@pytest.mark.parametrize(
    "text", ["streaming-llm", "snapkv", "pyramidkv", "kivi[group=8,residual=8]", "a-shape", "tri-shape", "minference[block=4]",
             "quest[page=4,dense=0]", "prompt-compression"],
)  # fmt: skip
def test_a_method_that_leaves_something_out_is_seen_to(text):
    full, _ = logits(tiny("llama"), CachePolicy())
    ours, session = logits(tiny("llama"), policy(text))
    assert kl_divergence(full, ours) > 1e-4
    assert session.cache.seen <= len(IDS)


def test_streaming_llm_keeps_the_first_and_the_newest():
    _, session = logits(tiny("llama"), policy("streaming-llm[keep=12,sinks=3]"), prompt=48)
    assert session.cache.layers[0].positions[0, 0].tolist() == [0, 1, 2, *range(39, 64)]
    _, session = logits(tiny("llama"), policy("streaming-llm[keep=12,sinks=3,evict=always]"), prompt=48)
    assert session.cache.layers[0].positions[0, 0].tolist() == [0, 1, 2, *range(55, 64)]


def test_streaming_llm_renumbered_is_a_model_that_never_saw_the_middle_in_its_first_layer():
    lab = tiny("llama")
    _, session = logits(lab, policy("streaming-llm[keep=12,sinks=3,evict=always,positions=cache]"), prompt=48)
    short = Session(lab, CachePolicy())
    short.prefill([*IDS[:3], *IDS[-9:]])
    assert torch.allclose(session.cache.layers[0].keys, short.cache.layers[0].keys, atol=1e-4)


def test_snapkv_keeps_what_the_last_queries_attend_to():
    lab = tiny("llama")
    with torch.no_grad():
        lab.model.config._attn_implementation = "eager"
        weights = lab.model(torch.tensor([IDS[:48]]), output_attentions=True).attentions[0][0]
        lab.model.config._attn_implementation = "sdpa"
    votes = weights[:, -4:, :-4].sum(1)
    smooth = torch.nn.functional.avg_pool1d(votes, 5, 1, 2)
    wanted = [[*sorted(row.topk(8).indices.tolist()), 44, 45, 46, 47] for row in smooth]
    session = Session(lab, policy("snapkv[keep=12,window=4]"))
    session.prefill(IDS[:48])
    assert session.cache.layers[0].positions[0].tolist() == wanted
    assert session.bytes == 3 * 2 * 4 * 12 * 8 * 4  # a set for each of the four query heads
    shared = Session(lab, policy("snapkv[keep=12,window=4,heads=key]"))
    shared.prefill(IDS[:48])
    assert shared.bytes == session.bytes / 2


def test_pyramidkv_falls_with_the_layer_and_holds_the_mean():
    session = Session(tiny("llama"), policy("pyramidkv[keep=12,window=4]"))
    session.prefill(IDS[:48])
    assert [layer.length for layer in session.cache.layers] == [4 + 16, 4 + 8, 4 + 1]  # 16 - l * 8, at least one


def test_kivi_rounds_to_the_nearest_of_four_steps_and_packs_them():
    from steelyard.contenders.caches.kivi import quantise, restore

    x = torch.tensor([[0.0, 1.0, 2.0, 3.0, 0.4, 1.6, 2.9, 0.1], [5.0] * 8])
    packed, step, low = codes = quantise(x, 2)
    assert packed.shape == (2, 2)
    assert (step.flatten().tolist(), low.flatten().tolist()) == ([1.0, 0.0], [0.0, 5.0])
    assert restore(codes, 2).tolist() == [[0, 1, 2, 3, 0, 2, 3, 0], [5] * 8]


def test_kivi_counts_codes_steps_minima_and_the_residual():
    session = Session(tiny("llama"), policy("kivi[group=8,residual=16]"))
    session.prefill(IDS[:40])
    quantised = 32 * 2 * 8 // 4 + 2 * 4 * (32 * 2 * 8 // 8)  # bytes: two bits each; two fp32 numbers a group
    assert session.bytes == 3 * 2 * (quantised + 8 * 2 * 8 * 4)


def test_a_shape_and_tri_shape_masks_are_those_drawn_by_hand():
    seen = {}
    for text in ("a-shape[keep=4,first=1]", "tri-shape[keep=4,first=1,last=2]"):
        chosen = policy(text)
        session = Session(tiny("llama"), chosen)
        before = session.lab.counts.copy()
        session.prefill(IDS[:8])
        seen[text] = (session.lab.counts - before).attended
    assert list(seen.values()) == [3 * 4 * (1 + 2 + 3 + 4 * 5), 3 * 4 * (1 + 2 + 3 + 4 * 3 + 7 + 8)]


def test_quest_looks_at_the_pages_with_the_highest_bounds():
    lab, chosen = tiny("llama"), policy("quest[keep=16,page=4,dense=0]")
    session = Session(lab, chosen)
    session.prefill(IDS[:43])
    layer = session.cache.layers[0]
    before = lab.counts.copy()
    session.extend([5])
    assert (lab.counts - before).attended == 3 * 4 * 4 * 4  # layers, heads, pages, keys; 44 tokens fill the last page
    low, high = layer.state["bounds"]
    paged = layer.keys[0].unflatten(1, (11, 4))
    assert torch.equal(low[0], paged.amin(2))
    assert torch.equal(high[0], paged.amax(2))


def test_minference_stays_near_its_budget():
    lab = tiny("llama")
    before = lab.counts.copy()
    Session(lab, policy("minference[keep=16,block=4,last=16]")).prefill(IDS)
    spent = (lab.counts - before).attended / (3 * 4 * 64)
    assert spent <= 17  # one key more than asked for: a query always sees itself


def test_prompt_compression_keeps_the_least_likely_tokens():
    lab = tiny("llama")
    with torch.no_grad():
        surprise = -lab.model(torch.tensor([IDS[:48]])).logits[0].log_softmax(-1)
    ranked = sorted(range(1, 44), key=lambda i: -float(surprise[i - 1, IDS[i]]))
    kept = sorted([0, *ranked[:7], *range(44, 48)])
    session, short = Session(lab, policy("prompt-compression[keep=12]")), Session(lab, CachePolicy())
    session.prefill(IDS[:48], question=4)
    short.prefill([IDS[i] for i in kept])
    assert torch.equal(session.logits, short.logits)


def test_fidelity_measures_agree_with_hand_computation():
    p, q = torch.tensor([[0.5, 0.5], [0.9, 0.1]]), torch.tensor([[0.75, 0.25], [0.9, 0.1]])
    wanted = (0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)) / 2
    assert kl_divergence(p.log(), q.log()) == pytest.approx(wanted, abs=1e-6)
    assert top1_agreement(torch.tensor([[1.0, 2], [2, 1]]), torch.tensor([[0.0, 2], [1, 3]])) == 0.5
    assert mean_log_probability(p.log(), [0, 1]) == pytest.approx((math.log(0.5) + math.log(0.1)) / 2)


def test_perplexity_is_that_of_the_library():
    lab = tiny("llama")
    with torch.no_grad():
        scores = lab.model(torch.tensor([IDS])).logits[0].log_softmax(-1)
    nll = -sum(float(scores[i - 1, IDS[i]]) for i in range(20, 64)) / 44
    assert perplexity(lab, CachePolicy(), IDS, 20) == pytest.approx(math.exp(nll), rel=1e-5)


def test_the_policy_that_the_documentation_shows_keeps_the_newest():
    page = (ROOT / "docs" / "lab.md").read_text()
    shown = {"__name__": "shown"}
    exec(re.search(r"```python\n(.*?)```", page, re.DOTALL)[1], shown)
    full, _ = logits(tiny("llama"), CachePolicy())
    ours, _ = logits(tiny("llama"), shown["Newest"](**shown["Newest"].identity))
    assert torch.equal(ours, full)
    _, session = logits(tiny("llama"), shown["Newest"](keep=5))
    assert session.cache.layers[0].positions[0, 0].tolist() == list(range(43, 64))
