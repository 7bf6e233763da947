"""CacheBlend's own inputs: what the reference says of them, and the prompts that are made of them."""

import pytest
from tests.conftest import lacking

from steelyard.benchmarks.serving.chunk_reuse.benchmark import ChunkReuse
from steelyard.benchmarks.serving.chunk_reuse.requests import prompt_of, read
from steelyard.catalog.models import find_model, path_of


def test_the_published_records_are_read_whole(shared):
    requests = read(str(shared / "data" / "cacheblend"))
    musique = [r for r in requests if r.source == "musique_s"]
    examples = [r for r in requests if r.source == "example_inputs"]
    assert (len(musique), len(examples)) == (135, 10)
    assert {len(r.passages) for r in musique} == {10}
    assert {len(r.passages) for r in examples} == {5, 6}  # four of them have five, though six are announced
    assert {len(r.answers) for r in musique} == {1}
    assert all(1892 <= len(p.strip()) <= 2825 for r in musique for p in r.passages)


@pytest.mark.slow
def test_four_passages_are_about_two_and_a_half_thousand_tokens_of_smollm2(shared):
    found = find_model("smollm2")
    if found is None or not path_of(found).is_file():
        lacking("SmolLM2 is not here: steelyard models pull smollm2")
    lab = ChunkReuse(model="smollm2").lab
    musique = [r for r in read(str(shared / "data" / "cacheblend")) if r.source == "musique_s"][:8]
    tokens = [len(prompt_of(lab, r, 4, lab.context).ids) for r in musique]
    assert sum(tokens) / 8 == pytest.approx(2488, rel=0.06)
