"""HumanEval: gold and the published verdicts of a real model's outputs, all 164."""

import gzip
import json

from tests.conftest import need

from steelyard.benchmarks.code.humaneval.benchmark import HumanEval


def test_every_reference_passes_and_every_published_verdict_is_ours(shared):
    need("bwrap")
    folder = shared / "data" / "code-exec-base"
    cases = {case.id: case for case in HumanEval().cases(str(folder / "HumanEval.jsonl.gz"))}
    assert len(cases) == 164
    for case in cases.values():
        assert HumanEval().score(case, HumanEval().reference(case)).metrics["pass_at_1"] == 1.0, case.id
    with gzip.open(folder / "qwen2.5-coder-1.5b-base_humaneval.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    ours = {
        r["task_id"]: HumanEval().score(cases[r["task_id"]], r["completion"], route="completion").metrics["pass_at_1"]
        for r in rows
    }
    assert {t: v == 1.0 for t, v in ours.items()} == {r["task_id"]: r["published_base_status"] == "pass" for r in rows}
    assert sum(ours.values()) == 72
