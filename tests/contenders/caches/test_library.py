"""kvpress's methods and the library's caches: the same numbers as when the library runs them itself."""

import pytest
import torch

from steelyard import catalog
from steelyard.core.errors import InputError
from steelyard.core.spec import parse_spec
from steelyard.lab import CachePolicy, Session
from tests.conftest import need
from tests.lab.making import tiny

IDS = [(7 * i * i + 3 * i) % 101 for i in range(64)]


def policy(text):
    return catalog.make_contender(parse_spec(text), "cache")


@pytest.mark.parametrize("name", ["KnormPress", "ExpectedAttentionPress", "TOVAPress"])
def test_a_press_gives_what_the_library_gives_under_it(name):
    need("kvpress")
    import kvpress
    from transformers import DynamicCache

    lab, past = tiny("llama"), DynamicCache()
    with torch.no_grad(), getattr(kvpress, name)(compression_ratio=0.5)(lab.model):
        lab.model(torch.tensor([IDS[:48]]), past_key_values=past)
        at = torch.arange(48, 64)
        wanted = lab.model(
            torch.tensor([IDS[48:]]), past_key_values=past, position_ids=at[None], cache_position=at - 24
        )
    spoken = {"KnormPress": "knorm", "ExpectedAttentionPress": "expected-attention", "TOVAPress": "tova"}[name]
    session = Session(lab, policy(f"press:{spoken}[compression_ratio=0.5]"))
    session.prefill(IDS[:48])
    assert session.bytes == 3 * 2 * 2 * 8 * 24 * 4
    assert torch.allclose(session.extend(IDS[48:]), wanted.logits[0], atol=1e-5)


def test_every_press_on_offer_runs_and_at_ratio_nought_is_the_full_cache():
    need("kvpress")
    from steelyard.contenders.caches.press import presses

    lab = tiny("llama")
    full = Session(lab, CachePolicy())
    full.prefill(IDS[:48])
    wanted = full.extend(IDS[48:])
    assert {"snapkv", "pyramidkv", "streaming-llm", "knorm", "tova", "key-diff", "observed-attention"} <= set(presses())
    for name in presses():
        session = Session(lab, policy(f"press:{name}[compression_ratio=0]"))
        session.prefill(IDS[:48])
        assert torch.allclose(session.extend(IDS[48:]), wanted, atol=1e-5), name


def test_an_unknown_press_names_its_neighbours():
    need("kvpress")
    with pytest.raises(InputError, match=r"Did you mean.*snapkv"):
        policy("press:snapkw")


def test_the_static_cache_gives_the_same_logits_and_holds_its_room():
    lab, full = tiny("llama"), Session(tiny("llama"), CachePolicy())
    session = Session(lab, policy("library[kind=static,room=32]"))
    for s in (session, full):
        s.prefill(IDS[:48])
    assert session.bytes == 3 * 2 * 2 * 8 * (48 + 32) * 4
    copy = session.copy()
    assert torch.allclose(copy.extend(IDS[48:]), full.copy().extend(IDS[48:]), atol=1e-5)
    assert session.cache.seen == 48
    assert torch.allclose(session.extend(IDS[48:]), full.extend(IDS[48:]), atol=1e-5)
