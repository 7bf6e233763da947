"""Bad problem files: the message names the file, the place and the field."""

import gzip
import json

import pytest

from steelyard.benchmarks.code.humaneval.benchmark import HumanEval
from steelyard.benchmarks.code.humaneval_pro.benchmark import HumanEvalPro
from steelyard.benchmarks.code.mbpp.benchmark import Mbpp
from steelyard.benchmarks.code.records import read_records
from steelyard.core.errors import InputError, MissingError

PAIR = {
    "id": 0,
    "raw_problem": "# Return the larger of two ints.\ndef larger(a, b):\n",
    "raw_solution": "    return a if a > b else b\n",
    "new_problem": "# Return the largest int of a non-empty list.\ndef largest(xs):\n",
    "new_solution": "    m = xs[0]\n    for x in xs:\n        m = larger(m, x)\n    return m\n",
    "test_code": "assert largest([1, 5, 2]) == 5\nassert largest([-1]) == -1\n",
}


def test_json_jsonl_and_gzip_hold_the_same(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([PAIR]))
    (tmp_path / "a.jsonl").write_text("\n" + json.dumps(PAIR) + "\n\n")
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress((tmp_path / "a.jsonl").read_bytes()))
    read = [list(HumanEvalPro().cases(str(tmp_path / name))) for name in ("a.json", "a.jsonl", "a.jsonl.gz")]
    assert read[0] == read[1] == read[2]
    [case] = read[0]
    assert (case.id, case.payload.base, case.payload.new) == ("0", "larger", ("largest",))
    assert case.attributes["pair"] == "HumanEval/0"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"id": 0}\n', ["line 1", "raw_problem", "missing"]),
        (f"{json.dumps(PAIR)}\nnot json\n", ["line 2", "JSON"]),
        (f"{json.dumps(PAIR)}\n{json.dumps(PAIR)}\n", ["line 2", "'0'", "twice", "line 1"]),
        (f"{json.dumps(PAIR | {'test_code': None})}\n", ["line 1", "test_code", "not text"]),
        (f"{json.dumps(PAIR | {'raw_problem': 'x = 1'})}\n", ["line 1", "raw_problem", "no function"]),
        ("[1]\n", ["record 0", "int"]),
        ("", ["no records"]),
    ],
)
def test_faults_are_named(tmp_path, text, words):
    path = tmp_path / ("bad.json" if text.startswith("[") else "bad.jsonl")
    path.write_text(text)
    with pytest.raises(InputError) as error:
        list(HumanEvalPro().cases(str(path)))
    assert all(word in str(error.value) for word in words), str(error.value)


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "latin.jsonl"
    path.write_bytes(b'{"id": 0}\n{"id": "\xe9"}\n')
    with pytest.raises(InputError, match="line 2: is not UTF-8"):
        read_records(path, (), "id")
    path.write_bytes(b"\x1f\x8bnot gzip")
    with pytest.raises(InputError, match="cannot be read"):
        read_records(path, (), "id")


def test_a_file_or_library_that_is_not_here(tmp_path):
    with pytest.raises(MissingError, match="no such file"):
        read_records(tmp_path / "none.jsonl", (), "id")


def test_hub_needs_datasets(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingError, match="datasets") as error:
        list(HumanEvalPro().cases("hf:CodeEval-Pro/humaneval-pro"))
    assert "pip install datasets" in error.value.cure


def test_options_are_checked():
    for wrong in ({"profile": "x"}, {"timeout": 0.0}):
        with pytest.raises(InputError):
            HumanEvalPro(**wrong)
    with pytest.raises(InputError):
        HumanEval(timeout=-1.0)
    with pytest.raises(InputError):
        Mbpp(split="half")


def test_mbpp_is_one_task_under_both_of_its_ids():
    assert Mbpp().case_id(11) == Mbpp().case_id("11") == Mbpp().case_id("Mbpp/11") == "Mbpp/11"
