"""Scores in the real sandbox: references, stubs, hostile programs, error classes, self-invocation."""

import ast

import pytest

from steelyard.benchmarks.code import programs, selfinvoke, verdicts
from steelyard.benchmarks.code.bigcodebench_lite_pro.benchmark import BigCodeBenchLitePro
from steelyard.benchmarks.code.humaneval.benchmark import HumanEval
from steelyard.benchmarks.code.humaneval_pro.benchmark import HumanEvalPro
from steelyard.benchmarks.code.mbpp.benchmark import Mbpp
from steelyard.benchmarks.code.mbpp_pro.benchmark import MbppPro
from steelyard.benchmarks.code.selfinvoking import Pair, summarise
from steelyard.core.errors import InputError
from steelyard.core.words import Case, Status
from tests.conftest import need

ALL = (HumanEval, Mbpp, HumanEvalPro, MbppPro, BigCodeBenchLitePro)
STUBS = ("None", "0", "1", "True", "False", "''", "[]", "{}", "()", "args[0]", "list(args)", "args[0][0]")


@pytest.fixture(scope="module", autouse=True)
def _bwrap():
    need("bwrap")


def runnable(bench):
    return [case for case in bench.cases() if bench.score(case, "").status is not Status.UNSUPPORTED]


@pytest.mark.parametrize("made", ALL)
@pytest.mark.parametrize("route", ["chat", "completion"])
def test_references_pass_and_empty_answers_fail(made, route):
    bench = made()
    cases = runnable(bench)
    assert len(cases) >= 5
    for case in cases:
        good = bench.score(case, bench.reference(case, route), route=route)
        bad = bench.score(case, "", route=route)
        assert (good.status, good.metrics["pass_at_1"], good.error) == (Status.OK, 1.0, ""), case.id
        assert (bad.status, bad.metrics["pass_at_1"]) == (Status.OK, 0.0), case.id


@pytest.mark.parametrize("made", [HumanEval, Mbpp, HumanEvalPro, MbppPro])
def test_no_stub_passes_our_own_tests(made):
    bench = made()
    for case in bench.cases():
        names = case.payload.new if isinstance(case.payload, Pair) else (case.payload.entry_point,)
        for value in STUBS:
            stub = "".join(f"def {name}(*args, **options):\n    return {value}\n" for name in names)
            assert bench.score(case, f"```python\n{stub}```").metrics["pass_at_1"] == 0.0, (case.id, value)


def test_docstring_examples_of_our_own_problems_are_true():
    for case in HumanEval().cases():
        tests = HumanEval().visible_tests(case)
        assert tests, case.id
        program = case.payload.prompt + case.payload.canonical_solution
        assert programs.check(program, "\n".join(tests), 3.0).passed, case.id


LARGEST = Case(
    "0",
    Pair(
        "# Return the larger of two ints.\ndef larger(a, b):\n",
        "    return a if a > b else b\n",
        "# Return the largest int of a non-empty list.\ndef largest(xs):\n",
        "    m = xs[0]\n    for x in xs:\n        m = larger(m, x)\n    return m\n",
        "assert largest([1, 5, 2]) == 5\nassert largest([-1]) == -1\n",
        "larger",
        ("largest",),
    ),
)


def score(program: str, **options):
    return MbppPro(timeout=1.0, **options).score(LARGEST, f"```python\n{program}\n```")


@pytest.mark.parametrize(
    ("program", "error", "paper"),
    [
        ("def largest(xs): return xs[0]", "AssertionError", "AssertionError"),
        ("def other(xs): return 5", "NameError", "NameError"),
        ("def largest(xs): return larger(xs)", "NameError", "NameError"),
        ("def largest(xs): raise ValueError('no')", "ValueError", "ValueError"),
        ("def largest(xs): return xs[9]", "IndexError", "IndexError"),
        ("def largest(xs): return xs + 1", "TypeError", "TypeError"),
        ("def largest(xs): return xs.big", "AttributeError", "OtherError"),
        ("def largest(xs) return 5", "SyntaxError", "OtherError"),
        ("x = '\0'", "SyntaxError", "OtherError"),
        ("", "NoCode", "NameError"),
        ("while True: pass", "Timeout", "Timeout"),
        ("import sys\nsys.exit(0)", "EarlyExit", "OtherError"),
        ("import os\nos._exit(0)", "EarlyExit", "OtherError"),
        ("import os\nos.kill(os.getpid(), 11)", "Crash", "OtherError"),
        ("class AssertionError(Exception): pass\ndef largest(xs): return 0", "AssertionError", "AssertionError"),
    ],
)
def test_error_class_is_what_really_happened(program, error, paper):
    outcome = score(program)
    assert outcome.status is Status.OK
    assert outcome.metrics["pass_at_1"] == 0.0
    assert verdicts.class_of(outcome.error) == error
    assert verdicts.paper_class(outcome.error) == paper


def test_redefining_the_name_assertionerror_does_not_break_assert():
    good = "AssertionError = None\ndef larger(a, b): return max(a, b)\ndef largest(xs): return max(map(larger, xs, xs))"
    assert score(good).metrics["pass_at_1"] == 1.0


def test_odd_outputs_are_scored_like_any_other():
    good = "def largest(xs): return max(xs)"
    for extra in ("# \udcff no UTF-8", f"# {'x' * 1_000_000}", "print('y' * 10**6)", "# é"):
        assert score(f"{good}\n{extra}").metrics["pass_at_1"] == 1.0, extra[:20]
    assert score("def largest(xs):\n\treturn max(xs)").metrics["pass_at_1"] == 1.0
    prose = MbppPro().score(LARGEST, "I would take the maximum of the list.")
    assert verdicts.class_of(prose.error) == "SyntaxError"
    twice = MbppPro().score(LARGEST, f"```python\n{good}\n```\nor\n```python\nbroken(\n```")
    assert twice.metrics["pass_at_1"] == 1.0


def test_raw_and_sanitised_views_differ_where_a_model_tests_itself():
    own_test = "def largest(xs): return max(xs)\n# Test\nassert largest([1]) == 2"
    outcome = score(own_test)
    assert (outcome.metrics["pass_at_1"], outcome.metrics["pass_raw"], outcome.metrics["pass_sanitised"]) == (0, 0, 1)


def test_published_figure_is_the_higher_mean_and_says_which_view_won():
    raw, cut = {"a": 1.0, "b": 0.0, "c": 0.0}, {"a": 0.0, "b": 1.0, "c": 1.0}
    got = summarise({"pass_raw": raw, "pass_sanitised": cut})
    assert got["pass_at_1_published"] == pytest.approx(2 / 3), "not 1, which a maximum per case would give"
    assert got["won"] == "sanitised"
    assert summarise({"pass_raw": raw, "pass_sanitised": raw})["won"] == "equal"
    with pytest.raises(InputError, match="b"):
        summarise({"pass_raw": {"a": 1.0}, "pass_sanitised": {"a": 1.0, "b": 1.0}})


def test_the_summary_joins_base_and_pro_of_one_contender():
    pro = {"HumanEval/0": 1.0, "HumanEval/1": 0.0, "HumanEval/2": 1.0, "HumanEval/3": 0.0}
    base = {"HumanEval/0": 1.0, "HumanEval/1": 1.0, "HumanEval/2": 0.0, "HumanEval/3": 1.0, "HumanEval/9": 1.0}

    def values(metric, benchmark=""):
        return base if benchmark == "humaneval" else pro

    got = HumanEvalPro().summary(values)
    assert got["joined"] == 4
    assert [got[f"base {b}, pro {p}"] for b in ("pass", "fail") for p in ("pass", "fail")] == [1, 2, 1, 0]
    assert got["drop"] == pytest.approx(3 / 4 - 2 / 4)
    assert "joined" not in HumanEvalPro().summary(lambda metric, benchmark="": {} if benchmark else pro)
    assert HumanEvalPro().summary(lambda *_: {}) == {}


@pytest.mark.parametrize(
    ("body", "static", "dynamic"),
    [
        ("def largest(xs):\n    m = xs[0]\n    for x in xs: m = larger(m, x)\n    return m", 1, 1),
        ("from functools import reduce\ndef largest(xs): return reduce(larger, xs + xs)", 1, 1),
        ("def step(a, b): return larger(a, b)\ndef largest(xs): return step(max(xs), max(xs))", 1, 1),
        ("def largest(xs): return max(xs)", 0, 0),
        ("def largest(xs): return max(xs) if xs else larger(0, 0)", 1, 0),
        ("def largest(xs): return globals()['lar' + 'ger'](max(xs), max(xs))", 0, 1),
        ("larger(1, 2)\ndef largest(xs): return max(xs)", 0, 0),
    ],
)
def test_self_invocation_read_and_watched(body, static, dynamic):
    metrics = score(f"def larger(a, b): return a if a > b else b\n{body}").metrics
    assert metrics["pass_at_1"] == 1.0
    assert (metrics["self_invocation_static"], metrics["self_invocation_rate"]) == (static, dynamic)


def test_a_program_that_fails_has_no_self_invocation():
    assert "self_invocation_rate" not in score("def largest(xs): return 0").metrics


def test_static_reading_needs_no_valid_program():
    assert not selfinvoke.calls_statically("def f(:", ["f"], "g")
    assert ast.parse(selfinvoke.watched("x = '''", 'y = "', "g")), "any candidate is a literal in the script"


@pytest.mark.parametrize("how", ["import sys\nsys.exit(0)", "import os\nos._exit(0)", "raise SystemExit"])
def test_exit_code_runner_is_fooled_and_the_sound_one_is_not(how):
    output = f"```python\n{how}\n```"
    case = next(iter(BigCodeBenchLitePro().cases()))
    fooled = BigCodeBenchLitePro(profile="published").score(case, output)
    sound = BigCodeBenchLitePro().score(case, output)
    assert (fooled.metrics["pass_at_1"], fooled.metrics["false_passes"]) == (1.0, 1.0)
    assert (sound.metrics["pass_at_1"], sound.metrics["false_passes"]) == (0.0, 0.0)
    assert sound.error.startswith("EarlyExit")
    assert BigCodeBenchLitePro().score(case, output, profile="published").metrics["pass_at_1"] == 1.0


def test_released_statistics_are_fooled_where_the_score_is_not():
    left = score("import sys\nsys.exit(0)", profile="published")
    assert left.metrics["pass_at_1"] == 0.0
    assert verdicts.class_of(left.error) == "Passed"
    mention = "def largest(xs): raise ValueError('an AssertionError? no')"
    assert verdicts.class_of(score(mention).error) == "ValueError"
    assert score(mention, profile="published").error == "AssertionError"
    assert score("def largest(xs): return xs[9]", profile="published").error == "IndexError"


def test_missing_libraries_make_a_case_unsupported_not_failed():
    case = next(iter(BigCodeBenchLitePro().cases()))
    pair: Pair = case.payload
    lacking = Pair("import no_such_library_here\n" + pair.raw_problem, *[getattr(pair, n) for n in Pair.__slots__[1:]])
    outcome = BigCodeBenchLitePro().score(Case("x", lacking), "```python\npass\n```")
    assert (outcome.status, outcome.metrics) == (Status.UNSUPPORTED, {})
    assert outcome.error == "not runnable here: needs no_such_library_here"


def test_error_table_counts_in_the_papers_classes():
    errors = ["", "AssertionError: x", "KeyError: 'a'", "NoCode", "Timeout", "SyntaxError: y"]
    assert verdicts.error_table(errors) == {
        "Passed": 1, "AssertionError": 1, "OtherError": 2, "NameError": 1, "Timeout": 1,
    }  # fmt: skip


def test_our_own_runners_failure_never_counts_against_a_contender(monkeypatch):
    from steelyard.sandbox import Outcome, Verdict

    broken = Outcome(Verdict.RUNNER_ERROR, message="the jail died twice")
    monkeypatch.setattr(programs, "check", lambda *a: broken)
    monkeypatch.setattr(programs, "broken", lambda ran, program: ("broken", ran.message))
    for bench in (HumanEval(), Mbpp(), MbppPro()):
        assert bench.score(next(iter(bench.cases())), "```python\npass\n```") == ("broken", "the jail died twice")
