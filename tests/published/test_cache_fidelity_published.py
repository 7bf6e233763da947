"""Windows of CacheBlend's passages: whole, without overlap, a question's passages a group."""

from tests.benchmarks.serving.test_cache_fidelity import Letters
from tests.lab.making import tiny

from steelyard.benchmarks.serving.cache_fidelity.texts import read
from steelyard.lab import LabModel


def test_passages_of_musique(shared):
    lab = LabModel("letters", tiny("llama").model, Letters())
    path = shared / "data" / "cacheblend" / "musique_s.jsonl.gz"
    records, notes = read(lab, str(path), 40, 200, 56)
    assert notes == []
    assert len(records) == 40
    assert {(len(r.prompt), len(r.continuation)) for r in records} == {(200, 56)}
    assert len({r.group for r in records}) == 40  # 150 questions are there: the first window of each comes first
