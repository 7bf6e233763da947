"""The explicit forward pass gives the library's logits, to the last bit, in every family."""

import pytest
import torch

from steelyard.lab import CachePolicy, Session, forward
from steelyard.lab.forward_pass import empty_cache
from tests.lab.making import MADE, tiny

IDS = [(7 * i * i + 3 * i) % 101 for i in range(40)]


@pytest.mark.parametrize("family", MADE)
def test_prompt_steps_and_follow_ups_equal_the_library(family):
    lab = tiny(family)
    ids = torch.tensor([IDS])
    with torch.no_grad():
        prompt = lab.model(ids[:, :25], use_cache=True)
        past = prompt.past_key_values
        steps = [lab.model(ids[:, i : i + 1], past_key_values=past).logits for i in range(25, 28)]
        follow_up = lab.model(ids[:, 28:], past_key_values=past).logits
    cache, full = empty_cache(lab), CachePolicy()
    ours = forward(lab, cache, ids[:, :25], full, prompt=True, every=True)
    assert torch.equal(ours, prompt.logits)
    for i, theirs in zip(range(25, 28), steps, strict=True):
        assert torch.equal(forward(lab, cache, ids[:, i : i + 1], full, prompt=False), theirs)
    assert torch.equal(forward(lab, cache, ids[:, 28:], full, prompt=False, every=True), follow_up)


@pytest.mark.parametrize("family", MADE)
def test_padding_on_the_left_changes_nothing_for_the_others(family):
    lab = tiny(family)
    short, long = torch.tensor([IDS[:9]]), torch.tensor([IDS[:14]])
    alone = [forward(lab, empty_cache(lab), ids, CachePolicy(), prompt=True) for ids in (short, long)]
    batch = torch.cat([torch.nn.functional.pad(short, (5, 0)), long])
    positions = torch.stack([torch.tensor([-1] * 5 + list(range(9))), torch.arange(14)])
    both = forward(lab, empty_cache(lab, 2), batch, CachePolicy(), prompt=True, positions=positions)
    assert torch.allclose(both, torch.cat(alone), atol=1e-4)


def test_a_sequence_decodes_as_the_library_decodes_it():
    lab = tiny("llama")
    ids = torch.tensor([IDS])
    theirs = lab.model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False)[0, 40:]
    session = Session(lab, CachePolicy())
    session.prefill(IDS)
    assert session.generate(12) == theirs.tolist()


def test_a_copy_leaves_the_original_as_it_was():
    session = Session(tiny("qwen3"), CachePolicy())
    session.prefill(IDS[:20])
    first = session.copy().extend(IDS[20:])
    session.copy().generate(5)
    assert session.cache.seen == 20
    assert torch.equal(session.copy().extend(IDS[20:]), first)


def test_counts_are_those_of_a_computation_by_hand():
    lab = tiny("llama")
    before = lab.counts.copy()
    Session(lab, CachePolicy()).prefill(IDS[:10])
    spent = lab.counts - before
    # per layer q and o: 32 x 32, k and v: 32 x 16, three of 32 x 48; scores and values: 4 heads of 8, 55 causal pairs
    matrices = 3 * (2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 48)
    assert spent.attended == 3 * 4 * 55
    assert spent.flops == 2 * 10 * matrices + 3 * 4 * 55 * 4 * 8 + 2 * 32 * 101
    assert (spent.forward_passes, spent.tokens_computed) == (1, 10)


def test_bytes_are_those_of_keys_and_values_and_stop_growing_in_windows():
    session = Session(tiny("llama"), CachePolicy())
    session.prefill(IDS)
    assert session.bytes == 2 * 3 * 2 * 8 * 40 * 4
    windowed = Session(tiny("gemma3"), CachePolicy())
    windowed.prefill(IDS)
    assert windowed.bytes == 2 * 2 * 8 * 4 * (40 + 2 * 8)  # one full layer; two keep the last 9 - 1
