"""Block floating point: hand-computed values, bytes, rearranged weights that change nothing, and what is refused."""

import pytest
import torch

from steelyard.contenders.caches.bfp import BFP, hadamard
from steelyard.contenders.caches.block_format import BlockFormat
from steelyard.contenders.caches.rearrange import balance_of, calibrate, fold, order_of
from steelyard.core.errors import InputError
from steelyard.lab import CachePolicy, Session
from tests.lab.making import MADE, tiny

IDS = [(7 * i * i + 3 * i) % 101 for i in range(64)]


def logits(lab, chosen, prompt=48):
    session = Session(lab, chosen)
    session.prefill(IDS[:prompt])
    return torch.cat([session.logits[None].float(), session.extend(IDS[prompt:])]), session


def stored(x, **facts):
    format = BlockFormat(**facts)
    return format.decode(format.encode(torch.tensor(x)), len(x)).tolist()


def test_values_of_a_block_computed_by_hand():
    # max 5 -> E = 2, step 2^(2 - 4 + 2) = 1: halves go to the even one
    assert stored([5.0, -2.5, 0.5, 1.5], m=4, n=4) == [5, -2, 0, 2]
    # max 7.6 -> step 1, rounds to 8: cut at 7, or the exponent is raised and the step is 2
    assert stored([7.6, 1.0, -3.0, 0.0], m=4, n=4) == [7, 1, -3, 0]
    assert stored([7.6, 1.0, -3.0, 0.0], m=4, n=4, overflow="bump") == [8, 0, -4, 0]
    assert stored([-7.6, 1.0, -3.0, 0.0], m=4, n=4, full_range=True) == [-8, 1, -3, 0]
    # a step that is no power of two: 7 / 7 = 1 against 14 / 7 = 2
    assert stored([14.0, 3.0, 0.0, -8.0], m=4, n=4, scale="float") == [14, 4, 0, -8]
    # two blocks: the outlier spoils its own only
    assert stored([64.0, 1.0, 1.0, 1.25], m=4, n=2) == [64, 0, 1, 1.25]
    assert stored([0.0, 0.0, 2.0**-120, 0.0], m=4, n=4) == [0, 0, 0, 0]


@pytest.mark.parametrize("m", range(2, 9))
def test_what_a_format_can_say_comes_back_and_takes_the_bytes_it_should(m):
    top = 2 ** (m - 1) - 1
    codes = torch.arange(64).remainder(2 * top + 1) - top
    codes[::16] = top
    x = codes.reshape(1, 2, 32) * torch.tensor([0.25, 8.0])[None, :, None]
    format = BlockFormat(m, 16)
    packed = format.encode(x)
    assert packed.dtype == torch.uint8
    assert packed.shape[-1] == 32 * m // 8 + 2  # an exponent of a byte for each sixteen
    assert torch.equal(format.decode(packed, 32), x)


def test_the_error_is_at_most_half_a_step():
    x = torch.randn(200, 32, generator=torch.Generator().manual_seed(1))
    format = BlockFormat(5, 8, overflow="bump")
    largest = x.unflatten(-1, (-1, 8)).abs().amax(-1)
    step = 2.0 ** (largest.log2().floor() - 3 + 1)  # at most one more for a raised exponent
    off = (format.decode(format.encode(x), 32) - x).unflatten(-1, (-1, 8)).abs().amax(-1)
    assert bool((off <= step / 2).all())


@pytest.mark.parametrize("family", MADE)
@pytest.mark.parametrize(
    "options", [{"sort": "random"}, {"sort": "calibrated", "rope": "pairwise"}, {"sort": "none", "balance": True, "centre": True},
                {"sort": "reverse", "rotate": "hadamard"}],
)  # fmt: skip
def test_a_rearranged_model_says_the_same_where_nothing_is_quantised(family, options):
    full, _ = logits(tiny(family), CachePolicy())
    ours, _ = logits(tiny(family), BFP(m=0, **options))
    assert torch.allclose(ours, full, atol=1e-5, rtol=0)


def test_the_order_is_in_the_weights_and_the_rest_is_shared():
    lab = tiny("llama")
    orders = [order_of(layer, "row_norm", pairwise=False, heads=2, seen=None) for layer in lab.layers]
    made = fold(lab, orders)
    rows = made.layers[0].self_attn.k_proj.weight.view(2, 8, -1).norm(dim=-1)
    assert torch.equal(rows, rows.sort(-1).values)
    before, after = lab.layers[0].self_attn, made.layers[0].self_attn
    heads = before.q_proj.weight.view(4, 8, -1)
    for head in range(4):  # two query heads read each key head
        assert torch.equal(after.q_proj.weight.view(4, 8, -1)[head], heads[head][orders[0][head // 2]])
    assert after.v_proj.weight is before.v_proj.weight
    assert lab.layers[0].self_attn.k_proj.weight is before.k_proj.weight


def test_pairs_stay_pairs():
    order = order_of(tiny("llama").layers[1], "pair_norm", pairwise=True, heads=2, seen=None)
    assert torch.equal(order[:, 4:], order[:, :4] + 4)
    assert order.sort(-1).values.tolist() == [list(range(8))] * 2


def test_balance_evens_out_queries_and_keys_and_treats_a_pair_alike():
    seen = calibrate(tiny("llama"))[0]
    factor = balance_of(seen, centred=False)
    assert torch.equal(factor[:, :4], factor[:, 4:])
    pair = lambda x: x.unflatten(-1, (2, -1)).sum(1)  # noqa: E731
    share = pair(seen.square) * factor[:, :4] ** 2 / (pair(seen.queries) / factor[:, :4] ** 2)
    assert torch.allclose(share / share[:, :1], torch.ones_like(share), atol=1e-4)


def test_with_one_block_a_head_sorting_changes_no_code():
    lab = tiny("llama")
    _, plain = logits(lab, BFP(n=8, sort="none"))
    _, sorted_ = logits(lab, BFP(n=8))
    format, layer = BlockFormat(4, 8), plain.cache.layers[0]
    order = order_of(lab.layers[0], "row_norm", pairwise=False, heads=2, seen=None)
    keys = format.decode(layer.keys, 8).gather(-1, order[None, :, None].expand(1, 2, layer.length, 8))
    assert torch.equal(keys, format.decode(sorted_.cache.layers[0].keys, 8))


@pytest.mark.parametrize(
    ("tensors", "each"),
    [("k", 8 * 4 + (8 * 4 // 8 + 2)), ("v", 8 * 4 + (8 * 4 // 8 + 2)), ("kv", 2 * (8 * 4 // 8 + 2))],
)
def test_bytes_are_those_of_packed_mantissas_and_exponents(tensors, each):
    _, session = logits(tiny("llama"), BFP(n=4, tensors=tensors))
    assert session.bytes == 3 * 2 * 64 * each  # layers, heads, tokens


def test_more_bits_are_nearer_and_the_hadamard_matrix_is_orthogonal():
    full, _ = logits(tiny("llama"), CachePolicy())
    off = [float((logits(tiny("llama"), BFP(m=m, n=8))[0] - full).abs().mean()) for m in (3, 5, 8)]
    assert off[0] > off[1] > off[2] > 0
    mix = hadamard(16, torch.zeros(1))
    assert torch.allclose(mix @ mix.T, torch.eye(16), atol=1e-6)


def test_the_error_of_the_keys_is_told():
    lab = tiny("llama")
    _, session = logits(lab, BFP(n=4, sort="none"))
    _, full = logits(lab, CachePolicy())
    first, stored_ = full.cache.layers[0].keys, session.cache.layers[0].keys  # of the first layer nothing came before
    off = BlockFormat(4, 4).decode(stored_, 8) - first
    error, square, _ = session.cache.layers[0].state["noted"]
    assert float((error.sum() / square.sum()).sqrt()) == pytest.approx(float(off.norm() / first.norm()), rel=1e-3)
    assert 0 < session.policy.figures(session.cache)["key_error"] < 0.3


@pytest.mark.parametrize(
    ("options", "says"),
    [({"n": 3}, "n may be 2, 4, 8"), ({"m": 1, "n": 8}, "2 to 8 bits"), ({"query_m": 9, "n": 8}, "2 to 8 bits")],
)
def test_what_does_not_fit_is_refused(options, says):
    with pytest.raises(InputError, match=says):
        logits(tiny("llama"), BFP(**options))


def test_a_key_that_is_no_number_is_named():
    session = Session(tiny("llama"), BFP(n=8))
    session.prefill(IDS[:8])
    layer = session.cache.layers[1]
    bad = torch.zeros(1, 2, 3, 8)
    bad[0, 1, 2, 5] = float("inf")
    with pytest.raises(InputError, match="layer 1, token 10: k is not finite"):
        session.policy.append(layer, bad, torch.zeros(1, 2, 3, 8), torch.arange(8, 11)[None])
