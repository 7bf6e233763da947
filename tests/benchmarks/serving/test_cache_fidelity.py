"""Cache fidelity: the full cache is at the ceiling, texts are cut without overlap, files are read, answers are its own."""

import gzip
import json
import math

import pytest
import torch

from steelyard.benchmarks.serving.cache_fidelity.benchmark import CacheFidelity
from steelyard.benchmarks.serving.cache_fidelity.texts import windows
from steelyard.contenders.caches.bfp import BFP
from steelyard.contenders.caches.elastic import Elastic
from steelyard.contenders.caches.full import Full
from steelyard.core.errors import InputError, MissingError
from steelyard.core.words import Status
from steelyard.lab import LabModel
from steelyard.lab.fidelity import rouge_l
from tests.lab.making import tiny


class Letters:
    """A letter a token."""

    chat_template = None
    eos_token_id = None

    def __call__(self, text, **_):
        return {"input_ids": [ord(c) % 101 for c in text]}

    def decode(self, ids, **_):
        return " ".join(map(str, ids))


LAB = LabModel("letters", tiny("llama").model, Letters())


def bench(**options):
    made = CacheFidelity(**{"model": "letters", "length": 60, "more": 12, "windows": 3, **options})
    made.__dict__["lab"] = LAB
    return made


def numbers(outcome):
    return outcome.metrics


def test_the_full_cache_is_itself():
    made = bench()
    case = made.cases(None)[0]
    found = numbers(made.measure(Full(), case, 0))
    assert (found["kl"], found["top1_agreement"], found["perplexity_ratio"], found["cache_share"]) == (0, 1, 1, 1)
    with torch.no_grad():
        scores = LAB.model(torch.tensor([case.payload.prompt + case.payload.continuation])).logits[0].log_softmax(-1)
    nll = -sum(float(scores[59 + i, t]) for i, t in enumerate(case.payload.continuation)) / 12
    assert found["perplexity"] == pytest.approx(math.exp(nll), rel=1e-5)


def test_smaller_caches_are_smaller_and_further_away():
    made = bench()
    case = made.cases(None)[1]
    four, eight = (numbers(made.measure(BFP(m=m, n=8, tensors="kv"), case, 0)) for m in (4, 8))
    assert four["cache_share"] == pytest.approx((4 + 1) / 32)
    assert four["kl"] > eight["kl"] > 0
    half = numbers(made.measure(Elastic(ratio=0.5), case, 0))
    assert half["cache_share"] == pytest.approx(0.5, abs=0.02)
    assert half["length_error"] < 1


def test_a_method_that_cannot_run_is_a_failed_row():
    made = bench()
    assert made.measure(BFP(n=3), made.cases(None)[0], 0).status is Status.FAILED


def test_answers_of_the_full_cache_are_its_own_greedy_text():
    made = bench(answer="full")
    found = numbers(made.measure(Full(), made.cases(None)[0], 0))
    assert (found["rouge_l"], found["same_prefix"], found["top1_agreement"]) == (1, 1, 1)


def test_windows_do_not_overlap_and_take_turns():
    made = windows(LAB, {"a": "x" * 50, "b": "abcdefghij" * 5}, 4, 15, 5)
    assert [(r.id, r.group) for r in made] == [("a/0", "a"), ("b/0", "b"), ("a/1", "a"), ("b/1", "b")]
    assert made[3].prompt + made[3].continuation == LAB.encode("abcdefghij" * 2)


def test_files(tmp_path):
    place = tmp_path / "asked.jsonl.gz"
    rows = [
        {"id": 5, "question": "Describe the mill.", "answer": "It is red."},
        {"id": 6, "question": "And?", "answer": ""},
        {"x": 1},
    ]
    place.write_bytes(gzip.compress("\n".join([*map(json.dumps, rows), "{"]).encode()))
    made = bench()
    cases = made.cases(str(place))
    assert [c.id for c in cases] == ["5", "6"]
    assert len(made.notes) == 2
    assert "kl" in numbers(made.measure(Full(), cases[1], 0))  # an answer that is made first
    text = tmp_path / "book.txt"
    text.write_text("word " * 60)
    assert len(bench().cases(str(text))) == 3
    with pytest.raises(MissingError):
        made.cases(str(tmp_path / "none.txt"))
    text.write_text("short")
    with pytest.raises(InputError, match="as long as"):
        made.cases(str(text))


def test_the_recall_model_knows_its_answers_and_half_a_cache_costs_some():
    made = CacheFidelity(windows=2, length=100)
    cases = made.cases(None)
    full = [numbers(made.measure(Full(), case, 0)) for case in cases]
    assert all(f["recall"] == 1 for f in full)
    less = [numbers(made.measure(Elastic(ratio=0.8), case, 0)) for case in cases]
    assert sum(x["recall"] for x in less) < 2


def test_rouge_is_that_of_the_package():
    assert rouge_l(["a", "b", "c"], ["a", "b", "c"]) == 1
    # LCS 2 of 4 and 3: recall 0.5, precision 2/3, beta 4/3: (1 + 16/9) (1/3) / (0.5 + (16/9)(2/3)) = 0.5495
    assert rouge_l(["a", "b", "c", "d"], ["a", "x", "c"]) == pytest.approx((25 / 9 / 3) / (0.5 + 32 / 27))
    assert rouge_l([], ["a"]) == rouge_l(["a"], []) == rouge_l(["a"], ["b"]) == 0
