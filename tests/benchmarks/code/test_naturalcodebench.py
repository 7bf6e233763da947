"""NaturalCodeBench on its own problems: ladders, verdicts, both languages, and answers that go wrong in every known way."""

import csv
import json
import math
from pathlib import Path
from typing import ClassVar

import pytest

from steelyard import catalog
from steelyard.benchmarks.code.naturalcodebench import answers, build, ranks
from steelyard.benchmarks.code.naturalcodebench.benchmark import NaturalCodeBench, bucket, totals
from steelyard.core.errors import InputError
from steelyard.core.words import Case
from tests.conftest import need

FOLDER = Path(build.__file__).parent


@pytest.fixture(autouse=True)
def _kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need("bwrap")
    need("tree-sitter-java")
    monkeypatch.setenv("STEELYARD_VERDICTS", str(tmp_path / "verdicts"))


def case(identity: str, **options: object) -> tuple[NaturalCodeBench, Case]:
    bench = NaturalCodeBench(**options)  # type: ignore[arg-type]
    return bench, next(one for one in bench.cases(None) if one.id == identity)


def need_java() -> None:
    need("javac")
    need("bwrap")


def test_languages_are_joined_and_domains_mapped() -> None:
    cases = list(NaturalCodeBench().cases(None))
    assert len(cases) == 14
    assert {one.group for one in cases} == {f"python/{n}" for n in range(1, 5)} | {f"java/{n}" for n in range(1, 4)}
    assert all(one.payload.domain == one.payload.twin_domain for one in cases)
    assert {one.id for one in NaturalCodeBench(language="java", natural_language="zh").cases(None)} == {
        "java/zh/1", "java/zh/2", "java/zh/3",
    }  # fmt: skip
    with pytest.raises(InputError, match="unknown language 'jva'"):
        NaturalCodeBench(language="jva")


@pytest.mark.parametrize(
    ("answer", "text", "rung"),
    [
        ("[Python]\nx = 1\n[/Python] bye", "\nx = 1\n", "tag"),
        ("[Python]\nx = 1", "\nx = 1", "tag"),
        ("Sure:\n```python\nx = 1\n```\nand\n```python\ny = 2\n```", "\nx = 1\n", "fence"),
        ("```python\nmark = '```'\n```", "\nmark = '```'\n", "fence"),
        ("```\nx = 1\n```", "\nx = 1\n", "fence"),
        ("So import os\nclass A: pass", "import os\nclass A: pass", "heuristic"),
        ("Here: class A: pass", "class A: pass", "heuristic"),
        ("def f(): pass", "def f(): pass", "heuristic"),
        ("I cannot.", "", "none"),
        ("", "", "none"),
    ],
)
def test_the_python_ladder(answer: str, text: str, rung: str) -> None:
    found = answers.extract(answer, "python")
    assert (found.text, found.rung) == (text, rung)


@pytest.mark.parametrize(
    ("answer", "text", "rung"),
    [
        ("[Java]class A {}[/Java]", "class A {}", "tag"),
        ("```java\nclass A {}\n```\nthen\n```\nclass B {}\n```", "class A {}\n\nclass B {}\n", "fence"),
        ("Use public class A { } as shown.", "public class A { }", "heuristic"),
        ("no code", "", "none"),
    ],
)
def test_the_java_ladder(answer: str, text: str, rung: str) -> None:
    found = answers.extract(answer, "java")
    assert (found.text, found.rung) == (text, rung)


def test_java_is_cut_into_types() -> None:
    source = "package x;\nimport java.util.List;\ninterface A {}\npublic class B implements A { class Inner {} }\nclass BTest { @Test void t() {} }"
    found = answers.cut(source)
    assert set(found.files) == {"A.java", "B.java", "BTest.java"}
    assert found.tests == ("BTest",)
    assert all("import java.util.List;" in text and "package" not in text for text in found.files.values())
    hidden = answers.Java({"BTest.java": "hidden"}, ("BTest",))
    assert answers.program(found, hidden, keep_tests=False)["BTest.java"] == "hidden"


@pytest.mark.parametrize("identity", ["python/en/3", "java/zh/3"])
def test_the_reference_passes_and_nothing_does_not(identity: str) -> None:
    if identity.startswith("java"):
        need_java()
    bench, one = case(identity)
    gold = bench.score(one, bench.reference(one))
    assert (gold.metrics["pass_at_1"], gold.metrics["pass_rate"], gold.metrics["tests"]) == (1, 1, 3), gold
    assert gold.artifacts["extraction"].startswith("fence")
    assert gold.metrics["label_disagrees"] == 0
    empty = bench.score(one, "")
    assert (empty.metrics["pass_at_1"], empty.metrics["no_code"], empty.error.split(":")[0]) == (0, 1, "NoCode")


RIGHT = "def merge_intervals(intervals):\n    out = []\n    for a, b in sorted(intervals):\n        if out and a <= out[-1][1]:\n            out[-1] = (out[-1][0], max(b, out[-1][1]))\n        else:\n            out.append((a, b))\n    return out\n"


@pytest.mark.parametrize(
    ("program", "error", "rate"),
    [
        (RIGHT.replace("<=", "<"), "AssertionError", 0.75),
        (RIGHT.replace("sorted(", "sortd("), "RuntimeError", 0.0),
        (RIGHT.replace("return out", "return out)"), "SyntaxError", 0.0),
        ("import nowhere\n" + RIGHT, "RuntimeError", 0.0),
        ("x = 1", "RuntimeError", 0.0),
        ("import os\nos._exit(0)", "EarlyExit", 0.0),
        ("while True: pass", "Timeout", 0.0),
        (RIGHT + "class Testmerge_intervals:\n    def test_touch(self): pass\nreversed_ = 1\nmerge_intervals = lambda x: []", "AssertionError", 0.25),
        (RIGHT + "@pytest.fixture(autouse=True)\ndef skipping():\n    pytest.skip('all')", "NoTests", 0.0),
        ("import _pytest.python as p\np.Function.runtest = lambda self: None\nmerge_intervals = None", "AssertionError", 0.0),
        (RIGHT.replace("<=", "<") + "import gc\nfor x in gc.get_objects():\n    if isinstance(x, dict) and 'word' in x: x['tests'] = ''", "AssertionError", 0.75),
        (RIGHT + "open('test_case.py', 'a').write('#')", "AssertionError", 0.0),
    ],
)  # fmt: skip
def test_what_goes_wrong_in_python(program: str, error: str, rate: float) -> None:
    bench, one = case("python/en/4", timeout=6.0)
    found = bench.score(one, f"```python\n{program}\n```")
    assert found.error.partition(":")[0] == error, found
    assert found.metrics["pass_at_1"] == 0
    assert found.metrics["pass_rate"] == rate


def test_input_is_fed_and_windows_and_the_network_are_not_there() -> None:
    bench, one = case("python/en/4", timeout=20.0)
    asks = "x = input()\nassert x == '1'\nimport socket\ntry:\n    socket.create_connection(('1.1.1.1', 53), 1)\n    RAISE\nexcept OSError:\n    pass\n"
    assert bench.score(one, f"```python\n{asks}{RIGHT}```").metrics["pass_at_1"] == 1


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (("0.95", "0.9"), "AssertionError"),
        (("return factor", "return factr"), "CompileError"),
        (("double factor", "if (pieces > 9) throw new IllegalStateException(); double factor"), "ExecutionError"),
        (("public class Discount {", "package shop;\nclass Discount {"), ""),
        (("public class Discount {", "class DiscountTest { @Test void few() {} }\npublic class Discount {"), ""),
        (("if (pieces < 0)", "System.exit(0); if (pieces < 0)"), "EarlyExit"),
        (("public class Discount", "Of course!\npublic class Discount"), "CompileError"),
        (("class Discount {", "class Rebate {"), "CompileError"),
    ],
)
def test_what_goes_wrong_in_java(change: tuple[str, str], error: str) -> None:
    need_java()
    bench, one = case("java/en/1", timeout=60.0)
    found = bench.score(one, bench.reference(one).replace(*change))
    assert found.error.partition(":")[0] == error, found
    assert found.metrics["pass_at_1"] == float(not error)


def test_the_released_scorer_loses_answers_without_code() -> None:
    for profile, status in (("sound", "ok"), ("published", "unsupported")):
        bench, one = case("python/en/4", profile=profile)
        assert bench.score(one, bench.replay("half-empty", one, 0)).status == status


def test_buckets_and_totals() -> None:
    assert [bucket(rate) for rate in (0, 0.29, 0.3, 0.6, 1)] == ["0%", "(0%, 30%)", "[30%, 60%)", "[60%, 100%)", "100%"]
    passed = {"python/en/1": 1.0, "python/en/2": 0.0, "java/en/1": 1.0, "python/zh/1": 1.0, "java/zh/1": 0.0}
    assert totals(passed) == {"zh": 0.5, "en": 0.75, "total": 0.625}
    assert totals({"python/en/1": 1.0}) == {}


def test_rank_shifts_share_ties() -> None:
    found, tau = ranks.shifts({"a": 3, "b": 2, "c": 1}, {"a": 1, "b": 2, "c": 2, "d": 9})
    assert [(one.name, one.here, one.other, one.shift) for one in found] == [
        ("a", 1, 3, 2),
        ("b", 2, 1.5, -0.5),
        ("c", 3, 1.5, -1.5),
    ]
    assert tau == pytest.approx(-2 / math.sqrt(3 * 2))  # 0 concordant, 2 discordant pairs, one tie in the second
    assert ranks.shifts({}, {})[0] == []


class Held:
    """What a pool has of three models and the references: the share of two cases passed here, and on humaneval."""

    of: ClassVar = {"gold": (1, 1), "a": (1, 0), "b": (0.5, 0.5), "c": (0, 1)}

    def __init__(self, contender: str, there: bool = True) -> None:
        self.contender, self.there = contender, there

    @property
    def others(self) -> list["Held"]:
        return [Held(name) for name in self.of if name != self.contender]

    def __call__(self, metric: str, other: str = "") -> dict[str, float]:
        if other and not self.there:
            return {}
        share = self.of[self.contender][bool(other)]
        return {"python/en/1": min(1.0, 2 * share), "python/en/2": max(0.0, 2 * share - 1)}


def test_ranks_against_another_benchmark_stand_in_the_summary() -> None:
    said = {name: NaturalCodeBench().summary(Held(name)).get("rank against humaneval") for name in Held.of}
    assert said == {
        "gold": None,
        "a": "+2 (rank 1 here, 3 there, of 3; tau-b of all -1.00)",
        "b": "+0 (rank 2 here, 2 there, of 3; tau-b of all -1.00)",
        "c": "-2 (rank 3 here, 1 there, of 3; tau-b of all -1.00)",
    }
    assert "rank against humaneval" not in NaturalCodeBench().summary(Held("a", there=False))


def test_published_pairs_and_the_domain_table() -> None:
    with (FOLDER / "published.csv").open(encoding="utf-8", newline="") as file:
        rows = [row | {"attributes": json.loads(row["attributes"])} for row in csv.DictReader(file)]
    models = {
        r["contender"]: (100 * float(r["value"]), r["attributes"]["humaneval"])
        for r in rows
        if r["metric"] == "pass_at_1"
    }
    pairs = [r for r in rows if r["contender"] == "pairs"]
    assert len(models) == 12
    assert len(pairs) == 66
    for row in pairs:
        one, other = (models[name] for name in row["case"].split("/"))
        assert float(row["value"]) == pytest.approx(abs(one[0] - other[0]))
        assert row["attributes"]["humaneval_gap"] == pytest.approx(abs(one[1] - other[1]))
    for row in rows:
        if row["contender"] == "sum-of-splits":
            assert int(row["value"]) == row["attributes"]["development"] + row["attributes"]["test"]


GOOD_TESTS = "def test_touch():\n    assert merge_intervals([(3, 4), (1, 3)]) == [(1, 4)]\n\n\ndef test_apart():\n    assert merge_intervals([(5, 6), (1, 2)]) == [(1, 2), (5, 6)]\n\n\ndef test_inside():\n    assert merge_intervals([(1, 9), (2, 3)]) == [(1, 9)]\n"


@pytest.mark.parametrize(
    ("solution", "tests", "reason"),
    [
        (RIGHT, GOOD_TESTS, ""),
        (RIGHT, "def test_nothing():\n    merge_intervals([])\n", "the tests pass on a stub"),
        (RIGHT, "def test_empty():\n    assert merge_intervals([]) == []\n", "only 0% of 2 mutants"),
        (RIGHT.replace("return out", "return list(reversed(out))"), "def test_apart():\n    assert merge_intervals([(5, 6), (1, 2)]) == [(5, 6), (1, 2)]\n", "the tests refuse the published reference"),
        (RIGHT, "def test_wrong():\n    assert merge_intervals([]) == [1]\n", "the tests do not pass on their own solution"),
        (RIGHT, "", "the answer does not hold two"),
    ],
)  # fmt: skip
def test_the_construction_pipeline(solution: str, tests: str, reason: str) -> None:
    bench, one = case("python/en/4", task="build", timeout=20.0)
    found = bench.score(
        one, f"```python\n{solution}```\n```python\n{tests}```" if tests else f"```python\n{solution}```"
    )
    assert found.error.startswith(reason)
    assert found.metrics["pass_at_1"] == float(not reason), found
    if not reason:
        assert found.metrics["line_coverage"] == found.metrics["branch_coverage"] == 1
        assert found.metrics["mutants_killed"] == 1
        assert json.loads(found.artifacts["record"])["testcases"] == tests


def test_the_construction_pipeline_in_java() -> None:
    need_java()
    bench, one = case("java/en/1", task="build")
    found = bench.score(one, bench.reference(one))
    assert found.metrics["pass_at_1"] == 1, found
    assert found.metrics["line_coverage"] == 0.8  # of five lines one is that of the constructor, which nobody calls


def test_bad_files_are_named(tmp_path: Path) -> None:
    bad = tmp_path / "ncb_python_en.jsonl"
    bad.write_text('{"_id": "1", "prompt": "p"}\n')
    with pytest.raises(InputError, match=r"ncb_python_en\.jsonl, line 1: field 'problem' is missing"):
        list(NaturalCodeBench().cases(str(bad)))
    other = tmp_path / "problems.jsonl"
    other.write_text("{}")
    with pytest.raises(InputError, match="does not say the languages"):
        list(NaturalCodeBench().cases(str(other)))


def test_the_card_has_every_claim() -> None:
    card = catalog.benchmark("naturalcodebench").full()
    assert len(card.claims) == 10
    assert {claim.metric for claim in card.claims} <= set(card.metric)
