"""Records of files that a user names: three forms, and what is none of them is told."""

import gzip
import json

import pytest

from steelyard.core.errors import InputError
from steelyard.lab.texts import rows

RECORDS = [{"Text": "one"}, {"Text": "two"}]
WANTED = [(1, {"text": "one"}), (2, {"text": "two"})]


def test_lines_packed_lines_lists_and_triviaqa_give_the_same(tmp_path):
    lines = "".join(json.dumps(r) + "\n" for r in RECORDS)
    (tmp_path / "a.jsonl").write_text(lines)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    (tmp_path / "c.json").write_text(json.dumps(RECORDS))
    (tmp_path / "d.json").write_text(json.dumps({"Data": RECORDS}))
    for file in sorted(tmp_path.iterdir()):
        notes = []
        assert list(rows(file, notes)) == WANTED
        assert notes == []


def test_what_is_no_record_is_told(tmp_path):
    file, notes = tmp_path / "a.jsonl", []
    file.write_text('{"text": "one"}\nno\n[3]\n')
    assert list(rows(file, notes)) == WANTED[:1]
    assert [note.partition(": ")[0].removeprefix(f"{file}, ") for note in notes] == ["line 2", "record 3"]
    (tmp_path / "b.json").write_text("{")
    with pytest.raises(InputError, match=r"b.json: not JSON"):
        list(rows(tmp_path / "b.json", notes))
