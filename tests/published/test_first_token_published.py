"""The published MuSiQue passages of CacheBlend as a text to learn from and to go on with, split by record."""

from tests.lab.making import tiny

from steelyard.benchmarks.serving.first_token import records
from steelyard.lab import LabModel


class Characters:
    def __call__(self, text, **_):
        return {"input_ids": [ord(c) % 101 for c in text]}


def test_the_passages_of_a_record_are_one_document(shared):
    lab = LabModel("characters", tiny("llama").model, Characters())
    documents, found, notes = records.read(lab, str(shared / "data" / "cacheblend"), 8, 64)
    assert len(documents) == 135
    assert 3.0e6 < sum(map(len, documents.values())) < 3.4e6  # as the reference card says
    assert found == []
    assert len(notes) == 10  # example_inputs has prompts in pieces, and no text of its own
    learn, held = records.split(documents)
    assert (len(learn), len(held)) == (101, 34)
    assert not set(learn) & set(held)
    made = records.windows(lab, held, 8, 256, 64)
    assert len({record.group for record in made}) == 8
    assert all((len(record.prompt), len(record.fed)) == (256, 64) for record in made)
