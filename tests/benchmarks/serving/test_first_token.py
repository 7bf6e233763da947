"""First token: costs by hand, the floor and the ceiling, TriviaQA as its harness scores it, data of users, equal budgets."""

import gzip
import json
import random

import pytest
import torch

from steelyard import catalog
from steelyard.benchmarks.serving.first_token import records, tiny, trivia
from steelyard.benchmarks.serving.first_token.benchmark import FirstToken
from steelyard.core.errors import InputError, MissingError
from steelyard.core.spec import parse_spec
from steelyard.lab import LabModel, recall
from steelyard.lab.training import IGNORED
from tests.lab.making import tiny as random_model


def test_every_answer_follows_from_the_context_and_the_facts():
    truth, names = tiny.facts().object, set()
    for index in range(20):
        words, questions = tiny.document(random.Random(index), 30, 16, range(tiny.SUBJECTS))
        subjects = {w[0]: int(w[1:]) for w in words if w[0] in tiny.KINDS}
        assert len(subjects) == sum(w[0] in tiny.KINDS for w in words) == len(tiny.KINDS)
        assert len({q for q, _ in questions}) == 16
        for question, answer in questions:
            assert answer == f"o{truth[question[1], subjects[question[1]], int(question[2])]:02}"
        names |= {w for w in words if w[0] in tiny.KINDS}
    assert len(names) > 20


def test_what_is_asked_is_never_learnt_from():
    """The base has met every subject; who learns later meets those that the cases leave, and the cases the others."""
    subjects = lambda ids: {w for w in map(tiny.facts().words.__getitem__, ids) if w[0] in tiny.KINDS}  # noqa: E731
    learnt = set().union(*(subjects(tiny.batch(0, step).ids.flatten().tolist()) for step in range(20)))
    known = set().union(
        *(subjects(tiny.growing(0, step).ids.flatten().tolist()) for step in range(tiny.STEPS - 40, tiny.STEPS))
    )
    lab = LabModel("facts", None, tiny.facts())
    asked = set().union(*(subjects(record.prompt) for record in records.facts(lab, 40, 20)))
    assert not learnt & asked
    assert learnt | asked == known
    assert len(known) == len(tiny.KINDS) * tiny.SUBJECTS


def test_batches_differ_by_seed_and_step_and_only_answers_are_learnt():
    one = tiny.batch(0, 0)
    assert torch.equal(one.ids, tiny.batch(0, 0).ids)
    assert not any(one.ids.shape == other.ids.shape and torch.equal(one.ids, other.ids) for other in (tiny.batch(0, 1), tiny.batch(1, 0)))  # fmt: skip
    objects = [tiny.facts().words[i] for i in one.labels[one.labels != IGNORED].tolist()]
    assert len(objects) == tiny.ROWS * tiny.ASKED
    assert all(word[0] == "o" for word in objects)


def test_recall_sessions_are_real_up_to_their_last_answer():
    batch = records.recall_batch(0, 3)
    for ids, labels, real in zip(batch.ids, batch.labels, batch.real, strict=True):
        last = int((labels != IGNORED).nonzero()[-1])
        assert real.tolist() == [i <= last for i in range(len(ids))]
        assert recall.WordTokenizer().words[ids[last]] == ";"


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Every kind of contender on one case of a base that has hardly learnt: costs and identities do not depend on it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("platformdirs.user_cache_path", lambda *_: tmp_path_factory.mktemp("cache"))
        patch.setattr(tiny, "STEPS", 2)
        bench = FirstToken(count=1, steps=4)
        case = bench.cases(None)[0]
        names = [
            "full", "kv-prediction", "kv-prediction[auxiliary=base,maps=identity]", "kv-prediction[auxiliary=small-2]",
            "kv-prediction[recipe=least-squares]", "kv-prediction[start=least-squares]", "auxiliary-only", "auxiliary-only[trained=false]", "token-pruning",
            "token-pruning[by=attention]", "snapkv[keep=16,window=4]",
        ]  # fmt: skip
        found = {}
        for name in names:
            contender = catalog.make_contender(parse_spec(name), "cache")
            bench.warm(contender, case)
            found[name] = bench.measure(contender, case, 0)
        yield found, case, bench


def test_the_whole_base_is_the_ceiling_of_fidelity_and_one_in_cost(measured):
    found, _, _ = measured
    full = found["full"].metrics
    assert full["relative_ttft_flops"] == 1
    assert full["kl"] == full["max_logit_difference"] == full["key_error"] == full["value_difference"] == 0
    assert full["top1_agreement"] == 1
    assert "training_tokens" not in full
    exact = found["kv-prediction[auxiliary=base,maps=identity]"].metrics
    assert exact["max_logit_difference"] < 1e-5
    assert exact["key_error"] < 1e-5
    assert found["kv-prediction"].metrics["kl"] > 0
    assert found["kv-prediction"].metrics["value_error"] > 0.1


def test_operations_are_those_of_the_formula(measured):
    found, case, _ = measured
    n, width, layers, words = case.attributes["prompt_tokens"], 64, 8, len(tiny.facts().words)
    layer = 2 * (width * width * 2 + width * (width // 2) * 2 + 3 * width * 2 * width)  # q, o; k, v; feed-forward
    attention = lambda tokens: 4 * width * tokens * (tokens + 1) // 2  # noqa: E731
    head = 2 * width * words
    full = layers * (layer * n + attention(n)) + head
    maps = 2 * (width // 2) ** 2 * 2 * layers * (n - 1)
    step = layers * (layer + 4 * width * n) + head
    assert found["full"].metrics["ttft_flops"] == full
    assert found["auxiliary-only"].metrics["ttft_flops"] == 4 * (layer * n + attention(n)) + head
    predicted = 4 * (layer * (n - 1) + attention(n - 1)) + maps + step
    assert found["kv-prediction"].metrics["ttft_flops"] == predicted
    assert found["kv-prediction"].metrics["relative_ttft_flops"] == predicted / full
    kept = n // 2
    assert found["token-pruning"].metrics["ttft_flops"] == layers * (layer * kept + attention(kept)) + head
    early = 2 * (layer * n + attention(n)) + 6 * (layer * kept + attention(kept)) + head
    assert found["token-pruning[by=attention]"].metrics["ttft_flops"] == early
    assert found["snapkv[keep=16,window=4]"].metrics["relative_ttft_flops"] == 1  # it forgets after the prompt


def test_all_that_learn_have_had_the_same_tokens(measured):
    found, _, bench = measured
    training = bench.training(0)
    tokens = sum(training.batch(step).tokens for step in range(4))
    learnt = {name: outcome.metrics.get("training_tokens") for name, outcome in found.items()}
    assert {name for name, had in learnt.items() if had} == {
        "kv-prediction", "kv-prediction[auxiliary=small-2]", "kv-prediction[recipe=least-squares]", "kv-prediction[start=least-squares]",
        "auxiliary-only",
    }  # fmt: skip
    assert {had for had in learnt.values() if had} == {tokens}


def test_weights_of_both_models_and_the_maps_are_counted(measured):
    found, _, bench = measured
    lab = bench.lab
    base = sum(p.numel() for p in lab.model.parameters())
    half = base - 4 * sum(p.numel() for p in lab.layers[0].parameters())
    maps = 8 * 2 * (32 * 32 + 32)
    assert found["full"].metrics["weight_bytes"] == 4 * base
    assert found["auxiliary-only"].metrics["weight_bytes"] == 4 * half
    assert found["kv-prediction"].metrics["weight_bytes"] == 4 * (base + half + maps)


def test_errors_of_each_layer_are_kept(measured):
    found, _, _ = measured
    layers = json.loads(found["kv-prediction"].artifacts["cache_error"])
    mean = sum(layer["value_error"] for layer in layers) / 8
    assert len(layers) == 8
    assert found["kv-prediction"].metrics["value_error"] == pytest.approx(mean)


def test_what_cannot_run_is_a_failure_that_says_why(measured):
    _, case, bench = measured
    contender = catalog.make_contender(parse_spec('kv-prediction[layer_map="0 1"]'), "cache")
    bench.warm(contender, case)
    outcome = bench.measure(contender, case, 0)
    assert outcome.status == "failed"
    assert "2 entries, the base 8 layers" in outcome.error


def test_the_summary_says_who_is_on_the_front():
    class Values:
        def __init__(self, name, cost, loss, others=()):
            self.contender, self.others = name, others
            self._found = {
                "relative_ttft_flops": {"a": cost, "b": cost},
                "continuation_nll": {"a": loss - 1, "b": loss + 1},
            }

        def __call__(self, metric):
            return self._found[metric]

    others = [Values("cheap", 0.2, 4.0), Values("dear", 1.0, 2.0)]
    rows = [FirstToken().summary(Values("mine", 0.6, loss, others)) for loss in (2.5, 3.5, 4.5)]
    assert [row["nll of the others there"] for row in rows] == [3.0, 3.0, 3.0]  # half way between the two
    assert [row["on the front"] for row in rows] == ["yes", "yes", "no"]
    assert FirstToken().summary(Values("alone", 1.0, 2.0)) == {}


@pytest.mark.parametrize(
    ("said", "right"),
    [
        (" Paris\nQuestion: next", 1), (" paris.", 1), (" Paris, of course", 1), ("Lutetia", 1), (" the Paris", 0), ("", 0), (" Pa-ris", 1),
    ],
)  # fmt: skip
def test_trivia_is_scored_as_by_its_harness(said, right):
    item = trivia.question(
        "q", {"question": "capital of France?", "answer": {"value": "Paris", "aliases": ["Lutetia", "Paris"]}}
    )
    assert item.answers == ("Paris", "Lutetia")
    assert trivia.exact_match(said, item.answers) == right
    assert trivia.prompt(item, [item]) == (
        "Question: capital of France?\nAnswer: Paris\nQuestion: capital of France?\nAnswer:"
    )


class Letters:
    """Characters as tokens, few enough for a random model."""

    eos_token_id = None

    def __call__(self, text, **_):
        return {"input_ids": [ord(c) % 101 for c in text]}

    def decode(self, ids, **_):
        return "".join(map(chr, ids))


def test_lines_of_every_kind_are_read_and_bad_ones_named(tmp_path):
    lab = LabModel("letters", random_model("llama").model, Letters())
    with gzip.open(tmp_path / "some.jsonl.gz", "wt") as file:
        for row in (
            {"id": 7, "prompt": "red=4 blue=9 green=2 | blue=", "answer": "9"}, {"id": 8, "context": "abc", "continuation": "defgh"},
            {"id": "t", "text": "a document"}, {"ctxs": [{"title": "A", "text": "b"}]}, {"what": 1},
        ):  # fmt: skip
            file.write(json.dumps(row) + "\n")
        file.write("{\n")
    (tmp_path / "more.txt").write_text("another")
    documents, found, notes = records.read(lab, str(tmp_path), 9, 3)
    assert documents == {"more": "another", "some/t": "a document", "some/4": "A\nb"}
    assert [(r.id, len(r.prompt), len(r.fed), r.exact) for r in found] == [
        ("some/7", 28, 1, True),
        ("some/8", 3, 3, False),
    ]
    assert [note.partition(": ")[0].rpartition("/")[2] for note in notes] == [
        "some.jsonl.gz, line 5",
        "some.jsonl.gz, line 6",
    ]
    with pytest.raises(MissingError, match="holds no text"):
        records.read(lab, str(tmp_path / "nothing"), 1, 1)
    (tmp_path / "bad.jsonl").write_text('{"question": "q", "answer": {"aliases": []}}')
    with pytest.raises(InputError, match=r"bad/1: its answer has no value"):
        records.read(lab, str(tmp_path / "bad.jsonl"), 1, 1)


def test_trivia_questions_after_the_shots_are_asked(tmp_path):
    lab = LabModel("letters", random_model("llama").model, Letters())
    rows = [{"question": f"{i}?", "answer": {"value": "x", "aliases": ["y"]}} for i in range(8)]
    (tmp_path / "trivia.jsonl").write_text("\n".join(map(json.dumps, rows)))
    _, found, _ = records.read(lab, str(tmp_path / "trivia.jsonl"), 2, 1)
    assert [r.id for r in found] == ["trivia/6", "trivia/7"]
    assert lab.decode(found[0].prompt).count("Q") == 6
    assert found[0].aliases == ("x", "y")
    raw = {"Data": [{"Question": r["question"], "Answer": {"Value": "x", "Aliases": ["y"]}} for r in rows]}
    (tmp_path / "trivia.json").write_text(json.dumps(raw))
    assert records.read(lab, str(tmp_path / "trivia.json"), 2, 1)[1] == found


def test_documents_are_learnt_from_or_measured_whole():
    documents = {str(i): "abcdefgh" * (i + 1) for i in range(9)}
    learn, held = records.split(documents)
    assert learn | held == documents
    assert list(held) == ["0", "4", "8"]
    lab = LabModel("letters", random_model("llama").model, Letters())
    found = records.windows(lab, held, 9, 6, 2)
    assert found[0].prompt + found[0].fed == lab.encode("abcdefgh")
    assert {r.group for r in found} == {"0", "4", "8"}
    batch = records.text_batches(lab, learn, 8)[1](0, 1)
    assert batch.ids.shape == (records.WINDOWS, 8)
    with pytest.raises(InputError, match="one document"):
        records.split({"a": "b"})
    with pytest.raises(InputError, match="has 999 tokens"):
        records.text_batches(lab, learn, 999)


@pytest.mark.parametrize("wrong", [{"dtype": "fp8"}, {"count": 0}, {"seeds": 0}, {"rate": -1.0}, {"steps": -2}])
def test_wrong_options_are_refused(wrong):
    with pytest.raises(InputError):
        FirstToken(**wrong)


def test_a_context_without_room_for_its_subjects_is_refused():
    with pytest.raises(InputError, match="3 words do not hold 4 subjects"):
        records.facts(LabModel("facts", None, tiny.facts()), 1, 3)


def test_own_models_speak_no_other_language(tmp_path):
    with pytest.raises(InputError, match="does not speak"):
        FirstToken().cases(str(tmp_path))
