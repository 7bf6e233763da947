"""Elastic Cache and its rivals: the card's example, means by hand, lengths, padding, and the defects of the release."""

import pytest
import torch

from steelyard.contenders.caches.elastic import Elastic
from steelyard.contenders.caches.eviction import H2O, Local
from steelyard.core.errors import InputError
from steelyard.lab import CachePolicy, LayerCache, Session
from steelyard.lab.forward_pass import empty_cache, forward
from tests.lab.making import tiny

IDS = [(7 * i * i + 3 * i) % 101 for i in range(300)]
SCORES = [2.05, 2.00, 1.26, 0.88, 0.98, 0.78, 0.31, 0.34, 0.20, 0.15]  # of positions 1 to 10


class Given:
    """Attention whose column sums are known."""

    def __init__(self, sums):
        self.sums = torch.tensor([[sums, sums]])
        self.queries = torch.zeros(1, 2, len(sums), 1)

    def column_sums(self):
        return self.sums


def compressed(policy, sums):
    n = len(sums)
    values = torch.arange(float(n))[None, None, :, None]
    layer = LayerCache(0, values.clone(), values.clone(), torch.arange(n)[None, None])
    policy.after_prefill(layer, Given(sums))
    return layer


def test_the_cards_ten_scores():
    sums = [9.0, *SCORES, 0.01]  # drop = int(12 - 12 (1 - r)) = 7 and 6
    top = compressed(Elastic(ratio=0.6), sums)
    assert top.positions[0, 0].tolist() == [0, 1, 2, 3, 11]
    six = compressed(Elastic(ratio=0.5), sums)
    assert six.positions[0, 0].tolist() == [0, 1, 2, 3, 5, 11]
    released = compressed(Elastic(ratio=0.5, variant="released"), sums)
    assert released.positions[0, 0].tolist() == [0, 1, 2, 4, 11]  # one fewer, and not the top three
    assert released.state["overlap"] == pytest.approx(2 / 3)


def test_what_is_dropped_goes_into_its_nearest_anchor_the_left_of_two():
    sums = [0.0, 5.0, 1.0, 1.0, 1.0, 6.0, 1.0, 0.0]  # anchors 1 and 5; 3 is as near to both
    layer = compressed(Elastic(ratio=0.5), sums)
    assert layer.positions[0, 0].tolist() == [0, 1, 5, 7]
    assert layer.values[0, 0, :, 0].tolist() == [0, (1 + 2 + 3) / 3, (4 + 5 + 6) / 3, 7]
    off = compressed(Elastic(ratio=0.5, merge="off"), sums)
    assert off.values[0, 0, :, 0].tolist() == [0, 1, 5, 7]
    by_attention = compressed(Elastic(ratio=0.5, merge="values"), sums)
    assert by_attention.keys[0, 0, :, 0].tolist() == [0, 1, 5, 7]
    assert by_attention.values[0, 0, :, 0].tolist() == pytest.approx([0, (5 * 1 + 2 + 3) / 7, (4 + 6 * 5 + 6) / 8, 7])


def test_the_release_merges_places_shifted_by_the_start():
    sums = [0.0, 5.0, 1.0, 0.9, 0.8, 6.0, 0.7, 0.0]
    layer = compressed(Elastic(ratio=0.375, variant="released"), sums)
    # candidates 1..6 rise in the order 6 4 3 2 1 5: argsort 5 3 2 1 0 4; places with more than drop = 3 are the 1st and 6th
    assert layer.positions[0, 0].tolist() == [0, 1, 6, 7]
    # dropped 1 2 3 4 (for 2 3 4 5): 1 joins itself, 5 vanishes
    assert layer.values[0, 0, :, 0].tolist() == [0, (1 + 1 + 2 + 3) / 4, (4 + 6) / 2, 7]


def test_keys_of_one_position_merge_alike_before_and_after_rotation_values_always():
    lab = tiny("llama")
    held = {}
    for merge in ("mean", "pre-rope"):
        session = Session(lab, Elastic(ratio=0.5, merge=merge))
        session.prefill(IDS[:60])
        held[merge] = session.cache.layers[0]
    assert torch.equal(held["mean"].values, held["pre-rope"].values)
    whole = Session(lab, CachePolicy())
    whole.prefill(IDS[:60])
    full = whole.cache.layers[0].keys
    alone = [i for i, p in enumerate(held["mean"].positions[0, 0].tolist()) if torch.equal(
        held["mean"].keys[0, :, i], full[0, :, p])]  # fmt: skip
    at = held["mean"].positions[0, 0][alone]
    assert len(alone) >= 2
    assert torch.allclose(held["pre-rope"].keys[:, :, alone], full[:, :, at], atol=1e-5)
    assert not torch.allclose(held["pre-rope"].keys, held["mean"].keys, atol=1e-3)


@pytest.mark.parametrize("ratio", [0.0, 0.05, 0.2, 0.5, 0.7, 0.95])
@pytest.mark.parametrize("cls", [Elastic, Local, H2O])
def test_any_share_is_met_at_every_step(cls, ratio):
    session = Session(tiny("llama"), cls(ratio=ratio))
    session.prefill(IDS[:120])
    assert {layer.length for layer in session.cache.layers} == {120 - int(120 - 120 * (1 - ratio))}
    session.extend(IDS[120:135])
    assert session.policy.figures(session.cache)["length_error"] < 1


def test_without_a_share_to_drop_it_is_the_full_cache_to_the_last_bit():
    lab = tiny("llama")
    sessions = [Session(lab, policy) for policy in (Elastic(ratio=0.0), CachePolicy())]
    for session in sessions:
        session.prefill(IDS[:40])
    for token in IDS[40:50]:
        first, second = (session.extend([token]) for session in sessions)
        assert torch.equal(first, second)


def test_the_slot_keeps_the_first_entries_and_lets_the_oldest_behind_it_go():
    session = Session(tiny("llama"), Elastic(ratio=0.5, distance=10))
    session.prefill(IDS[:40])
    first = session.cache.layers[0].positions[0, 0, :10].tolist()
    session.extend(IDS[40:80])
    held = session.cache.layers[0].positions[0, 0].tolist()
    assert held == [*first, *range(50, 80)]


def test_local_keeps_the_start_and_the_newest():
    session = Session(tiny("llama"), Local(ratio=0.5, start=2))
    session.prefill(IDS[:40])
    assert session.cache.layers[2].positions[0, 0].tolist() == [0, 1, *range(22, 40)]


def test_h2o_keeps_the_most_attended_of_all_layers_and_heads():
    lab = tiny("llama")
    with torch.no_grad():
        lab.model.config._attn_implementation = "eager"
        weights = lab.model(torch.tensor([IDS[:40]]), output_attentions=True).attentions
        lab.model.config._attn_implementation = "sdpa"
    total = torch.stack(weights).mean((0, 2))[0].sum(0)
    wanted = sorted([*total[:-1].topk(19).indices.tolist(), 39])
    session = Session(lab, H2O(ratio=0.5))
    session.prefill(IDS[:40])
    assert {tuple(layer.positions[0, 0].tolist()) for layer in session.cache.layers} == {tuple(wanted)}
    heads = Session(lab, H2O(ratio=0.5, per_head=True))
    heads.prefill(IDS[:40])
    rows = heads.cache.layers[1].positions[0].tolist()
    assert rows[0] != rows[1]
    assert all(row[-10:] == list(range(30, 40)) for row in rows)  # half of it recent


def test_padding_is_no_anchor_and_joins_none():
    lab, pad = tiny("llama"), 6
    policy = Elastic(ratio=0.5)
    alone = empty_cache(lab)
    forward(lab, alone, torch.tensor([IDS[:40]]), policy, prompt=True)
    padded = empty_cache(lab, 2)
    ids = torch.tensor([IDS[:46], [0] * pad + IDS[:40]])
    at = torch.stack([torch.arange(46), torch.tensor([-1] * pad + list(range(40)))])
    forward(lab, padded, ids, policy, prompt=True, positions=at)
    real = padded.layers[0].positions[1, 0]
    assert bool((real >= 0).all())  # of 23 kept entries none is padding
    # 23 kept of 46 and not 20 of 40: compare what both keep
    assert set(alone.layers[0].positions[0, 0].tolist()) <= set(real.tolist())


@pytest.mark.parametrize("length", [20, 2100])
def test_the_release_stops_at_short_and_at_very_long_prompts_and_the_description_does_not(length):
    ids = [IDS[i % 300] for i in range(length)]

    def run(variant, steps):
        session = Session(tiny("llama"), Elastic(variant=variant))
        session.prefill(ids)
        session.extend(ids[:steps])

    run("paper", 5)
    with pytest.raises(InputError, match="released code"):
        run("released", 20)


@pytest.mark.parametrize(
    "policy", [Elastic(ratio=1.0), Elastic(ratio=-0.1), Elastic(ratio=0.9, start=4), H2O(ratio=0.95)]
)
def test_what_cannot_be_is_refused(policy):
    with pytest.raises(InputError, match=r"ratio is|no anchor is left"):
        Session(tiny("llama"), policy).prefill(IDS[:10])
