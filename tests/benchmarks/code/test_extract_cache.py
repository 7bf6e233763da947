"""The ladder that finds a program in an answer, and the verdicts kept on disk."""

from pathlib import Path

import pytest

from steelyard.benchmarks.code import cache
from steelyard.benchmarks.code.extract import Extraction, Rung, climb, fences

LADDER: list[Rung] = [
    ("fence", "a fence that says python", lambda answer: next(iter(fences(answer, ["python"])), None)),
    ("heuristic", "from the first def", lambda answer: answer[answer.index("def ") :] if "def " in answer else None),
]


def test_the_first_rung_that_applies_is_told() -> None:
    assert climb("Here:\n```python\nx = 1\n```\nDone.", LADDER) == Extraction("x = 1\n", "fence", LADDER[0][1])
    assert climb("So: def f(): pass", LADDER) == Extraction("def f(): pass", "heuristic", LADDER[1][1])
    assert climb("I cannot do that.", LADDER).rung == "none"


def test_fences() -> None:
    answer = "a\n```java\nclass A {}\n```\n```\nbare\n```\n```Java\nclass B {}"
    assert fences(answer, ["java"]) == ["class A {}\n", "class B {}"]
    assert fences(answer, ["java", ""]) == ["class A {}\n", "bare\n", "class B {}"]
    assert fences(answer) == ["class A {}\n", "bare\n", "class B {}"]
    assert fences("no fence", ["java"]) == []
    assert fences("```x = 1```\ny = 2\n```\nz = 3\n```") == ["z = 3\n"], "a line with a second ` opens nothing"


def test_a_verdict_is_judged_once_and_a_timeout_every_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    judged = []

    def judge(value: str, keep: bool) -> tuple[str, bool]:
        judged.append(value)
        return value, keep

    for _ in range(2):
        assert cache.verdict({"program": "a", "limit": 3}, lambda: judge("passed", True)) == "passed"
        assert cache.verdict({"program": "b", "limit": 3}, lambda: judge("timeout", False)) == "timeout"
    assert judged == ["passed", "timeout", "timeout"]
    assert cache.verdict({"program": "a", "limit": 4}, lambda: judge("wrong", True)) == "wrong"
    next(tmp_path.rglob("*.json")).write_text("{")  # a torn file is no verdict
    next(iter(sorted(tmp_path.rglob("*.json"), reverse=True))).write_text("{")
    assert cache.verdict({"program": "a", "limit": 3}, lambda: judge("again", True)) == "again"


def test_it_can_be_turned_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.VARIABLE, "off")
    assert [cache.verdict("x", lambda n=n: (n, True)) for n in (1, 2)] == [1, 2]
