"""Program repair: reading seeds, preparing them, and what counts as fixed and broken."""

import json

import pytest

from steelyard.benchmarks.code.program_repair.benchmark import ProgramRepair, of_trail
from steelyard.benchmarks.code.program_repair.prepare import HEADER, prepared, whole
from steelyard.benchmarks.code.program_repair.seeds import Repair
from steelyard.core.errors import InputError, MissingError
from tests.conftest import need

PROBLEM = {
    "task_id": "T/1", "entry_point": "inc", "prompt": 'def inc(x):\n    """Add one."""\n',
    "given_tests": ["assert inc(1) == 2", "assert False", "assert other(1)"],
    "test": "def check(candidate):\n    assert candidate(5) == 6\n", "canonical_solution": "    return x + 1\n",
}  # fmt: skip
SEED = {"task_id": "T/1", "solution": "def inc(x):\n    return x - 1\n", "is_solved": False}


def write(folder, problem=PROBLEM, seed=SEED, seeds="seeds_t_m.jsonl"):
    (folder / "problems_t.jsonl").write_text(json.dumps(problem) + "\n")
    (folder / seeds).write_text(json.dumps(seed) + "\n")
    return str(folder)


def test_the_published_verdict_of_our_own_seeds_is_what_running_them_gives():
    need("bwrap")
    bench = ProgramRepair(timeout=2.0)
    for case in bench.cases():
        output = f"```python\n{case.payload.seed}```"
        assert bench.score(case, output, prepare=False).metrics["pass_at_1"] == case.payload.solved, case.id
        assert bench.score(case, bench.reference(case)).metrics["pass_at_1"] == 1.0, case.id


def test_place_numbers_right_and_wrong_seeds_apart():
    cases = list(ProgramRepair().cases())
    assert len(cases) == 20
    for name, solved, count in (("own", True, 4), ("own", False, 10), ("own-translation", True, 3)):
        cell = [
            c.attributes["place"] for c in cases if (c.attributes["dataset"], c.attributes["solved"]) == (name, solved)
        ]
        assert sorted(cell) == list(range(count))


def test_only_visible_tests_that_call_the_function_are_visible(tmp_path):
    (case,) = ProgramRepair().cases(write(tmp_path))
    assert ProgramRepair().visible_tests(case) == ["assert inc(1) == 2"]
    assert case.id == "m:T/1"
    assert case.group == "T/1"


def test_the_hidden_tests_stand_in_no_prompt_and_the_source_does():
    for case in ProgramRepair().cases():
        (message,) = ProgramRepair().prompt(case)
        assert "check(" not in message.content
        assert ("```cpp" in message.content) == (case.attributes["dataset"] == "own-translation")
        assert "negate_it" not in message.content, "the worked example of a translation prompt is not the task"


REPAIR = Repair("inc", 'def two(x):\n    return 2\n\n\ndef inc(x):\n    """Add one."""\n', (), "", "")


def test_preparing_adds_prompt_helpers_and_docstring():
    assert whole(REPAIR, "    return x") == REPAIR.prompt + "    return x"
    text = prepared(REPAIR, "def inc(x):\n    return x + 1\n")
    assert text == 'def two(x):\n    return 2\n\ndef inc(x):\n    """Add one."""\n    return x + 1\n'
    assert prepared(REPAIR, text) == text
    assert prepared(REPAIR, "def inc(x: return") == "def inc(x: return", "what does not parse is left alone"


def test_a_translation_gets_nothing_but_the_header():
    problem = Repair("inc", "[code]\n...", (), "", "", source="int inc ( int x ) ;")
    assert prepared(problem, "def f(): pass") == "def f(): pass"
    assert "import math" in HEADER


def test_fixed_and_broken_compare_with_the_seed_as_published(tmp_path):
    need("bwrap")
    (case,) = ProgramRepair().cases(write(tmp_path))
    bench = ProgramRepair()
    fixed = bench.score(case, "Here:\n```python\ndef inc(x):\n    return x + 1\n```").metrics
    assert (fixed["fixed"], fixed["broken"], fixed["fixed_minus_broken"]) == (1, 0, 1)
    visible = bench.score(case, "```python\ndef inc(x):\n    return 2\n```").metrics
    assert (visible["pass_at_1"], visible["visible_only"]) == (0, 1)
    for output in ("", "no code at all", "def inc(x): return x + 1"):
        assert bench.score(case, output).metrics["pass_at_1"] == 0


TRAIL = {
    "programs": [],
    "by": "tests",
    "judged": [False, False, True],
    "turns": 3,
    "tokens": 400,
    "stopped": "judged right",
}


def test_turn_by_turn_by_hand():
    got = of_trail(TRAIL, [False, True, False, True, False, True], 1.0)
    assert [got[f"newly_fixed_{k}"] for k in ("1", "2", "3", "later")] == [1, 0, 1, 1]
    assert [got[f"newly_broken_{k}"] for k in ("1", "2", "3", "later")] == [0, 1, 0, 1]
    assert got["fixed_minus_broken_per_1000_tokens"] == 2.5
    assert got["false_correct_stop"] == 0
    assert "first_verdict_right" not in got
    assert of_trail(TRAIL, [True, False], -1.0)["false_correct_stop"] == 1
    assert "fixed_minus_broken_per_1000_tokens" not in of_trail({**TRAIL, "tokens": 0}, [True], 0.0)
    judged = of_trail({**TRAIL, "by": "model", "judged": [True]}, [False], 0.0)
    assert judged["first_verdict_right"] == 0


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"problem": {**PROBLEM, "given_tests": "assert inc(1)"}}, "problems_t.jsonl, line 1: field 'given_tests'"),
        ({"problem": {**PROBLEM, "test": "assert inc(1)"}}, "defines no check"),
        ({"problem": {k: v for k, v in PROBLEM.items() if k != "prompt"}}, "field 'prompt' is missing"),
        ({"seed": {**SEED, "task_id": "T/2"}}, "'T/2' is no problem of t"),
        ({"seed": {**SEED, "is_solved": "no"}}, "field 'is_solved' is 'no'"),
        ({"seeds": "seeds_other_m.jsonl"}, "there is no problems_other.jsonl"),
        ({"seeds": "seeds_t.jsonl"}, "the name says no model"),
    ],
)
def test_bad_files_are_named(tmp_path, changes, says):
    with pytest.raises(InputError) as error:
        list(ProgramRepair().cases(write(tmp_path, **changes)))
    assert says in str(error.value)


def test_a_missing_folder_is_named(tmp_path):
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(MissingError) as error:
            list(ProgramRepair().cases(str(path)))
        assert str(path) in str(error.value)
