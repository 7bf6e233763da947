"""Outputs put into files: every expected text is written by hand."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.benchmarks.code.assemble import append, fill, reindented, replace_body, replace_lines, replace_span

SOURCE = 'class A:\n    def f(self):\n        """Doc."""\n        x = 1\n        return x\n\n    def g(self):\n        pass\n'


def test_a_body_replaces_its_lines_reindented_between_two_empty_lines():
    got = replace_body(SOURCE, (4, 5), "if True:\n    return 2", 8)
    assert got == (
        'class A:\n    def f(self):\n        """Doc."""\n\n        if True:\n            return 2\n\n'
        "\n    def g(self):\n        pass\n"
    )


def test_lines_that_mix_tabs_and_blanks_share_no_margin():
    assert reindented("\tif a:\n        b()\n", 4) == "    \tif a:\n            b()\n"


def test_blank_lines_stay_empty():
    assert reindented("  a\n\n  b\n", 4) == "    a\n\n    b\n"


def test_a_file_with_windows_line_ends_gets_no_others():
    got = replace_body("def f():\r\n    return 1\r\n", (2, 2), "return 2\n", 4)
    assert got.count("\n") == got.count("\r\n")
    assert "    return 2\r\n" in got


def test_lines_are_replaced_and_inserted_by_number():
    assert replace_lines("a\nb\nc\n", 2, 2, "x\ny\n") == "a\nx\ny\nc\n"
    assert replace_lines("a\nb\n", 1, 0, "x") == "x\na\nb\n"
    with pytest.raises(ValueError, match="lines 3 to 9"):
        replace_lines("a\nb\n", 3, 9, "x")


def test_spans_middles_and_ends():
    assert replace_span("abcdef", 2, 4, "X") == "abXef"
    assert fill("a", "b", "c") == "abc"
    assert append("def f():", "    pass\n") == "def f():\n    pass\n"
    assert append("x\n", "y") == "x\ny"


@given(st.integers(0, 12), st.integers(1, 3))
def test_a_body_put_back_at_any_margin_means_the_same(margin, step):
    body = f"if a:\n{' ' * step}b = 1\nreturn b\n"
    moved = "".join(f"{' ' * margin}{line}\n" for line in body.splitlines())
    whole = replace_body("def f(a):\n    pass\n", (2, 2), moved, 4)
    assert ast.dump(ast.parse(whole)) == ast.dump(ast.parse("def f(a):\n if a:\n  b = 1\n return b\n"))
