"""Predictions files: every fault is named with its line."""

import gzip
import json

import pytest

from steelyard.core.errors import InputError
from steelyard.core.words import Case
from steelyard.llm.predictions import match, read_predictions


def file(tmp_path, *lines):
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines))
    return path


def test_solutions_and_completions_may_stand_in_one_file(tmp_path):
    found = read_predictions(file(tmp_path, {"id": 0, "solution": "a"}, {"id": "x", "completion": "b", "trial": 2}))
    assert [(p.case, p.trial, p.output, p.route) for p in found] == [("0", 0, "a", "chat"), ("x", 2, "b", "completion")]


def test_gzip_is_read(tmp_path):
    path = tmp_path / "out.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"id": 1, "solution": "s"}\n'))
    assert read_predictions(path)[0].output == "s"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{", "line 2"),
        (b"\xff\xfe", "line 2"),
        ({"solution": "a"}, '"id" is missing'),
        ({"id": 1}, 'exactly one of "solution" and "completion"'),
        ({"id": 1, "solution": "a", "completion": "b"}, "solution and completion"),
        ({"id": 1, "solution": 7}, "is not text"),
        ({"id": 1, "solution": "a", "trial": "z"}, '"trial"'),
        ({"id": 0, "solution": "again"}, "stands on line 1 too"),
    ],
)
def test_a_bad_line_is_named_or_skipped(tmp_path, line, message):
    path = file(tmp_path, {"id": 0, "solution": "a"}, line)
    with pytest.raises(InputError) as error:
        read_predictions(path)
    assert message in str(error.value)
    assert f"{path}, line 2" in str(error.value)
    told = []
    assert len(read_predictions(path, told.append)) == 1
    assert len(told) == 1


def test_unknown_and_missing_ids_are_named(tmp_path):
    cases = [Case("0"), Case("1")]
    with pytest.raises(InputError, match="'7'"):
        match(cases, read_predictions(file(tmp_path, {"id": 7, "solution": "a"})), partial=True)
    some = read_predictions(file(tmp_path, {"id": 0, "solution": "a"}))
    with pytest.raises(InputError, match="1 of 2 cases have no prediction: '1'"):
        match(cases, some, partial=False)
    assert len(match(cases, some, partial=True)) == 1
