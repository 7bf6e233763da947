"""CoderEval's tasks that are run: levels against labels, bodies out of every kind of answer, recall of context."""

import json
from collections import Counter

import pytest

from steelyard.benchmarks.code.codereval import census, records, tasks
from steelyard.benchmarks.code.codereval.benchmark import CoderEval
from steelyard.benchmarks.code.codereval.published import LEVELS
from steelyard.core.errors import InputError, MissingError
from tests.conftest import lacking, need

BENCH = CoderEval()
CASES = {case.attributes["name"]: case for case in BENCH.cases() if case.attributes["language"] == "Python"}
FREE = "    def free(self, days):\n        return [day for day in days if day not in self.bookings]\n"


def test_the_classifier_finds_every_label():
    confusion = Counter((c.attributes["level"], c.attributes["computed_level"]) for c in CASES.values())
    # labels were typed by hand before the classifier was run on them
    assert confusion == {(level, level): 3 for level in LEVELS}


def test_the_oracle_context_is_in_the_reference():
    for case in CASES.values():
        recall = records.recall(case.payload.oracle, tasks.names_in(case.payload.body))
        assert recall.get("context_recall", 1.0) == 1.0, case.id
        assert ("context_recall" in recall) == (case.attributes["level"] != "self_contained")


def test_the_tasks_of_the_only_project_of_a_language_are_no_group():
    assert {(case.attributes["project"], case.group) for case in BENCH.cases()} == {("harbour", ""), ("quay", "")}


def test_two_prompts_and_nothing_of_the_project():
    raw, human = (BENCH.prompt(CASES["slug"], prompt=p)[0].content for p in ("raw_docstring", "human_label"))
    assert '\t"""\n\tTurn a name into a slug' in raw
    assert "Make a lower-case identifier" in human
    assert "unicodedata" not in raw + human
    (message,) = BENCH.prompt(CASES["free"], route="completion")
    assert message.role == "raw"
    assert message.content.startswith('def free(self, days):\n\t"""')


@pytest.mark.parametrize(
    ("answer", "passes"),
    [
        (f"```python\n{FREE}```", 1),
        (f"Here:\n```python\nimport os\n\n\nclass Berth:\n    bookings = {{}}\n\n{FREE}\n    def other(self): ...\n```", 1),
        ("```python\ndef helper(x):\n    return x\n\ndef free(self, days):\n\treturn [d for d in days if d not in self.bookings]\n```", 1),
        ("```python\ndef free(self, days):\n    from itertools import filterfalse\n    return list(filterfalse(self.bookings.__contains__, days))\n```", 1),
        ("```python\ndef unfree(self, days):\n    return 1\n```", 0),
        ("```python\ndef free(self, days):\n    return days if (\n```", 0),
        ("```python\ndef free(self, days):\n    pass\n```", 0),
        ("```python\ndef free(self, days):\n    return list(days)\n```", 0),
    ],
)  # fmt: skip
def test_a_function_is_found_in_every_kind_of_answer(answer, passes):
    need("bwrap")
    assert BENCH.score(CASES["free"], answer).metrics["pass_at_1"] == passes


def test_knowing_the_names_and_failing_is_told_apart():
    need("bwrap")
    knew = BENCH.score(
        CASES["ticket"], "```python\ndef ticket(self, name, day):\n    return words.slug(name) + checksum([day])\n```"
    )
    assert knew.metrics["context_recall"] == knew.metrics["knew_and_failed"] == 1
    guess = BENCH.score(
        CASES["ticket"], "```python\ndef ticket(self, name, day):\n    return slug(name)  # checksum\n```"
    )
    assert (guess.metrics["recall_apis"], guess.metrics["context_recall"], guess.metrics["knew_and_failed"]) == (
        0.5,
        0.5,
        0,
    )
    assert "recall_vars" not in guess.metrics
    assert (guess.metrics["pass_at_1"], guess.metrics["pass_at_1_non_standalone"]) == (0, 0)
    assert guess.error


def test_names_of_a_body_that_does_not_parse_are_its_words():
    assert tasks.names_in("return fee(length) + words.slug(") == {"fee", "length", "words", "slug"}
    assert tasks.names_in("import a.b\nx = y.z  # w") == {"a", "b", "x", "y", "z"}


def test_references_pass_and_nothing_does_not():
    need("bwrap")
    for name in ("run_lengths", "newest", "nickname", "place"):
        assert BENCH.score(CASES[name], BENCH.reference(CASES[name])).metrics["pass_at_1"] == 1, name
        assert BENCH.score(CASES[name], "").metrics["pass_at_1"] == 0


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"level": "module_runnable"}, InputError, "level is 'module_runnable'"),
        ({"qualified_name": "gone"}, InputError, "no function 'gone'"),
        ({"tests": []}, InputError, "no list of test ids"),
        ({"oracle_context": {"apis": []}}, InputError, "needs the lists"),
        ({"project": "elsewhere"}, MissingError, "'elsewhere' is not in"),
        ({"human_label": 3}, InputError, "human_label"),
    ],
)
def test_bad_records_are_named(tmp_path, change, error, says):
    own = json.loads((BENCH.own / tasks.NAME).read_text())["RECORDS"]
    (tmp_path / tasks.NAME).write_text(json.dumps({"RECORDS": [own[0], own[1] | change]}))
    (tmp_path / "repositories").symlink_to(BENCH.own / "repositories")
    with pytest.raises(error) as raised:
        list(CoderEval().cases(str(tmp_path)))
    assert says in str(raised.value)
    assert "record 1" in str(raised.value)
    (tmp_path / tasks.NAME).write_text("[]")
    with pytest.raises(InputError, match="RECORDS"):
        list(CoderEval().cases(str(tmp_path)))


def test_a_census_counts_functions_of_three_lines(tmp_path):
    (tmp_path / "__init__.py").write_text(
        "import os\n\ndef a(x):\n    y = x\n    return y\n\ndef b(x):\n    y = os.getcwd()\n    return y\n\n"
        "def c(x):\n    y = a(x)\n    return y\n\ndef short(x): return a(x)\n"
    )
    levels = census.Package("toy", tmp_path).levels()
    assert levels == {"self_contained": 1, "slib_runnable": 1, "file_runnable": 1}
    assert census.share(levels) == pytest.approx(1 / 3)


JAVA = {case.attributes["name"]: case for case in BENCH.cases() if case.attributes["language"] == "Java"}
TOTAL = "    int sum = 0;\n    for (int n : crates.values()) { sum += n; }\n    return sum;\n"


def judged(name, answer, **options):
    from steelyard.sandbox.languages import java

    if why := java.missing():
        lacking(why)
    return BENCH.score(JAVA[name], answer, **options)


def test_java_references_pass_and_nothing_does_not():
    for name in ("reversedWords", "line"):
        assert judged(name, BENCH.reference(JAVA[name])).metrics["pass_at_1"] == 1
        assert judged(name, "").metrics["pass_at_1"] == 0


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (f"```java\npublic int total() {{\n{TOTAL}}}\n```", "pass_at_1"),
        (f"```java\nclass Cargo {{\n  private int other(int x) {{ return x; }}\n  public int total() {{\n{TOTAL}}}\n}}\n```", "pass_at_1"),
        ("```java\nimport java.util.stream.*;\n\npublic int total() {\n  return crates.values().stream()"
         ".collect(Collectors.summingInt(x -> x));\n}\n```", "pass_at_1"),
        ("```java\npublic int total() {\n  return crates;\n}\n```", "compile_error"),
        ("```java\npublic int total() {\n  return crates.size();\n}\n```", "execution_error"),
        ("```java\npublic int sum() {\n  return 0;\n}\n```", "compile_error"),
    ],
)  # fmt: skip
def test_a_java_method_is_found_compiled_and_run(answer, what):
    metrics = judged("total", answer).metrics
    assert [n for n in ("pass_at_1", "compile_error", "execution_error") if metrics[n]] == [what]


def test_a_java_body_can_be_continued():
    (message,) = BENCH.prompt(JAVA["total"], route="completion")
    assert message.content.endswith("public int total() {\n")
    assert judged("total", f"\n{TOTAL}}}\n\npublic int more() {{", route="completion").metrics["pass_at_1"] == 1
