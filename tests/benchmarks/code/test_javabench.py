"""JavaBench on our own two projects: what is taken from an answer, what it is worth, and how verdicts add up."""

from __future__ import annotations

import json
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.benchmarks.code import cache
from steelyard.benchmarks.code.javabench import answers, judge, prepare, verdicts
from steelyard.benchmarks.code.javabench.benchmark import JavaBench, granularity_of
from steelyard.benchmarks.code.javabench.project import CONTEXTS, read_projects, read_suites, read_tasks
from steelyard.benchmarks.code.javabench_verdicts.benchmark import JavaBenchVerdicts
from steelyard.core.errors import InputError, MissingError
from steelyard.core.interfaces import Replay, join_outputs
from steelyard.core.words import Provenance, Status
from steelyard.stats.estimates import pass_at_k
from tests.conftest import lacking, need

SKELETON = """\
package p;

import java.util.List;

/** Not public yet. */
public class A {

    int one() {
        // TODO
        return 0;
    }

    int two(int x) {
        // TODO
        return 0;
    }

    int two(String é) {
        return é.length();
    }
}
"""
DONE = SKELETON.replace("// TODO\n        return 0;", "int sum = 40 + 2;\n        return sum;")


@pytest.fixture(scope="module")
def data():
    folder = JavaBench.own
    projects = read_projects(folder)
    tasks = read_tasks(folder, projects)
    return projects, tasks, read_suites(folder, projects, tasks)


# --- answers


@pytest.mark.parametrize(
    ("output", "published", "sound"),
    [
        ("Sure.\n```java\nclass A {}\n```\n```java\nclass B {}\n```", "class A {}\n", "class A {}\n"),
        ("```java\nclass A {", "class A {", "class A {"),
        ("```\nclass A {}\n```", "", "class A {}\n"),
        ("package p;\n\nclass A {}\n", "", "package p;\n\nclass A {}\n"),
        ("A class is not needed.", "", ""),
        ("", "", ""),
    ],
)
def test_the_class_is_the_first_java_block(output, published, sound):
    assert answers.extract(output, published=True) == published
    assert answers.extract(output, published=False) == sound


def test_the_head_stays_that_of_the_skeleton():
    answer = "package q;\n\nimport java.util.*;\n\n@Deprecated\npublic class A { }\n\nclass B { }\n"
    placed = answers.in_place(SKELETON, answer, published=True)
    # the released rule cuts at the first "public", here within the comment
    assert placed == "package p;\n\nimport java.util.List;\n\n/** Not public class A { }\n\nclass B { }\n"
    placed = answers.in_place(SKELETON, answer, published=False)
    assert placed is not None
    assert placed.startswith(
        "package p;\nimport java.util.*;\n\nimport java.util.List;\n\n/** Not public yet. */\n@Deprecated\n"
    )
    assert placed.endswith("public class A { }\n\nclass B { }\n")


def test_an_answer_without_a_class_cannot_be_placed():
    assert answers.in_place(SKELETON, "int x;", published=True) is None
    assert answers.in_place(SKELETON, "int x;", published=False) is None


@pytest.mark.parametrize(
    ("body", "lazy"),
    [
        ("// TODO\n        return 0;", True),
        ("// TODO: later\n        return 0;", True),
        ("return 1;", False),  # the comment is gone
        ("// TODO was here\n        int sum = 40 + 2;\n        return sum;", False),  # ten characters more than before
        ("// TODO\n        return 123456789;", True),  # eight more
    ],
)
def test_what_is_left_undone(body, lazy):
    answer = DONE.replace("int sum = 40 + 2;\n        return sum;", body, 1)
    assert answers.has_todo(SKELETON, answer) is lazy


def test_a_class_is_filled_method_by_method():
    assert answers.steps(SKELETON) == ["one#0", "two#0"]
    shown = answers.for_step(SKELETON, "two#0")
    assert shown.count("TODO") == 1
    assert "int one() {\n    }" in shown
    first = answers.take_step(SKELETON, "class A { int one() { return 1; } }", "one#0")
    assert "int one() { return 1; }" in first
    both = answers.take_step(first, "class A { int two(int y) { return 2; } }", "two#0")
    assert "int two(int x) { return 2; }" in both
    assert not answers.has_todo(SKELETON, both)
    assert answers.take_step(both, "class A { int one() { return 1 +; } }", "one#0") == both, (
        "a broken method is not taken"
    )
    assert answers.take_step(both, "class A { int three() { return 3; } }", "one#0") == both


# --- how verdicts add up


def test_the_released_estimate_by_hand():
    assert verdicts.published_estimate([1, 0, 0, 0, 0], 1) == pytest.approx(1 / 5)
    # c = 2.5: 1 - (1 - 1/3.5)(1 - 1/4.5)(1 - 1/5.5), more than 2.5 of 5
    assert verdicts.published_estimate([1, 1, 0.5, 0, 0], 1) == pytest.approx(
        1 - (2.5 / 3.5) * (3.5 / 4.5) * (4.5 / 5.5)
    )
    assert verdicts.published_estimate([0.1, 0, 0, 0, 0], 5) == 1.0
    assert verdicts.published_estimate([0] * 5, 5) == 0.0
    assert verdicts.published_estimate([1.0], 5) is None


def test_the_best_of_two_by_hand():
    assert verdicts.best_of([0, 1, 0.5], 2) == pytest.approx((1 + 0.5 + 1) / 3)
    assert verdicts.best_of([0.25, 0.75], 1) == 0.5
    assert verdicts.best_of([1.0], 2) is None


@given(st.lists(st.integers(0, 1), min_size=5, max_size=12), st.integers(1, 5))
def test_of_passes_and_failures_both_are_pass_at_k(scores, k):
    (expected,) = pass_at_k([len(scores)], [sum(scores)], k)
    assert verdicts.best_of(scores, k) == pytest.approx(expected)
    assert verdicts.published_estimate(scores, k) == pytest.approx(expected)


def test_projects_weigh_the_same():
    values = {("A", "1"): 1.0, ("A", "2"): 0.0, ("A", "3"): 0.0, ("B", "1"): 1.0}
    assert verdicts.mean_of_projects(values) == pytest.approx((1 / 3 + 1) / 2)


def test_a_project_is_completed_by_one_sample():
    good, bad = verdicts.Verdict(True, True, 2, 2), verdicts.Verdict(True, True, 1, 2)
    board = {("A", "1"): [good, bad], ("A", "2"): [bad, good], ("B", "1"): [bad, good], ("B", "2"): [bad, good, good]}
    assert verdicts.most_passed(board) == (1, 1.0)
    assert verdicts.Verdict(True, True, 0, 0).fraction == 0.0
    assert verdicts.Verdict(False, True, 2, 2).fraction == 0.0


def test_our_own_verdicts_add_up():
    bench = JavaBenchVerdicts()
    cases = {case.id: case for case in bench.cases()}
    assert bench.contenders_in(None) == ["replay:holistic-minimum", "replay:holistic-selective"]
    outcome = bench.measure(Replay("holistic-selective"), cases["careful/test-wise/LIB"], 0)
    # of three suites and five samples one sample of LoanTest passes 5 of 6 tests
    assert outcome.metrics["pass_at_1"] == pytest.approx(1 - 1 / 6 / 15)
    assert outcome.metrics["pass_at_1_strict"] == pytest.approx(14 / 15)
    assert outcome.metrics["projects_completed"] == 1
    assert outcome.provenance is Provenance.PUBLISHED
    either = bench.measure(Replay("all-settings"), cases["careful/test-wise/LIB"], 0)
    assert either.metrics["pass_at_1"] == outcome.metrics["pass_at_1"]
    unknown = bench.measure(Replay("holistic"), cases["careful/test-wise"], 0)
    assert unknown.status is Status.UNSUPPORTED
    assert "holistic-selective" in unknown.error


# --- data


def test_our_tasks_are_made_from_our_projects(data):
    projects = data[0].values()
    for context in CONTEXTS:
        made = [task for project in projects for task in prepare.tasks(project, context)]
        lines = (JavaBench.own / f"tasks_{context}-context.jsonl").read_text(encoding="utf-8").splitlines()
        assert made == [json.loads(line) for line in lines]
    lines = (JavaBench.own / "testcases.jsonl").read_text(encoding="utf-8").splitlines()
    assert [case for project in projects for case in prepare.test_cases(project)] == [
        json.loads(line) for line in lines
    ]


def test_the_contexts_show_signatures_sources_or_nothing(data):
    task = data[1]["LIB/Desk.java"]
    assert task.contexts["minimum"] == ""
    assert "public Optional<Book> find(String title) {\n    }" in task.contexts["selective"]
    assert "TODO" not in task.contexts["selective"]
    assert "// TODO" in task.contexts["maximum"]


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("testcases.jsonl", '"lib.Loan"]', '"lib.Lone"]', "which is no task"),
        ("testcases.jsonl", '"lib.LoanTest"', '"lib.LoneTest"', "is no test class of LIB"),
        (
            "tasks_minimum-context.jsonl",
            '"target": "lib/Loan.java"',
            '"target": "lib/Lone.java"',
            "not in all contexts|no class",
        ),
        ("tasks_selective-context.jsonl", '"code": "```java', '"code": "```', "has no ```java block"),
        (
            "tasks_maximum-context.jsonl",
            '"task_id": "LIB/Loan.java"',
            '"task_id": "LIB/Lone.java"',
            "not in all contexts",
        ),
    ],
)
def test_bad_data_are_named(tmp_path, file, old, new, message):
    shutil.copytree(JavaBench.own, tmp_path / "data")
    path = tmp_path / "data" / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    if "minimum" in file:  # only the selective file says where a class is
        path = tmp_path / "data" / "tasks_selective-context.jsonl"
        path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    projects = read_projects(tmp_path / "data")
    with pytest.raises(InputError, match=message):
        read_suites(tmp_path / "data", projects, read_tasks(tmp_path / "data", projects))


def test_a_folder_without_projects_is_refused(tmp_path):
    with pytest.raises(MissingError, match=r"projects\.tar\.gz"):
        read_projects(tmp_path)
    (tmp_path / "projects" / "A" / "src/main/java").mkdir(parents=True)
    (tmp_path / "projects" / "A-Solution" / "src/main/java").mkdir(parents=True)
    (tmp_path / "projects" / "A" / "src/main/java/A.java").write_text("class A {}")
    (tmp_path / "projects" / "A-Solution" / "src/main/java/A.java").write_bytes(b"class \xe9 {}")
    with pytest.raises(InputError, match="is not UTF-8"):
        read_projects(tmp_path)


def test_bad_verdicts_are_named(tmp_path):
    row = {"kind": "test_wise", "setting": "s", "project": "A", "model": "m", "sample": 0, "test_id": "A/T", "compilable": True,
           "n_pass": [3, 2], "has_todo": False, "can_replace": True}  # fmt: skip
    path = tmp_path / "scores.jsonl"
    path.write_text(json.dumps(row))
    with pytest.raises(InputError, match=r"line 1: n_pass is \[3, 2\]"):
        verdicts.read_verdicts(path)
    row["n_pass"] = [1, 2]
    path.write_text(f"{json.dumps(row)}\n{json.dumps(row)}")
    with pytest.raises(InputError, match="line 2: sample 0 of A/T stands twice"):
        verdicts.read_verdicts(path)


# --- compiled and run


@pytest.fixture(scope="module")
def bench():
    need("bwrap")
    need("javac")
    made = JavaBench()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(cache.VARIABLE, "off")
        try:
            made.made = {case.id: case for case in made.cases()}
        except MissingError as error:
            lacking(str(error))
        yield made


def test_cases_are_classes_test_classes_and_projects(bench):
    kinds = [granularity_of(case) for case in bench.made]
    assert {kind: kinds.count(kind) for kind in kinds} == {"class": 5, "test": 5, "project": 2}
    assert all(case.attributes["granularity"] == granularity_of(name) for name, case in bench.made.items())
    assert [p.id for p in bench.made["GEO/CanvasTest"].parts] == ["GEO/Canvas.java", "GEO/Rectangle.java"]


def test_the_solution_passes_and_nothing_does_not(bench):
    project = bench.made["GEO"]
    parts = {part.id: bench.reference(part) for part in project.parts}
    metrics = bench.score(project, join_outputs(parts)).metrics
    assert (metrics["pass_at_1"], metrics["tests"], metrics["line_coverage"]) == (1.0, 5.0, 1.0)
    assert (metrics["types"], metrics["methods"]) == (3, 9)
    nothing = bench.score(project, join_outputs({**parts, "GEO/Canvas.java": ""}))
    assert nothing.metrics == {"completion": 0.0, "compilation": 0.0, "pass_at_1": 0.0, "pass_at_1_strict": 0.0}
    assert nothing.error == "no class in the answer (no rule found code in the answer): GEO/Canvas.java"


def test_lines_of_classes_that_no_test_loads_count(bench):
    project = bench.made["LIB"].payload
    some = judge.run(project, {}, ["lib.ShelfTest"], 60.0, 10.0, coverage=True)
    every = judge.run(project, {}, judge.test_classes(project), 60.0, 10.0, coverage=True)
    assert every.lines is not None
    assert some.lines is not None
    assert every.lines[0] == every.lines[1] == some.lines[1] > some.lines[0]


def test_our_outputs_get_the_verdicts_written_by_hand(bench):
    for case, trial, passed in (
        ("GEO/Canvas.java", 0, 4 / 5),
        ("GEO/CanvasTest", 0, 1 / 2),
        ("GEO/RectangleTest", 1, 0.0),
    ):
        outcome = bench.replay("hasty", bench.made[case], trial)
        assert outcome.metrics["pass_at_1"] == pytest.approx(passed)
        assert outcome.metrics["as_published"] == 1.0
    broken = bench.replay("hasty", bench.made["GEO/Rectangle.java"], 1)
    # `javac -XDrawDiagnostics`: does.not.override.abstract, override.incompatible.ret, method.does.not.override.superclass,
    # cant.deref
    assert (broken.metrics["errors_wrong_override"], broken.metrics["errors_other"]) == (3.0, 1.0)
    assert broken.metrics["compilation"] == 0.0
    assert broken.error.startswith("compile error: wrong override: geo/Rectangle.java, line ")
    assert bench.replay("hasty", bench.made["GEO/Rectangle.java"], 2).status is Status.UNSUPPORTED


def test_a_test_that_hangs_costs_itself_alone(bench):
    made = JavaBench(test_timeout=1.0)
    endless = bench.reference(bench.made["GEO/Canvas.java"]).replace(
        "Shape best = null;", "Shape best = null;\n while (true) { }"
    )
    canvas = next(case for case in made.cases() if case.id == "GEO/Canvas.java")
    cut = endless.replace("for (Shape shape : shapes) {", "/*").replace("return best;\n", "*/\n")
    outcome = made.score(canvas, cut)
    assert outcome.metrics["pass_at_1"] == pytest.approx(4 / 5)
    assert "timeout" in outcome.error


def test_tests_that_were_not_told_of_count(bench):
    early = bench.reference(bench.made["GEO/Rectangle.java"]).replace(
        "private final double width;", "private final double width;\n static int broken = 1 / 0;"
    )
    outcome = bench.score(bench.made["GEO/Rectangle.java"], early)
    assert (outcome.metrics["tests"], outcome.metrics["pass_at_1"]) == (5.0, 0.0)


def test_libraries_that_are_not_here_leave_tests_out(data, monkeypatch, tmp_path):
    need("bwrap")
    monkeypatch.setitem(judge._LIBRARIES, "org.junit.jupiter.params", ("no-such-jar",))
    project = data[0]["LIB"]
    assert judge.left_out(project) == ["lib/LoanTest.java"]
    assert judge.test_classes(project) == ["lib.DeskTest", "lib.ShelfTest"]
