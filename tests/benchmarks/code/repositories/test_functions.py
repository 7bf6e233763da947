"""Where functions stand, and what is changed in them: by hand."""

import ast

import pytest

from steelyard.benchmarks.code.repositories.functions import functions, text_of
from steelyard.benchmarks.code.repositories.mutants import mutants
from tests.benchmarks.code.repositories.conftest import MODULE


def test_lines_of_signature_and_body():
    found = {f.qualname: f for f in functions("m.py", MODULE)}
    assert set(found) == {"double", "Box.clip"}, "a body on the line of its signature has no lines of its own"
    double, clip = found["double"], found["Box.clip"]
    assert (double.signature, double.body, double.indent) == ((6, 6), (12, 14), 4)
    assert text_of(MODULE, *double.body).startswith("    # a comment")
    assert (clip.signature, clip.body, clip.indent) == ((21, 24), (25, 27), 8)
    assert (clip.method, double.method, clip.name) == (True, False, "clip")
    assert double.docstring == "Return twice x.\n\nMore words."
    assert (double.statements, clip.statements) == (2, 3)


def test_a_name_that_stands_twice_and_a_file_that_does_not_parse_have_no_functions():
    assert functions("m.py", "def f():\n    return 1\n\ndef f():\n    return 2\n") == []
    assert functions("m.py", "def f(:\n") == []


@pytest.mark.parametrize(
    ("body", "changed"),
    [
        ("return a + b", {"return a - b", "return None"}),
        ("return a < 1", {"return a >= 1", "return a < 2", "return None"}),
        ("if not a:\n    b()\nreturn True", {"if not not a:\n    b()\nreturn True", "if not a:\n    ...\nreturn True", "if not a:\n    b()\nreturn False", "if not a:\n    b()\nreturn None"}),
        ("return a and b", {"return a or b", "return None"}),
        ("return", set()),
        ("return (", set()),
    ],
)  # fmt: skip
def test_every_mutant_is_one_change(body, changed):
    assert {m.strip() for m in mutants(f"        {body}".replace("\n", "\n        "), most=99)} == changed


def test_mutants_are_drawn_by_seed():
    body = "\n".join(f"x{i} = {i}" for i in range(20))
    assert mutants(body, 3, seed=1) == mutants(body, 3, seed=1) != mutants(body, 3, seed=2)
    assert all(ast.parse(m) for m in mutants(body, 3))
