"""SCBench: scores of the card's examples, both modes against fresh prompts, generated sessions, official files."""

import functools
import json
import random

import pytest
import torch
import transformers

from steelyard import catalog
from steelyard.benchmarks.serving.scbench.benchmark import SCBench
from steelyard.benchmarks.serving.scbench.generate import generate
from steelyard.benchmarks.serving.scbench.metrics import (
    character_f1,
    choice,
    math_find,
    repeated_function,
    rouge_lsum,
    score,
)
from steelyard.benchmarks.serving.scbench.prompts import Prompts, prompts, reference
from steelyard.benchmarks.serving.scbench.protocol import converse
from steelyard.benchmarks.serving.scbench.records import TASKS, Record, Turn, read
from steelyard.contenders.generators.simple import Gold
from steelyard.core.errors import InputError
from steelyard.core.spec import parse_spec
from steelyard.lab import CachePolicy, Session, from_model
from steelyard.lab.recall import TASKS as RECALL
from steelyard.lab.recall import WordTokenizer
from tests.conftest import need
from tests.lab.making import SMALL


@functools.cache
def lab():
    """A random model that reads the recall language."""
    torch.manual_seed(4)
    torch.set_num_threads(1)
    config = transformers.LlamaConfig(**{**SMALL, "vocab_size": 514, "max_position_embeddings": 1024})
    return from_model(transformers.LlamaForCausalLM(config), WordTokenizer(), "random")


def bench(**options):
    made = SCBench(**options)
    made.__dict__["lab"] = lab()
    return made


def turn(task, answer, **facts):
    return Turn("", answer, f"scbench_{task}", **facts)


def worth(task, answer, said, profile="sound", **facts):
    record = Record("r", f"scbench_{task}", "", ())
    return score(record, turn(task, answer, **facts), said, profile)


def test_substring_and_names():
    assert worth("kv", "e514", 'The value is "e514".') == 1
    assert worth("kv", "e514", "E514") == 0
    assert worth("vt", ["ABCDE", "FGHIJ", "KLMNO"], "abcde and klmno") == 0.67
    assert worth("qa_eng", ["cellar", "attic"], "In the CELLAR.") == 1
    assert worth("passkey", "0042", "It is 42") == 0
    assert worth("passkey", "42", "the key 42, not 43") == 1


@pytest.mark.parametrize(
    ("said", "right"),
    [("", 0), ("B", 1), ("C. mill", 0), ("mill", 1), ("The answer is B.", 1), ("The answer is: C", 0), ("I think B", 1),
     ("the answer is", 0), ("perhaps AB", 0), ("the word AB here", 0)],
)  # fmt: skip
def test_choice_follows_the_released_rules(said, right):
    assert choice(said, ("mill", "B")) == right


def test_numbers_are_cut_and_signs_not_seen():
    assert math_find("about 98.7", 98) == 1
    assert math_find("-98", 98) == 1
    assert math_find("98.5", 98.5) == 1
    assert math_find("none", 98) == 0


def test_letter_by_letter_scoring_is_the_release_s_and_gone_by_default():
    need("rouge_score")
    assert worth("qa_chn", "图书馆", "在图书馆里面", "published") == pytest.approx(0.286, abs=5e-4)
    assert worth("qa_chn", "图书馆", "在图书馆里面") == pytest.approx(2 / 3)
    assert worth("many_shot", "zura miko", "z", "published") == 1
    assert worth("many_shot", "zura miko", "z") == 0
    assert character_f1("图书馆。", "图书馆") == 1


def test_rouge_lsum_of_three_of_four_words_is_three_quarters():
    need("rouge_score")
    assert rouge_lsum("the mill is old", "the mill is red") == pytest.approx(0.75)
    assert rouge_lsum("", "the mill") == 0


def test_a_function_counts_when_it_is_the_one_asked_for_and_like_enough():
    need("nltk")
    record = generate("scbench_repoqa", 1, 300, 2)[0]
    (name, source), (_, other) = record.needles[:2]
    assert repeated_function(f"Here:\n```python\n{source}\n\nprint(1)\n```", name, record) == 1
    assert repeated_function(f"```\n{other}\n```", name, record) == 0
    assert repeated_function("", name, record) == 0


@pytest.mark.parametrize("task", TASKS)
def test_references_score_one_and_nothing_scores_nought(task):
    for record in generate(task, 2, 200, 5):
        assert len(record.turns) == 5
        for one in record.turns:
            assert score(record, one, reference(one)) == 1
            assert score(record, one, "") == 0
    assert generate(task, 1, 200, 5) == generate(task, 1, 200, 5)


@pytest.mark.parametrize("task", RECALL)
def test_recall_contexts_hold_their_answers_where_they_say(task):
    record = generate(f"scbench_{task}", 1, 120, 5, "recall")[0]
    words = record.context.split()
    assert 96 <= len(words) <= 120
    for one in record.turns:
        answer = one.answer.split()[-1] if isinstance(one.answer, str) else one.answer[-1]
        found = words.index(answer) / len(words)
        assert task in ("vt", "many_shot") or abs(found - one.depth) < 0.05


def test_a_label_that_does_not_fit_names_its_record():
    with pytest.raises(InputError, match=r"r: the label"):
        worth("choice_eng", "mill", "B", options=("a", "b", "c", "d"))


def one_session(mode):
    record = generate("scbench_kv", 1, 60, 3, "recall")[0]
    return prompts(lab(), record, mode, 900)


def test_multi_request_asks_each_question_of_the_same_context():
    said = one_session("multi-request")
    heard = converse(lab(), CachePolicy(), said, "multi-request", [4] * 3)
    for index, question in enumerate(said.questions):
        fresh = Session(lab(), CachePolicy())
        fresh.prefill([*said.first, *question])
        assert torch.allclose(fresh.score(said.answers[index]), heard[index].logits, atol=1e-5)
    assert [h.counts.tokens_reused > 0 for h in heard] == [True] * 3


def test_multi_turn_keeps_reference_answers_and_forgets_its_own():
    said = one_session("multi-turn")
    heard = converse(lab(), CachePolicy(), said, "multi-turn", [4] * 3)
    fresh = Session(lab(), CachePolicy())
    golden = [*said.first, *said.questions[0], *said.answers[0], *said.ends, *said.questions[1]]
    fresh.prefill(golden)
    assert heard[1].bytes == fresh.bytes
    assert torch.allclose(fresh.score(said.answers[1]), heard[1].logits, atol=1e-5)
    own = converse(lab(), CachePolicy(), said, "multi-turn", [4] * 3, golden=False)
    fresh = Session(lab(), CachePolicy())
    fresh.prefill([*said.first, *said.questions[0], *own[0].output, *said.ends, *said.questions[1]])
    assert torch.allclose(fresh.score(said.answers[1]), own[1].logits, atol=1e-5)


def test_only_the_first_turn_of_multi_turn_sees_its_question_when_it_compresses():
    snapkv = catalog.make_contender(parse_spec("snapkv[keep=12,window=2]"), "cache")
    said = one_session("multi-turn")
    session = Session(lab(), snapkv)
    session.prefill([*said.first, *said.questions[0]], question=2)
    asked = session.cache.layers[0].positions
    other = Prompts(said.first, [said.questions[1], said.questions[0]], said.answers[1::-1], said.ends, 0, [False] * 2)
    session = Session(lab(), snapkv)
    session.prefill([*other.first, *other.questions[0]], question=2)
    assert not torch.equal(asked, session.cache.layers[0].positions)


def test_the_full_cache_is_identical_to_itself_and_costs_what_it_costs():
    made = bench(contexts=1, length=96)
    cases = made.cases(None)
    assert len(cases) == 4 * 5
    assert {c.attributes["task"] for c in cases} == {f"scbench_{t}" for t in RECALL}
    full = catalog.make_contender(parse_spec("full"), "cache")
    first, second = (made.measure(full, c, 0).metrics for c in cases[:2])
    assert (first["kl"], first["identical_to_full"], first["cache_share"], first["score_change"]) == (0, 1, 1, 0)
    assert "change_since_first" not in first
    assert second["change_since_first"] == 0
    assert first["cache_bytes"] == 3 * 2 * 2 * 8 * 98 * 4  # 96 words and a question of two


def test_a_method_that_did_not_apply_says_so():
    made = bench(contexts=1, length=96)
    case = made.cases(None)[1]  # the first token of a first answer comes from the prompt itself, before compression
    whole = catalog.make_contender(parse_spec("snapkv[keep=1000]"), "cache")
    assert made.measure(whole, case, 0).metrics["identical_to_full"] == 1
    part = catalog.make_contender(parse_spec("snapkv[keep=8]"), "cache")
    assert made.measure(part, case, 0).metrics["identical_to_full"] == 0


def test_a_method_that_cannot_run_is_a_failed_case_and_not_the_end():
    made = bench(contexts=1, length=96)
    broken = catalog.make_contender(parse_spec("kivi[group=16,residual=8]"), "cache")
    outcome = made.measure(broken, made.cases(None)[0], 0)
    assert outcome.status == "failed"
    assert "residual" in outcome.error


def test_overflowing_logits_are_a_failed_case():
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Broken(CachePolicy):
        def read(self, layer):
            return layer.keys, layer.values * float("nan")

    made = bench(contexts=1, length=96)
    assert "overflow" in made.measure(Broken(), made.cases(None)[0], 0).error


def test_gold_replays_references():
    made = bench(contexts=1, length=96)
    assert {made.measure(Gold(), c, 0)["score"] for c in made.cases(None)} == {1}


def test_long_contexts_lose_their_middle_and_say_which_answers_went():
    record = generate("scbench_kv", 1, 200, 5, "recall")[0]
    said = prompts(lab(), record, "multi-turn", 102)
    whole = lab().encode(record.context)
    assert said.first == whole[:50] + whole[-50:]
    assert said.cut == len(whole) - 100
    kept = lab().decode(said.first)
    assert said.lost == [t.answer not in kept for t in record.turns]


def official(tmp_path, **changed):
    raw = {"id": 3, "context": '{"a1f3": "77c0", "b2d9": "e514"}', "multi_turns": [
        {"input": 'Key: "b2d9"\nThe value is', "answer": "e514"}, {"input": 'Key: "a1f3"\nThe value is', "answer": "77c0"}]}  # fmt: skip
    file = tmp_path / "scbench_kv.jsonl"
    file.write_text(json.dumps({**raw, **changed}) + "\n")
    return str(tmp_path)


def test_official_files_are_read(tmp_path):
    records, notes = read(official(tmp_path))
    assert records[0].id == "scbench_kv/3"
    assert [t.answer for t in records[0].turns] == ["e514", "77c0"]
    assert notes == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"multi_turns": [{"input": "x"}]}, r"line 1, turn 1: field 'input' or 'answer'"),
     ({"multi_turns": [{"input": "x", "answer": ""}]}, r"turn 1: field 'answer' is ''"),
     ({"multi_turns": [{"input": "x", "answer": None}]}, r"field 'answer' is None")],
)  # fmt: skip
def test_bad_records_name_line_turn_and_field(tmp_path, changed, said):
    with pytest.raises(InputError, match=said):
        read(official(tmp_path, **changed))


def test_mixed_tasks_need_a_task_a_turn_and_unknown_files_are_refused(tmp_path):
    file = tmp_path / "scbench_repoqa_and_kv.jsonl"
    file.write_text(json.dumps({"id": 1, "context": "x", "multi_turns": [{"input": "a", "answer": "b"}]}))
    with pytest.raises(InputError, match="field 'task' is missing"):
        read(str(tmp_path))
    with pytest.raises(InputError, match=r"no scbench_TASK"):
        read(str(tmp_path / "nothing"))


def test_the_recall_model_refuses_official_texts(tmp_path):
    with pytest.raises(InputError, match="model=smollm2"):
        bench().cases(official(tmp_path))


def test_the_recall_language_is_seeded():
    from steelyard.lab.recall import make

    assert make("vt", 64, random.Random(1)) == make("vt", 64, random.Random(1))
