"""Tests of a project in the sandbox: what passes, what must not, and what is steady."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from steelyard.benchmarks.code.repositories import gates, tracing
from steelyard.benchmarks.code.repositories.functions import functions
from steelyard.benchmarks.code.repositories.running import run_tests

FILE = "tests/test_numbers.py"
DOUBLE = f"{FILE}::test_double"


def double_of(numbers):
    (found,) = [f for f in functions("numbers_.py", numbers.source("numbers_.py")) if f.qualname == "double"]
    return found


@pytest.mark.parametrize(
    ("body", "verdict", "message"),
    [
        ("return 2 * x", "passed", ""),
        ("return x", "assertion", "AssertionError"),
        ("return x +", "syntax", "SyntaxError"),
        ("return missing", "exception", "NameError"),
        ("while True: pass", "timeout", "OutOfTime"),
        ("import os\nos._exit(0)", "early-exit", ""),
        ("import sys\nsys.exit(0)", "exception", "SystemExit"),
        ("import pytest\npytest.skip('no')", "exception", ""),
    ],
)
def test_verdicts(numbers, body, verdict, message):
    run = run_tests(numbers, [DOUBLE], gates.with_body(numbers, double_of(numbers), body), test_s=1.0, wall_s=60.0)
    assert (run.passed, run.verdict) == (verdict == "passed", verdict), run.log
    assert message in run.message


def test_bodies_side_by_side_do_not_meet_and_the_project_stays_as_it_is(numbers):
    before = {p: p.read_bytes() for p in numbers.root.rglob("*") if p.is_file()}
    bodies = ["return 2 * x", "return 0"] * 3
    target = double_of(numbers)
    with ThreadPoolExecutor(2) as threads:
        runs = list(threads.map(lambda b: run_tests(numbers, [DOUBLE], gates.with_body(numbers, target, b)), bodies))
    assert [r.passed for r in runs] == [True, False] * 3
    assert {p: p.read_bytes() for p in numbers.root.rglob("*") if p.is_file()} == before


def test_a_path_outside_of_the_project_is_refused(numbers):
    with pytest.raises(ValueError, match="no path below"):
        run_tests(numbers, [DOUBLE], {"../x.py": ""})


def test_steady_tests_and_the_lines_they_run(numbers):
    trace = tracing.trace(numbers)
    assert set(trace.tests) == {
        DOUBLE,
        f"{FILE}::test_clip[1-1]",
        f"{FILE}::test_clip[5-3]",
        f"{FILE}::test_zz_leaves_a_mark",
    }
    why = {name.rpartition("::")[2]: reason for name, reason in trace.dropped.items()}
    assert why["test_network"].startswith("failed: OSError")
    assert why["test_skipped"] == "skipped:"
    assert why["test_order"].startswith("unsteady: passed once, in the other order")
    assert trace.tests_of(double_of(numbers)) == {DOUBLE: {13, 14}}
    (clip,) = [f for f in functions("numbers_.py", numbers.source("numbers_.py")) if f.qualname == "Box.clip"]
    assert trace.tests_of(clip) == {f"{FILE}::test_clip[1-1]": {25, 27}, f"{FILE}::test_clip[5-3]": {25, 26}}
    assert set(trace.tests_of_file("numbers_.py")) == {DOUBLE, f"{FILE}::test_clip[1-1]", f"{FILE}::test_clip[5-3]"}


def test_tests_are_selected_for_the_lines_they_add():
    reached = {"a": {1}, "b": {1, 2}, "c": {3}, "d": {1, 2, 3}}
    assert tracing.select(reached, 1) == ["d"]
    assert tracing.select({"a": {1}, "b": {1, 2}, "c": {3}}, 2) == ["b", "c"]
    assert tracing.select(reached, 9) == ["a", "b", "c", "d"]


def test_the_gate_wants_the_body_to_pass_stubs_to_fail_and_mutants_to_be_noticed(numbers):
    target = double_of(numbers)
    good = gates.gate(numbers, target, {DOUBLE: {13, 14}})
    assert (good.why, good.tests) == ("", (DOUBLE,))
    assert good.mutants == good.killed > 0
    blind = gates.gate(numbers, target, {f"{FILE}::test_zz_leaves_a_mark": {13}})
    assert blind.why == "a stub passes its tests: pass"
    failing = gates.gate(numbers, target, {f"{FILE}::test_network": {13}})
    assert failing.why.startswith("its own body, put back, does not pass")


def test_a_test_left_out_comes_back_where_it_alone_notices_a_mutant(numbers):
    (clip,) = [f for f in functions("numbers_.py", numbers.source("numbers_.py")) if f.qualname == "Box.clip"]
    reached = {f"{FILE}::test_clip[1-1]": {25, 27}, f"{FILE}::test_clip[5-3]": {25, 26}}
    gate = gates.gate(numbers, clip, reached, most=1, tried=9, compare=True)
    assert (gate.why, set(gate.tests), gate.added) == ("", set(reached), 1)
