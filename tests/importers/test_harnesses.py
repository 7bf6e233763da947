"""lm-evaluation-harness and HELM: run folders by their layout, as version 0.4.13 and 0.5 write them, and a real run of lm-eval."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from steelyard.core.errors import InputError
from steelyard.core.words import Direction
from steelyard.pool import Pool
from steelyard.pool.importers import find
from tests.importers.taking import bring, rows

DATE = "2026-01-02T03-04-05.678901"


def lines(path: Path, records: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")


def sample(doc: int, metrics: dict[str, Any], filter: str = "none") -> dict[str, Any]:
    return {
        "doc_id": doc, "doc": {"question": f"What is {doc} plus 1?", "answer": doc + 1}, "target": str(doc + 1),
        "arguments": {"gen_args_0": {"arg_0": f"Q: What is {doc} plus 1?\nA:", "arg_1": {"until": ["\n"]}}},
        "resps": [["two"]], "filtered_resps": ["2"], "filter": filter, "metrics": list(metrics), "doc_hash": "d",
        "prompt_hash": "p", "target_hash": "t", **metrics,
    }  # fmt: skip


@pytest.fixture
def harness(tmp_path: Path) -> Path:
    folder = tmp_path / "out" / "acme__tiny"
    folder.mkdir(parents=True)
    results = {
        "results": {
            "sums": {"alias": "sums", "exact_match,strict": 0.5, "exact_match_stderr,strict": 0.5, "exact_match,loose": 1.0,
                     "exact_match_stderr,loose": 0.0},
            "prose": {"alias": "prose", "word_perplexity,none": 12.5, "word_perplexity_stderr,none": "N/A"},
            "mix": {"alias": "mix", "shine,none": 0.25},
            "all": {"alias": "all", "exact_match,strict": 0.5},
        },
        "groups": {"all": {"exact_match,strict": 0.5}},
        "versions": {"sums": 3.0, "prose": 2, "mix": 1}, "n-shot": {"sums": 5, "prose": 0, "mix": 0},
        "higher_is_better": {"sums": {"exact_match": True}, "prose": {"word_perplexity": False}, "mix": {"shine": True}},
        "config": {"model": "hf", "model_args": {"pretrained": "acme/tiny"}}, "date": 1_700_000_000.5,
        "model_name": "acme/tiny",
    }  # fmt: skip
    (folder / f"results_{DATE}.json").write_text(json.dumps(results))
    strict = [sample(0, {"exact_match": 1.0}, "strict"), sample(1, {"exact_match": 0.0}, "strict")]
    loose = [sample(0, {"exact_match": 1.0}, "loose"), sample(1, {"exact_match": 1.0}, "loose")]
    lines(folder / f"samples_sums_{DATE}.jsonl", [*strict, *loose])
    lines(folder / f"samples_prose_{DATE}.jsonl", [sample(0, {"word_perplexity": [-44.6, 5]})])
    return folder


def test_lm_eval_samples_give_the_numbers_and_aggregates_fill_in(harness: Path, tmp_path: Path) -> None:
    with Pool(tmp_path / "pool") as pool:
        told = bring(pool, harness.parent)
        found = {(b, m): v for b, m, v in rows(pool, "SELECT benchmark, metric, avg(value) FROM latest GROUP BY 1, 2")}
        results = json.loads((harness / f"results_{DATE}.json").read_text())["results"]
        assert found == {
            ("sums", "exact_match.strict"): results["sums"]["exact_match,strict"],
            ("sums", "exact_match.loose"): results["sums"]["exact_match,loose"],
            ("prose", "word_perplexity"): results["prose"]["word_perplexity,none"],
            ("mix", "shine"): results["mix"]["shine,none"],
        }
        assert told.dropped == {"no number for one case": 1}
        assert any(note.startswith("3 aggregates left out") for note in told.notes)
        assert {(b["benchmark"], b["version"], b["cases"]) for b in told.benchmarks} == {
            ("sums", "lm-eval-3.0[shots=5]", 2), ("prose", "lm-eval-2[shots=0]", 1), ("mix", "lm-eval-1[shots=0]", 1)
        }  # fmt: skip
        assert set(rows(pool, "SELECT contender, started_at FROM latest")) == {("acme/tiny", 1_700_000_000.5)}
        card = pool.card("prose")
        assert card is not None
        assert card.metrics[0].direction is Direction.LOWER
        [(attributes, artifacts)] = rows(
            pool, "SELECT DISTINCT case_attributes, artifacts FROM latest WHERE benchmark = 'sums' AND \"case\" = '1'"
        )
        assert json.loads(attributes) == {"text": "What is 1 plus 1?", "target": "2"}
        assert pool.get_blob(json.loads(artifacts)["prompt"]) == b"Q: What is 1 plus 1?\nA:"


def test_any_file_of_a_run_brings_the_whole_run_once(harness: Path) -> None:
    files = sorted(harness.iterdir())
    sources, _ = find(files)
    assert len(sources) == 1
    assert set(sources[0].files) == set(files)


def test_samples_alone_name_the_model_by_their_folder(harness: Path, tmp_path: Path) -> None:
    (harness / f"results_{DATE}.json").unlink()
    with Pool(tmp_path / "pool") as pool:
        told = bring(pool, harness)
        assert rows(pool, "SELECT DISTINCT contender, benchmark_version FROM latest") == [("acme/tiny", "lm-eval")]
        assert told.added == 4


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "mmlu:subject=anatomy,model=acme_tiny"
    folder.mkdir(parents=True)
    spec = {
        "name": "mmlu:subject=anatomy,method=multiple_choice_joint,model=acme_tiny",
        "scenario_spec": {"class_name": "helm.benchmark.scenarios.mmlu_scenario.MMLUScenario", "args": {"subject": "anatomy"}},
        "adapter_spec": {"method": "multiple_choice_joint", "max_train_instances": 5, "model": "acme/tiny", "temperature": 0.0},
        "metric_specs": [], "groups": ["mmlu"],
    }  # fmt: skip

    def stat(name: str, total: float, count: int = 1, **more: str) -> dict[str, Any]:
        mean = {"mean": total / count} if count else {}
        return {"name": {"name": name, "split": "test", **more}, "count": count, "sum": total, "sum_squared": 0, **mean}

    typos = {"name": "typos", "robustness": True, "fairness": False, "prob": 0.1}
    stats = [
        {"instance_id": "id1", "train_trial_index": 0,
         "stats": [stat("inference_runtime", 0.5), stat("exact_match", 1.0), stat("num_prompt_tokens", 30),
                   stat("training_co2_cost", 0, 0)]},
        {"instance_id": "id1", "train_trial_index": 0, "perturbation": typos, "stats": [stat("exact_match", 0.0)]},
        {"instance_id": "id2", "train_trial_index": 0, "stats": [stat("exact_match", 0.0)]},
        {"instance_id": "id2", "train_trial_index": 1, "stats": [stat("exact_match", 2.0, 4)]},
    ]  # fmt: skip
    states = [
        {"instance": {"input": {"text": f"Where is the {i}?"}, "references": [], "split": "test", "id": i},
         "train_trial_index": t, "request": {"prompt": f"P {i} {t}"}, "result": {"completions": [{"text": f"A{t}"}]}}
        for i, t in (("id1", 0), ("id2", 0), ("id2", 1))
    ]  # fmt: skip
    for name, content in (
        ("run_spec", spec),
        ("per_instance_stats", stats),
        ("scenario_state", {"request_states": states}),
    ):
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def test_helm_stats_of_each_instance_trial_and_perturbation(run: Path, tmp_path: Path) -> None:
    with Pool(tmp_path / "pool") as pool:
        told = bring(pool, run.parent)
        found = rows(pool, "SELECT \"case\", trial, value FROM latest WHERE metric = 'exact_match' ORDER BY ALL")
        assert found == [
            ("subject=anatomy/id1", 0, 1.0), ("subject=anatomy/id1/typos,prob=0.1", 0, 0.0), ("subject=anatomy/id2", 0, 0.0),
            ("subject=anatomy/id2", 1, 0.5),
        ]  # fmt: skip
        assert told.benchmarks[0]["benchmark"] == "mmlu"
        assert told.benchmarks[0]["version"] == "helm[method=multiple_choice_joint,max_train_instances=5]"
        assert told.dropped == {"no value": 1}
        card = pool.card("mmlu")
        assert card is not None
        assert card.primary.name == "exact_match"
        assert {m.name: (m.direction, m.unit) for m in card.metrics} == {
            "exact_match": (Direction.HIGHER, "1"), "inference_runtime": (Direction.LOWER, "s"),
            "num_prompt_tokens": (Direction.NONE, "1"),
        }  # fmt: skip
        [(attributes, artifacts)] = rows(
            pool, "SELECT case_attributes, artifacts FROM latest WHERE \"case\" = 'subject=anatomy/id2' AND trial = 1"
        )
        assert json.loads(attributes) == {"subject": "anatomy", "text": "Where is the id2?"}
        assert pool.get_blob(json.loads(artifacts)["output"]) == b"A1"


def test_a_helm_folder_that_lacks_its_spec_is_no_run(run: Path) -> None:
    (run / "run_spec.json").unlink()
    with pytest.raises(InputError, match="nothing to import"):
        find([run])


TASK = """
task: tiny_choice
dataset_path: json
dataset_kwargs: {data_files: {test: %s}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}\\nAnswer:"
doc_to_choice: "{{choices}}"
doc_to_target: answer
metric_list: [{metric: acc}, {metric: acc_norm}]
metadata: {version: 3.0}
"""
MODEL = """
import sys
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast
tok = Tokenizer(models.BPE())
tok.pre_tokenizer, tok.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
alphabet = pre_tokenizers.ByteLevel.alphabet()
tok.train_from_iterator(["What is one?"], trainers.BpeTrainer(vocab_size=300, special_tokens=["<|e|>"], initial_alphabet=alphabet))
fast = PreTrainedTokenizerFast(tokenizer_object=tok, eos_token="<|e|>", pad_token="<|e|>", bos_token="<|e|>")
fast.save_pretrained(sys.argv[1])
GPT2LMHeadModel(GPT2Config(vocab_size=len(fast), n_positions=256, n_embd=16, n_layer=1, n_head=2)).save_pretrained(sys.argv[1])
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_real_run_of_lm_eval_on_a_tiny_random_model(tmp_path: Path) -> None:
    if importlib.util.find_spec("lm_eval") is None:
        pytest.skip("lm_eval is not installed (pip install lm_eval transformers)")
    import os

    lines(
        tmp_path / "qa.jsonl",
        [{"question": f"What is {i}?", "choices": [str(i), "7 or so"], "answer": 0} for i in range(6)],
    )
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "tiny.yaml").write_text(TASK % (tmp_path / "qa.jsonl"))
    quiet = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf"),
             "CUDA_VISIBLE_DEVICES": ""}  # fmt: skip
    model = str(tmp_path / "tiny")
    subprocess.run([sys.executable, "-c", MODEL, model], check=True, env=quiet, capture_output=True)
    command = ["--model", "hf", "--model_args", f"pretrained={model}", "--tasks", "tiny_choice", "--include_path",
               str(tmp_path / "tasks"), "--device", "cpu", "--log_samples", "--output_path", str(tmp_path / "out")]  # fmt: skip
    done = subprocess.run([sys.executable, "-m", "lm_eval", *command], env=quiet, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    [results] = (tmp_path / "out").rglob("results_*.json")
    official = json.loads(results.read_text())["results"]["tiny_choice"]
    with Pool(tmp_path / "pool") as pool:
        told = bring(pool, tmp_path / "out")
        found = dict(rows(pool, "SELECT metric, avg(value) FROM latest GROUP BY 1"))
    assert found == {"acc": official["acc,none"], "acc_norm": official["acc_norm,none"]}
    assert (told.added, told.dropped) == (12, {})
