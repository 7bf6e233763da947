"""The loading controller: by hand from given times, and on stores whose loading is really slow or fast."""

import os
import time

import pytest

from steelyard import catalog
from steelyard.core.errors import InputError
from steelyard.core.spec import parse_spec
from steelyard.lab import Session, chunk_store, loading
from steelyard.lab.loading import cheapest, hiding_ratio
from tests.lab.making import tiny

CHUNKS, ASKED = (40, 60), 10
IDS = [(7 * i * i + 3 * i) % 101 for i in range(sum(CHUNKS) + ASKED)]


@pytest.mark.parametrize(
    ("load_s", "prefill_s", "ratio"),
    [
        # 7B in fp16, 32 layers, 4,096 tokens: 64 MiB a layer; at 2 GiB/s 31.25 ms. A layer takes 100 ms to compute.
        (64 / 2048, 0.1, 0.3125),
        (64 / 16384, 0.1, 0.15),  # 16 GiB/s: 3.9 ms are hidden by the least
        (64 / 256, 0.1, 1.0),  # 256 MiB/s: loading is slower than computing all of it
    ],
)
def test_the_ratio_is_where_recomputing_takes_as_long_as_loading(load_s, prefill_s, ratio):
    assert hiding_ratio(load_s, prefill_s, 0.15) == pytest.approx(ratio)


def test_the_cheapest_storage_that_is_hidden_is_taken_and_the_fastest_where_none_is():
    slow, middle, fast = 0.25, 64 / 2048, 64 / 16384
    assert cheapest([slow, middle, fast], 0.1, 0.15) == 2  # 15 ms hide 3.9 ms, not 31 ms
    assert cheapest([slow, middle, fast], 0.1, 0.32) == 1
    assert cheapest([slow, middle], 0.1, 0.15) == 1
    assert cheapest([middle, slow], 10.0, 0.15) == 0


def run(lab, text, folder=""):
    chosen = catalog.make_contender(parse_spec(text), "cache")
    if folder:
        object.__setattr__(chosen, "folder", folder)
    session = Session(lab, chosen)
    session.prefill(IDS, ASKED, CHUNKS)
    return session.cache.state["reuse"]


@pytest.fixture
def slow_disk(monkeypatch):
    """A layer of a file whose path has `slow` in it takes 100 ms more to load."""
    read = chunk_store._File.layer

    def slowly(self, index):
        time.sleep(0.1 if "slow" in str(self._path) else 0)
        return read(self, index)

    monkeypatch.setattr(chunk_store._File, "layer", slowly)
    monkeypatch.setattr(loading, "_chosen", {})
    chunk_store.store_at.cache_clear()


def test_more_is_recomputed_from_a_slow_disk_and_the_least_from_memory(slow_disk, tmp_path):
    lab = tiny("llama")
    where = str(tmp_path / "slow")
    for _ in range(2):  # the first request stores the chunks
        reuse = run(lab, "blend[ratio=0.2,filter=fixed,control=true,store=disk]", where)
    assert reuse.ratio == hiding_ratio(reuse.load_s[1], reuse.compute_s[0], 0.2) > 0.2  # a layer takes some ms
    assert reuse.kept == int(reuse.ratio * sum(CHUNKS) + 1e-9) + ASKED
    for _ in range(2):
        reuse = run(lab, "blend[ratio=0.9,filter=fixed,control=true]")
    assert reuse.ratio == hiding_ratio(reuse.load_s[1], reuse.compute_s[0], 0.9)
    assert reuse.kept == int(reuse.ratio * sum(CHUNKS) + 1e-9) + ASKED


def test_storage_is_chosen_by_what_loading_and_computing_take(slow_disk, tmp_path):
    lab = tiny("llama")
    folders = os.pathsep.join([str(tmp_path / "slow"), str(tmp_path / "slower")])
    computed = lab.counts.copy()
    reuse = run(lab, "blend[ratio=1,store=cheapest]", folders)
    assert reuse.tier == 3  # memory: neither folder is hidden
    assert (lab.counts - computed).tokens_computed == sum(CHUNKS) + len(IDS)  # probing is not counted
    assert not list(tmp_path.rglob("*.safetensors"))
    folders = os.pathsep.join([str(tmp_path / "fast"), str(tmp_path / "slow")])
    # as if a layer took 100 ms
    hooks = [layer.mlp.register_forward_hook(lambda *_: time.sleep(0.1)) for layer in lab.layers]
    assert run(lab, "blend[ratio=1,store=cheapest]", folders).tier == 1
    for hook in hooks:
        hook.remove()
    assert len(list((tmp_path / "fast").glob("*.safetensors"))) == len(CHUNKS)
    assert not run(lab, "blend").tier


def test_nothing_to_choose_from_is_refused():
    with pytest.raises(InputError, match="nothing to choose from"):
        run(tiny("llama"), "blend[store=cheapest]")
