"""Mutants of Java: each operator on a line where its result is known, and what must stay alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.benchmarks.code.static.java_mutants import mutants


def changed(body, returns="void"):
    """(operator, the body after it) of each mutant of a method with this body."""
    source = f"class A {{ {returns} f(int a, int b) {{ {body} }} }}"
    head = source.index(body)
    return [(m.operator, m.apply(source)[head : -len(" } }")]) for m in mutants(source)]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        # pitest.org/quickstart/mutators: < to <=, and negated to >=
        ("if (a < b) a = 1;", [("conditionals boundary", "if (a <= b) a = 1;"), ("negate conditionals", "if (a >= b) a = 1;")]),
        ("if (a >= b) a = 1;", [("conditionals boundary", "if (a > b) a = 1;"), ("negate conditionals", "if (a < b) a = 1;")]),
        ("if (a == b) a = 1;", [("negate conditionals", "if (a != b) a = 1;")]),
        ("a = a * b;", [("math", "a = a / b;")]),
        ("a = a % b;", [("math", "a = a * b;")]),
        ("a = a >>> b;", [("math", "a = a << b;")]),
        ("a ^= b;", [("math", "a &= b;")]),
        ("a += b;", [("math", "a -= b;")]),
        ("a++;", [("increments", "a--;")]),
        ("--a;", [("increments", "++a;")]),
        ("a = -b;", [("invert negatives", "a =  b;")]),
        ("a = -1;", []),
        ("f(a, b);", [("void method calls", ";")]),
        ('String s = "x" + a + b;', []),
        ("boolean c = a > 0 && !(b > 0);", [
            ("conditionals boundary", "boolean c = a >= 0 && !(b > 0);"),
            ("negate conditionals", "boolean c = a <= 0 && !(b > 0);"),
            ("conditionals boundary", "boolean c = a > 0 && !(b >= 0);"),
            ("negate conditionals", "boolean c = a > 0 && !(b <= 0);"),
        ]),
    ],
)  # fmt: skip
def test_operators(body, expected):
    assert changed(body) == expected


@pytest.mark.parametrize(
    ("returns", "value", "news"),
    [
        ("boolean", "a > b", ["true", "false"]),
        ("boolean", "true", ["false"]),
        ("int", "a", ["0"]),
        ("int", "0", []),
        ("String", '"x"', ['""']),
        ("java.util.List<String>", "null", ["java.util.Collections.emptyList()"]),
        ("Boolean", "null", ["true", "false"]),
        ("int[]", "x", ["null"]),
        ("Object", "this", ["null"]),
    ],
)
def test_returned_values(returns, value, news):
    got = [text for operator, text in changed(f"return {value};", returns) if operator.endswith("returns")]
    assert got == [f"return {new};" for new in news]


def test_a_lambda_returns_what_its_own_method_does_not():
    source = "class A { int f() { g(() -> { return null; }); return 1; } }"
    assert [m.new for m in mutants(source) if m.operator.endswith("returns")] == ["0"]


def test_a_mutant_knows_its_line_and_its_method():
    source = "class A {\n  int x = 1 + 2;\n  int f(int a) {\n    return a;\n  }\n}\n"
    field, returned = mutants(source)
    assert (field.line, field.method) == (2, None)
    assert returned.line == 4
    assert source[slice(*returned.method)].startswith("int f(int a) {")


@given(st.text(alphabet='ab<>=+-*/%(){};! \n"é', max_size=60))
def test_every_mutant_differs_by_its_span_alone(text):
    source = f"class A {{ boolean f() {{ {text} }} }}"
    data = source.encode()
    for mutant in mutants(source):
        start, end = mutant.span
        assert data[start:end].decode() == mutant.old
        assert mutant.apply(source).encode() == data[:start] + mutant.new.encode() + data[end:]
