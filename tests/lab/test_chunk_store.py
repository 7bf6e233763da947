"""Stores of chunks: the least recently used goes, nothing half-written is read, several processes share a folder."""

import os
import subprocess
import sys

import pytest
import torch

from steelyard.core.errors import InputError
from steelyard.lab import chunk_store
from steelyard.lab.chunk_store import CorruptError, DiskStore, MemoryStore, Reuse, key_of
from tests.lab.making import tiny

SIZE = 2 * 2 * 5 * 8 * 4 * 3  # bytes of `layers`


def layers(value, dtype=torch.float32):
    return [torch.full((2, 2, 5, 8), float(value + i), dtype=dtype) for i in range(3)]


def test_memory_drops_what_was_used_longest_ago():
    store = MemoryStore(2 * SIZE)
    store.put("a", layers(1))
    store.put("b", layers(2))
    assert store.get("a").bytes == SIZE
    store.put("c", layers(3))
    assert store.get("b") is None
    assert torch.equal(store.get("a").layer(2), layers(1)[2])
    assert store.bytes == 2 * SIZE
    store.put("large", [torch.zeros(2, 2, 500, 8)])
    assert store.get("large") is None
    assert store.bytes == 2 * SIZE


def test_disk_drops_what_was_used_longest_ago_and_stays_within_its_room(tmp_path):
    store = DiskStore(tmp_path, 3 * SIZE)  # a file is a little larger than its numbers: two fit
    for when, (key, value) in enumerate((("a", 1), ("b", 2))):
        store.put(key, layers(value))
        os.utime(store.path(key), (when, when))
    assert torch.equal(store.get("a").layer(1), layers(1)[1])
    store.put("c", layers(3))
    assert store.get("b") is None
    assert store.get("a") is not None
    assert store.bytes <= 3 * SIZE


def test_an_entry_that_is_open_outlives_its_eviction(tmp_path):
    store = DiskStore(tmp_path, 3 * SIZE)
    store.put("a", layers(1))
    held = store.get("a")
    store.path("a").unlink()
    assert torch.equal(held.layer(0), layers(1)[0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_flipped_byte_of_the_numbers_is_seen(tmp_path, dtype):
    store = DiskStore(tmp_path, 100 * SIZE)
    for at in (-1, -SIZE // 4, -SIZE // 2 + 1):
        store.put("a", layers(1, dtype))
        raw = bytearray(store.path("a").read_bytes())
        raw[at] ^= 1
        store.path("a").write_bytes(raw)
        entry = store.get("a")
        with pytest.raises(CorruptError):
            [entry.layer(i) for i in range(3)]
        assert store.get("a") is None


@pytest.mark.parametrize("raw", [b"", b"nothing of the kind", b"\xff" * 200])
def test_a_file_that_is_no_entry_goes(tmp_path, raw):
    store = DiskStore(tmp_path, SIZE)
    store.path("a").write_bytes(raw)
    with pytest.raises(CorruptError):
        store.get("a")
    assert store.get("a") is None


def test_numbers_that_are_none_are_not_stored(tmp_path):
    wrong = [torch.full((2, 2, 5, 8), float("nan"))]
    for store in (MemoryStore(SIZE), DiskStore(tmp_path, SIZE)):
        with pytest.raises(InputError, match="not numbers"):
            store.put("a", wrong)


def test_a_full_disk_loses_nothing_but_the_entry(tmp_path, monkeypatch):
    store = DiskStore(tmp_path, 100 * SIZE)
    store.put("a", layers(1))
    monkeypatch.setattr(chunk_store.os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
    store.put("b", layers(2))
    assert store.get("b") is None
    assert store.get("a") is not None
    assert not list(tmp_path.glob("*.part"))


def test_what_a_killed_process_left_half_written_goes_in_time(tmp_path):
    (tmp_path / "x.part").write_bytes(b"half")
    os.utime(tmp_path / "x.part", (0, 0))
    (tmp_path / "y.part").write_bytes(b"being written")
    DiskStore(tmp_path, 100 * SIZE).put("a", layers(1))
    assert [p.name for p in tmp_path.glob("*.part")] == ["y.part"]


PROCESS = """
import sys, random, torch
from pathlib import Path
from steelyard.lab.chunk_store import DiskStore
torch.set_num_threads(1)
store, rng = DiskStore(Path(sys.argv[1]), int(sys.argv[2])), random.Random(sys.argv[3])
for _ in range(60):
    value = rng.randrange(6)
    entry = store.get(str(value))
    if entry is None:
        store.put(str(value), [torch.full((2, 2, 5, 8), float(value + i)) for i in range(3)])
    else:
        assert all(float(entry.layer(i).amin()) == float(entry.layer(i).amax()) == value + i for i in range(3))
"""


def test_processes_share_a_folder_that_is_too_small_for_them(tmp_path):
    room = 4 * SIZE
    started = [
        subprocess.Popen([sys.executable, "-c", PROCESS, str(tmp_path), str(room), str(i)], stderr=subprocess.PIPE)
        for i in range(2)
    ]
    assert [(p.communicate(timeout=120)[1].decode(), p.returncode) for p in started] == [("", 0)] * 2
    assert DiskStore(tmp_path, room).bytes <= room


def test_an_entry_that_is_evicted_while_it_is_opened_is_not_there(tmp_path, monkeypatch):
    store = DiskStore(tmp_path, 4 * SIZE)
    store.put("a", [torch.zeros(4)])
    opened = torch.UntypedStorage.from_file

    def late(name, *rest, **options):
        store.drop("a")
        return opened(name, *rest, **options)

    monkeypatch.setattr(torch.UntypedStorage, "from_file", late)
    assert store.get("a") is None


def test_an_entry_is_of_one_model_its_dtype_and_its_rotation():
    lab, ids = tiny("llama"), [1, 2, 3]
    keys = {
        key_of(lab, ids),
        key_of(lab, ids, []),
        key_of(lab, ids, [4]),
        key_of(lab, [1, 2]),
        key_of(tiny("llama", 1), ids),
    }
    other = tiny("llama", 2)
    keys.add(key_of(other, ids))
    del other.fingerprint
    other.config.rope_parameters["rope_theta"] = 77.0
    keys.add(key_of(other, ids))
    del other.fingerprint
    other.model.to(torch.bfloat16)
    keys.add(key_of(other, ids))
    assert len(keys) == 8
    tiny.cache_clear()


def test_the_pipeline_formula():
    taken = Reuse(load_s=[2.0, 5.0, 1.0], compute_s=[3.0, 4.0, 6.0])
    assert taken.pipeline_s == 2 + 5 + 4 + 6  # by hand: load 0, then max(3, 5), max(4, 1), 6
