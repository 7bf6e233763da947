"""KV Prediction: exact with the base as its own auxiliary, the loss by hand, counts against PyTorch's counter, bad input."""

import pytest
import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from steelyard import catalog
from steelyard.contenders.caches.kv_prediction import KVPrediction, Predicted
from steelyard.contenders.caches.predictor import Loss, Predictor, least_squares, merged
from steelyard.core.errors import InputError
from steelyard.core.spec import parse_spec
from steelyard.lab import CachePolicy, Session
from steelyard.lab.auxiliary import auxiliary_of, layer_map, pruned
from steelyard.lab.forward_pass import uncached
from steelyard.lab.opening import LabModel
from steelyard.lab.training import IGNORED, Batch, Training
from tests.lab.making import MADE, tiny

IDS = [(7 * i * i + 3 * i) % 101 for i in range(64)]


def policy(text):
    return catalog.make_contender(parse_spec(text), "cache")


def batch(rows=2, length=12, seed=0):
    ids = torch.randint(0, 101, (rows, length), generator=torch.Generator().manual_seed(seed))
    return Batch(ids, ids, torch.ones_like(ids, dtype=torch.bool))


def training(steps=2, **options):
    return Training("test", lambda seed, step: batch(seed=100 * seed + step), steps, **options)


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_: tmp_path)


@pytest.mark.parametrize("family", MADE)
def test_a_base_that_is_its_own_auxiliary_is_exact_in_all_three_call_modes(family):
    """As the official tests have it: no cache; a prompt; steps after it (which test_policies checks for prompt and steps)."""
    lab = tiny(family)
    maps = Predictor(lab, lab, layer_map(3, 3))
    maps.be_identity()
    ids = torch.tensor([IDS[:40]])
    with torch.no_grad():
        pairs, _ = uncached(lab, ids)
        _, hidden = uncached(lab, ids, maps(pairs))
        ours, theirs = lab.model.lm_head(lab.model.model.norm(hidden)), lab.model(ids).logits
    assert torch.allclose(ours, theirs, atol=1e-5, rtol=0)
    full, exact = Session(lab, CachePolicy()), Session(lab, Predicted(lab, maps))
    assert torch.allclose(exact.prefill(IDS[:40]), full.prefill(IDS[:40]), atol=1e-5, rtol=0)
    assert torch.allclose(exact.extend(IDS[40:45]), full.extend(IDS[40:45]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("family", MADE)
def test_what_rounding_is_left_is_that_of_the_base_in_two_calls(family):
    lab = tiny(family)
    ours, twice = Session(lab, KVPrediction(**KVPrediction.identity)), Session(lab, CachePolicy())
    ours.prefill(IDS[:40])
    twice.prefill(IDS[:39])
    twice.extend(IDS[39:40])
    assert torch.allclose(ours.logits, twice.logits, atol=1e-6, rtol=0)


def test_maps_work_before_rotation_so_they_do_not_depend_on_the_place():
    """The first layers of a base and of its pruned copy are the same: with identity maps their cache is exact anywhere."""
    lab = tiny("llama")
    small = pruned(lab, [0])
    maps = Predictor(lab, small, [0, 0, 0])
    maps.be_identity()
    ours, full = Session(lab, Predicted(small, maps)), Session(lab, CachePolicy())
    ours.prefill(IDS[:50])
    full.prefill(IDS[:50])
    assert torch.allclose(ours.cache.layers[0].keys, full.cache.layers[0].keys, atol=1e-5)
    assert not torch.allclose(ours.cache.layers[1].keys[:, :, :-1], full.cache.layers[1].keys[:, :, :-1], atol=1e-2)


def test_the_base_processes_the_last_token_itself_and_a_single_token_alone():
    lab = tiny("llama")
    ours, full = Session(lab, KVPrediction(**KVPrediction.identity)), Session(lab, CachePolicy())
    assert torch.equal(ours.prefill(IDS[:1]), full.prefill(IDS[:1]))
    small = pruned(lab, [0, 2])
    session = Session(lab, Predicted(small, Predictor(lab, small, [0, 0, 1])))
    before = lab.counts.copy()
    session.prefill(IDS[:20])
    spent = lab.counts - before
    assert (spent.forward_passes, spent.tokens_computed, session.cache.seen) == (2, 19 + 1, 20)
    assert [layer.positions[0, 0].tolist() for layer in session.cache.layers] == [list(range(20))] * 3


def test_counts_are_those_of_pytorchs_counter_and_causal_attention_by_hand():
    lab = LabModel("own", tiny("llama").model)
    small = pruned(lab, [0, 2])
    predicted = Predicted(small, Predictor(lab, small, [0, 0, 1]))
    triangle = lambda n: 4 * n * (n + 1) // 2  # noqa: E731  of four heads
    for chosen, attended in (
        (predicted, 2 * triangle(29) + 3 * 4 * 30), (CachePolicy(), 3 * triangle(30)),
        (policy("token-pruning[keep=13]"), 3 * triangle(13)),
        (policy("token-pruning[keep=13,by=attention]"), 2 * triangle(30) + triangle(13)),
    ):  # fmt: skip
        before = lab.counts.copy()
        with FlopCounterMode(display=False) as counter:
            Session(lab, chosen).prefill(IDS[:30])
        spent = lab.counts - before
        kinds = counter.get_flop_counts()["Global"]
        matrices = sum(n for kind, n in kinds.items() if str(kind) in ("aten.mm", "aten.addmm"))
        assert spent.attended == attended
        assert spent.flops - 4 * 8 * attended == matrices


def test_the_predictors_operations_are_two_for_each_weight_and_token():
    lab = tiny("llama")
    small = pruned(lab, [0])
    assert Predictor(lab, small, [0, 0, 0]).flops(7) == 7 * 2 * (16 * 16) * 2 * 3


def test_the_loss_is_its_three_parts_by_hand():
    lab = tiny("qwen3")
    small = pruned(lab, [0, 2])
    torch.manual_seed(3)
    maps = Predictor(lab, small, [0, 0, 1])
    given = batch()
    pairs, read = uncached(small, given.ids)
    true, _ = uncached(lab, given.ids)
    _, hidden = uncached(lab, given.ids, maps(pairs))
    norms = [layer.self_attn.k_norm for layer in lab.layers]
    apart = 0.0
    for layer, j in enumerate([0, 0, 1]):
        key = F.linear(merged(pairs[j][0]), maps.keys[layer].weight, maps.keys[layer].bias)
        value = F.linear(merged(pairs[j][1]), maps.values[layer].weight, maps.values[layer].bias)
        wanted = norms[layer](true[layer][0])
        apart += (norms[layer](key.view(2, 12, 2, 8).transpose(1, 2)) - wanted).abs().mean()
        apart += (value - merged(true[layer][1])).abs().mean()

    def ce(model, x):
        logits = model.model.lm_head(model.model.model.norm(x))[:, :-1].flatten(0, 1)
        return F.cross_entropy(logits, given.ids[:, 1:].flatten()) + 1e-4 * logits.logsumexp(-1).square().mean()

    whole = Loss(2.0, 3.0, 5.0)(lab, small, maps, given)
    assert float(whole.detach()) == pytest.approx(
        float((2 * ce(lab, hidden) + 3 * ce(small, read) + 5 * apart).detach()), rel=1e-5
    )


def test_padding_enters_no_part_of_the_loss():
    lab = tiny("llama")
    small = pruned(lab, [0, 2])
    maps = Predictor(lab, small, [0, 0, 1])
    short = batch(rows=1, length=9)
    ids = F.pad(short.ids, (0, 6), value=7)
    padded = Batch(ids, F.pad(short.labels, (0, 6), value=IGNORED), F.pad(short.real, (0, 6), value=False))
    with torch.no_grad():
        whole, alone = (float(Loss()(lab, small, maps, given)) for given in (padded, short))
    assert whole == pytest.approx(alone, rel=1e-5)


def test_gradients_reach_auxiliary_and_maps_through_the_base_which_stays():
    lab = tiny("llama")
    small, layers = auxiliary_of(lab, "lp-50")
    small.model.requires_grad_(True)
    maps = Predictor(lab, small, layers)
    Loss(1.0, 0.0, 0.0)(lab, small, maps, batch()).backward()
    reached = [p.grad is not None and bool(p.grad.abs().sum() > 0) for p in (maps.keys[1].weight, small.layers[0].self_attn.k_proj.weight)]  # fmt: skip
    assert reached == [True, True]
    assert all(p.grad is None for p in lab.model.parameters())


def test_least_squares_is_that_of_numpy_and_recovers_a_copy():
    lab = tiny("llama")
    small = pruned(lab, [0, 1, 2])
    maps = Predictor(lab, small, [0, 1, 1])
    assert least_squares(lab, small, maps, training(6), range(6)) == 6 * 24
    assert torch.allclose(maps.values[1].weight, torch.eye(16), atol=0.05)  # of itself
    import numpy as np

    x, y = [], []
    for step in range(6):
        given = training().batch(step)
        (ours, _), (theirs, _) = uncached(small, given.ids), uncached(lab, given.ids)
        x.append(merged(ours[1][0]).flatten(0, 1).detach())
        y.append(merged(theirs[2][0]).flatten(0, 1).detach())
    a = np.c_[torch.cat(x).numpy().astype(float), np.ones(6 * 24)]
    wanted = np.linalg.lstsq(a, torch.cat(y).numpy().astype(float), rcond=None)[0]
    assert maps.keys[2].bias.detach().numpy() == pytest.approx(wanted[-1], abs=0.02)
    assert maps.keys[2].weight.T.detach().numpy() == pytest.approx(wanted[:-1], abs=0.02)


def test_what_fit_keeps_serves_under_any_benchmark(own_cache):
    lab = tiny("llama")
    fitted = policy("kv-prediction[auxiliary=lp-50]").fit(lab, training())
    assert fitted.learnt.tokens == 2 * 24
    assert fitted.weight_bytes > 4 * sum(p.numel() for p in lab.model.parameters())
    ours, again = Session(lab, fitted.policy), Session(lab, policy(f'kv-prediction[weights="{fitted.learnt.place}"]'))
    assert torch.equal(ours.prefill(IDS[:20]), again.prefill(IDS[:20]))
    full = Session(lab, CachePolicy()).prefill(IDS[:20])
    assert not torch.allclose(ours.logits, full[0], atol=1e-3)
    with pytest.raises(InputError, match=r"does not fit auxiliary=lp-25"):
        Session(lab, policy(f'kv-prediction[auxiliary=lp-25,weights="{fitted.learnt.place}"]')).prefill(IDS[:5])


def test_an_auxiliary_alone_learns_next_tokens_and_answers_by_itself(own_cache):
    lab = tiny("llama")
    one = Training("one", lambda seed, step: batch(), 30, rate=1e-2)
    fitted = policy("auxiliary-only[auxiliary=lp-50]").fit(lab, one)
    small, _ = auxiliary_of(lab, "lp-50")
    text = batch()
    loss = [float(m.model(text.ids, labels=text.ids).loss) for m in (small, fitted.lab)]
    assert loss[1] < loss[0] / 2
    assert len(fitted.lab.layers) == 2
    untrained = policy("auxiliary-only[auxiliary=lp-50,trained=false]").fit(lab, one)
    assert torch.equal(untrained.lab.model(text.ids).logits, small.model(text.ids).logits)


@pytest.mark.parametrize(
    ("by", "wanted"),
    [("first", [0, 1, 2, 3, 4, 19]), ("last", [14, 15, 16, 17, 18, 19]), ("ends", [0, 1, 2, 17, 18, 19])],
)
def test_token_pruning_keeps(by, wanted):
    session = Session(tiny("llama"), policy(f"token-pruning[keep=0.3,by={by}]"))
    session.prefill(IDS[:20])
    assert session.cache.layers[2].positions[0, 0].tolist() == wanted
    assert session.cache.seen == 20
    blind = Session(tiny("llama"), policy("token-pruning[keep=6,seed=3]"))
    blind.prefill(IDS[:20])
    kept = blind.cache.layers[0].positions[0, 0].tolist()
    assert len(kept) == 6
    assert kept[-1] == 19
    assert kept == sorted(set(kept))


def test_token_pruning_by_attention_keeps_what_the_last_token_attends_to():
    lab = tiny("llama")
    with torch.no_grad():
        lab.model.config._attn_implementation = "eager"
        weights = lab.model(torch.tensor([IDS[:20]]), output_attentions=True).attentions[1][0, :, -1].mean(0)
        lab.model.config._attn_implementation = "sdpa"
    wanted = sorted([*weights[:-1].topk(5).indices.tolist(), 19])
    session = Session(lab, policy("token-pruning[keep=0.3,by=attention]"))
    session.prefill(IDS[:20])
    assert [layer.length for layer in session.cache.layers] == [20, 20, 6]
    assert session.cache.layers[2].positions[0, 0].tolist() == wanted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('kv-prediction[layer_map="0 0 2"]', r"entry 2 of the layer map is 2"), ('kv-prediction[layer_map="0 1"]', r"has 2 entries"),
        ('kv-prediction[layer_map="0 a 1"]', r"layer_map is '0 a 1'"), ("token-pruning[by=attention,at=9]", r"layer 9 of 3"),
        ("kv-prediction", r"has learnt nothing"), ("auxiliary-only", r"another model"), ("kv-prediction[weights=none.pt]", r"none.pt"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said(text, said):
    with pytest.raises(InputError, match=said):
        Session(tiny("llama"), policy(text)).prefill(IDS[:9])


def test_a_prompt_longer_than_the_auxiliary_was_made_for_is_refused():
    lab = tiny("llama")
    small = pruned(lab, [0])
    small.model.config.max_position_embeddings = 8
    with pytest.raises(InputError, match=r"made for 8"):
        Session(lab, Predicted(small, Predictor(lab, small, [0, 0, 0]))).prefill(IDS[:9])
