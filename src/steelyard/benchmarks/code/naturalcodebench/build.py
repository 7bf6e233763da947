"""The semi-automatic construction: a model writes a solution and tests for a problem; running decides what is kept.

A draft is an answer with two fences, solution and tests. It is accepted where its tests pass on its own solution and on the
published reference (where the problem has one), fail on a stub without bodies, and refuse half of the solution's mutants. What
is refused comes with the reason, so that a person can mend the text and have it judged again.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from steelyard.benchmarks.code import extract
from steelyard.benchmarks.code.naturalcodebench import answers
from steelyard.benchmarks.code.naturalcodebench.problems import Problem
from steelyard.benchmarks.code.static import trees
from steelyard.sandbox import Limits, shared
from steelyard.sandbox.jail import PACKAGES, site_packages
from steelyard.sandbox.languages import java
from steelyard.sandbox.languages.tests import TestRun

if TYPE_CHECKING:
    from tree_sitter import Node

MUTANTS = 12  # of one solution, spread over it
KILLED = 0.5  # of them, at least
_SWAPS = {
    "<": ">=", ">": "<=", "<=": ">", ">=": "<", "==": "!=", "!=": "==", "+": "-", "-": "+", "*": "+", "/": "*",
    "and": "or", "or": "and", "&&": "||", "||": "&&", "True": "False", "False": "True", "true": "false", "false": "true",
}  # fmt: skip
_OPERATIONS = ("binary_expression", "binary_operator", "comparison_operator", "boolean_operator", "true", "false")
_BODIES = {"python": ("function_definition",), "java": ("method_declaration", "constructor_declaration")}
_FRAMEWORK = {"python": "pytest", "java": "JUnit 5"}
_TESTS = {"python": "test functions (no import of the solution is needed)", "java": "one class with @Test methods"}

Judge = Callable[[Problem, str], TestRun]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a draft. reason: why it is not accepted, "". Shares are 0 where nothing was measured."""

    reason: str
    tests: int = 0
    line_coverage: float = 0.0
    branch_coverage: float | None = None
    mutants_killed: float = 0.0


def prompt(problem: Problem) -> str:
    """What a model is asked to write."""
    language = problem.language
    return (
        f"Write a {language} solution to the problem below, and {_FRAMEWORK[language]} tests for it.\n{problem.problem}\n\n"
        f"Use the names of functions and classes in this prompt:\n{problem.prompt}\n\n"
        f"Answer with exactly two blocks: first ```{language} with the solution, then ```{language} with the tests: "
        f"{_TESTS[language]}, covering every line, with ordinary, edge and error cases."
    )


def draft(answer: str, language: str) -> tuple[str, str]:
    """Solution and tests of an answer; empty texts where the two fences are not there."""
    found = extract.fences(answer, [language])
    return (found[0], found[1]) if len(found) == 2 else ("", "")


def example(problem: Problem) -> str:
    """A draft that must be accepted: the published solution and tests."""
    solution = answers.extract(problem.reference, problem.language).text
    return f"```{problem.language}\n{solution}\n```\n```{problem.language}\n{problem.tests}\n```"


def judge(problem: Problem, answer: str, judged: Judge, wall_s: float) -> Verdict:
    """Run a draft. judged: the tests of a problem on a program.

    Raises MissingError where programs of the language cannot be judged here.
    """
    language = problem.language
    solution, tests = draft(answer, language)
    if not solution.strip() or not tests.strip():
        return Verdict(f"the answer does not hold two ```{language} blocks, solution and tests")
    written = replace(problem, tests=tests, setup="")
    own = judged(written, solution)
    if not own.passed:
        return Verdict(f"the tests do not pass on their own solution: {_first(own)}", len(own.tests))
    lines, branches = coverage(written, solution, wall_s)
    reached = Verdict("", len(own.tests), lines, branches)
    reference = answers.extract(problem.reference, language).text
    if reference.strip() and not (run := judged(written, reference)).passed:
        return replace(reached, reason=f"the tests refuse the published reference: {_first(run)}")
    if judged(written, stub(solution, language)).passed:
        return replace(reached, reason="the tests pass on a stub without bodies")
    mutated = list(mutants(solution, language))
    share = sum(not judged(written, one).passed for one in mutated) / len(mutated) if mutated else 0.0
    weak = bool(mutated) and share < KILLED
    return replace(
        reached, mutants_killed=share, reason=f"only {share:.0%} of {len(mutated)} mutants are refused" if weak else ""
    )


def record(problem: Problem, answer: str) -> str:
    """An accepted draft as a line of the official schema."""
    solution, tests = draft(answer, problem.language)
    fields = {"_id": problem.number, "prompt": problem.prompt, "problem": problem.problem, "testcases": tests, "setup_code": "",
              "reference_solution": f"```{problem.language}\n{solution}```", "classification": problem.domain}  # fmt: skip
    return json.dumps(fields, ensure_ascii=False)


def stub(source: str, language: str) -> str:
    """The source with empty bodies."""
    data = source.encode()
    bodies = []
    for node in trees.walk(trees.parse(language, data).root_node):
        body = node.child_by_field_name("body") if node.type in _BODIES[language] else None
        if body and not any(start <= body.start_byte < end for start, end, _ in bodies):
            bodies.append((body.start_byte, body.end_byte, b"pass" if language == "python" else _java_body(node)))
    for start, end, text in reversed(bodies):
        data = data[:start] + text + data[end:]
    return data.decode()


def _java_body(node: Node) -> bytes:
    kind = node.child_by_field_name("type")
    if kind is None or trees.text(kind) == "void":
        return b"{}"
    simple = {
        "boolean": "false",
        "int": "0",
        "long": "0",
        "double": "0",
        "float": "0",
        "char": "'0'",
        "short": "0",
        "byte": "0",
    }
    return f"{{ return {simple.get(trees.text(kind), 'null')}; }}".encode()


def mutants(source: str, language: str) -> Iterator[str]:
    """The source with one operator or truth value changed, at up to MUTANTS places spread evenly over it."""
    data = source.encode()
    places = []
    for node in trees.walk(trees.parse(language, data).root_node):
        operator = node.type in _SWAPS and node.child_count == 0
        if operator and (node.type in _OPERATIONS or (node.parent and node.parent.type in _OPERATIONS)):
            places.append(node)
    step = max(1, -(-len(places) // MUTANTS))
    for node in places[::step]:
        yield (data[: node.start_byte] + _SWAPS[node.type].encode() + data[node.end_byte :]).decode()


def coverage(problem: Problem, solution: str, wall_s: float) -> tuple[float, float | None]:
    """Shares of lines and (Python) branches of a solution that its own tests enter."""
    if problem.language == "java":
        hidden = answers.cut(problem.tests)
        made = java.compile(answers.program(answers.cut(solution), hidden, keep_tests=False))
        own = [name for name in made.classes if f"{name.split('$')[0]}.java" not in hidden.files]
        lines = [
            hit for at in java.test(made.classes, hidden.tests, coverage=own).lines.values() for hit in at.values()
        ]
        return (sum(hit > 0 for hit in lines) / len(lines) if lines else 0.0), None
    files = {
        "solution.py": f"import pytest\n{solution}",
        "test_case.py": f"import pytest\nfrom solution import *\n{problem.tests}",
    }
    held: dict[str, str | bytes] = {**files, **problem.files}
    python, cov = shlex.quote(os.path.realpath(sys.executable)), "-m coverage run --branch --include=solution.py"
    run = f"{python} {cov} -m pytest -q -p no:cacheprovider test_case.py; {python} -m coverage json -q -o c.json"
    command, env = (
        ["sh", "-c", run],
        {"PYTHONPATH": f"{PACKAGES}:{site_packages()}:.", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )
    told = shared().command(
        command, held, limits=Limits(wall_s=wall_s, processes=128), cwd="case", env=env, collect=["c.json"]
    )
    if "c.json" not in told.files:
        return 0.0, None
    totals = json.loads(told.files["c.json"])["totals"]
    branches = totals["num_branches"]
    return (
        totals["covered_lines"] / max(1, totals["num_statements"]),
        totals["covered_branches"] / branches if branches else 1.0,
    )


def _first(run: TestRun) -> str:
    said = run.message or next((f"{test.name}: {test.message}" for test in run.tests if not test.passed), "")
    return re.sub(r"\s+", " ", f"{run.verdict} {said}").strip()[:300]
