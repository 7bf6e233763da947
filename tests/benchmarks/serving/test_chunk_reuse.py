"""Chunk reuse: F1 by hand and as released, requests that share passages, and methods whose cost and fidelity are known."""

import gzip
import json

import pytest

from steelyard import catalog
from steelyard.benchmarks.serving.chunk_reuse.benchmark import ChunkReuse
from steelyard.benchmarks.serving.chunk_reuse.metrics import f1
from steelyard.benchmarks.serving.chunk_reuse.requests import PEOPLE, generate, prompt_of, question_of, read
from steelyard.core.errors import InputError
from steelyard.core.spec import parse_spec
from steelyard.lab.chunk_store import store_at


@pytest.mark.parametrize(
    ("said", "answer", "sound", "published"),
    [
        ("\n\nThe Old Tom.\nand more", "Old Tom", 1, 1), ("old", "Old Tom", 2 / 3, 2 / 3), ("", "Old Tom", 0, 0),
        ("Old old Tom", "Old Tom", 0.8, 0.8), ("the", "a", 1, 1), ("Mary", "Old Tom", 0, 0),
        ("Normandy", "Normandy", 1, 0), ("Yes, he does", "yes", 1, 1), ("yesterday", "yesterday", 1, 0),
        ("No.", "no", 1, 1), ("Nobody", "no", 0, 1),
    ],
)  # fmt: skip
def test_f1(said, answer, sound, published):
    assert f1(said, [answer]) == pytest.approx(sound)
    assert f1(said, ["something else", answer], "published") == pytest.approx(published)


def test_generated_answers_stand_in_one_passage_once_and_repeat():
    requests = generate(4, 3, 60)
    assert requests == generate(4, 3, 60)
    for request in requests:
        fact = request.asked.partition("did ")[2].partition("?")[0].replace(" put ", " put ")
        assert sum(p.count(f"{fact} in the {request.answers[0]}") for p in request.passages) == 1
        assert sum(p.count(fact) for p in request.passages) == 1
        assert all(40 < len(p.split()) < 80 for p in request.passages)


def test_long_passages_have_about_as_many_words_as_asked_for():
    (request,) = generate(1, 10, 500)
    assert all(400 < len(p.split()) < 600 for p in request.passages)
    assert sum(request.asked.count(p) for p in PEOPLE) == 1


def test_questions_are_put_as_published():
    assert question_of("Who runs the mill") == "who runs the mill?"


def test_the_cards_made_up_record_is_read_and_bad_lines_are_named(tmp_path):
    record = {
        "question": "who runs the mill that anna visited?", "answers": ["Old Tom"],
        "ctxs": [{"title": "", "text": "Anna went to the red mill."}, {"title": "", "text": "Old Tom runs the red mill."}],
    }  # fmt: skip
    with gzip.open(tmp_path / "musique_s.jsonl.gz", "wt") as file:
        file.write(json.dumps(record))
    (request,) = read(str(tmp_path))
    assert request.passages == ("\n\nAnna went to the red mill.\n\n", "\n\nOld Tom runs the red mill.\n\n")
    assert "who runs the mill that anna visited?" in request.asked
    (tmp_path / "more.jsonl").write_text('{"id": 1, "chunks": ["a"], "query": "b"}\n{"ctxs": []}\n')
    with pytest.raises(InputError, match=r"more.jsonl, line 2"):
        read(str(tmp_path))


def test_passages_that_do_not_fit_are_dropped_from_the_end():
    bench = ChunkReuse()
    request = generate(1, 4, 40)[0]
    whole = prompt_of(bench.lab, request, 0, 4000)
    short = prompt_of(bench.lab, request, 0, len(whole.ids) - 1)
    assert (short.dropped, short.chunks, short.question) == (1, whole.chunks[:-1], whole.question)
    assert prompt_of(bench.lab, request, 2, 4000).chunks == whole.chunks[:3]
    with pytest.raises(InputError, match="no passage fits"):
        prompt_of(bench.lab, request, 0, 50)


@pytest.fixture(scope="module")
def measured():
    """Two passages, every method once; then the same request again."""
    store_at.cache_clear()
    bench = ChunkReuse(requests=1, passages=3, words=22, most=2)
    case = bench.cases(None)[0]
    names = [
        "full",
        "prefix-cache",
        "blend[ratio=0]",
        "blend",
        "blend[ratio=1]",
        "blend[variant=released]",
        "blend[ratio=0.5]",
    ]
    made = {name: catalog.make_contender(parse_spec(name), "cache") for name in names}
    found = {name: bench.measure(policy, case, 0) for name, policy in made.items()}
    return found, case, bench.measure(made["prefix-cache"], case, 1)


def test_the_identity_is_identical_and_reuse_as_it_is_is_not(measured):
    found, _, _ = measured
    for name in ("full", "blend[ratio=1]"):
        assert found[name]["identical_to_full"] == 1
        assert (
            found[name]["mean_kl_suffix"]
            == found[name]["value_deviation"]
            == found[name]["log_probability_change"]
            == 0
        )
    assert found["prefix-cache"]["mean_kl_suffix"] < 1e-6
    far = [found[name]["mean_kl_suffix"] for name in ("blend[ratio=0]", "blend[ratio=0.5]", "blend[ratio=1]")]
    assert far[0] > far[1] > far[2] == 0
    assert "mean_kl_suffix" not in found["blend[variant=released]"]  # most of the question has no logits there
    assert found["blend[variant=released]"]["kl_answer"] > 0


def test_costs_are_those_of_the_formulas(measured):
    found, case, _ = measured
    prompt = case.payload[1]
    tokens, asked, first = len(prompt.ids), len(prompt.question), len(prompt.chunks[0])
    assert found["full"]["token_layer_share"] == 1
    assert found["full"]["tokens_computed"] == tokens
    assert found["blend[ratio=0]"]["tokens_computed"] == asked
    assert found["blend[ratio=0]"]["loaded_bytes"] == 8 * 2 * 2 * 16 * 4 * (tokens - asked)
    assert found["prefix-cache"]["tokens_computed"] == tokens - first  # the introduction only is a common beginning
    share = found["blend"]["token_layer_share"]
    assert share == pytest.approx((2 * tokens + 6 * (asked + 0.16 * (tokens - asked))) / (8 * tokens), abs=0.02)
    assert found["blend[ratio=0]"]["flops"] < found["blend"]["flops"] < found["full"]["flops"]


def test_prefix_caching_stores_a_passage_once_for_each_beginning(measured):
    found, case, again = measured
    prompt = case.payload[1]
    per_token, first = 8 * 2 * 2 * 16 * 4, len(prompt.chunks[0])
    context = sum(prompt.lengths)
    assert found["blend"]["stored_bytes"] == found["blend[ratio=0]"]["stored_bytes"] == per_token * context
    assert found["prefix-cache"]["stored_bytes"] == per_token * (2 * context - first)
    assert again["tokens_computed"] == found["prefix-cache"]["tokens_computed"]  # what was timed is not stored


def test_the_deviation_of_neighbouring_layers_goes_together(measured):
    found, _, _ = measured
    assert -1 <= found["blend[ratio=0]"]["spearman_r"] <= 1
    assert "spearman_r" not in found["full"]


@pytest.mark.parametrize("wrong", [{"profile": "x"}, {"dtype": "fp8"}, {"requests": 0}, {"words": 3}])
def test_wrong_options_are_refused(wrong):
    with pytest.raises(InputError):
        ChunkReuse(**wrong)
