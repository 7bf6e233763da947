"""Every grammar parses a program of its language, and broken code is told from whole."""

import pytest

from steelyard.benchmarks.code.static import trees
from steelyard.core.errors import InputError
from tests.conftest import need

PROGRAMS = {
    "c": "int f(int x) { return g(x); }",
    "cpp": "template <class T> T f(T x) { return x; }",
    "csharp": "class A { int F() => 1; }",
    "go": "package a\nfunc f() int { return 1 }",
    "java": "class A { int f() { return 1; } }",
    "javascript": "const f = (x) => x + 1;",
    "kotlin": "fun f(x: Int): Int { return x + 1 }",
    "lua": "function f(x) return x end",
    "php": "<?php function f($x) { return $x; }",
    "python": "def f(x):\n    return x\n",
    "rust": "fn f(x: i32) -> i32 { x + 1 }",
    "scala": "object A { def f(x: Int) = x + 1 }",
    "solidity": "contract A { function f() public {} }",
    "swift": "func f(x: Int) -> Int { return x }",
    "tsx": "const a = <b>{x}</b>;",
    "typescript": "function f(x: number): number { return x; }",
}


@pytest.mark.parametrize("language", trees.LANGUAGES)
def test_whole_and_broken_programs(language):
    need("tree_sitter")
    whole = trees.parse(language, PROGRAMS[language]).root_node
    assert not whole.has_error
    assert trees.text(whole).strip() == PROGRAMS[language].strip()
    assert trees.parse(language, PROGRAMS[language][:-3] + " ((( ").root_node.has_error


def test_positions_are_bytes():
    need("tree_sitter")
    names = [n for n in trees.walk(trees.parse("python", "é = 1\nb = 2\n").root_node) if n.type == "identifier"]
    assert [(n.start_byte, trees.text(n)) for n in names] == [(0, "é"), (7, "b")]


def test_an_unknown_language_is_named():
    with pytest.raises(InputError, match="cobol"):
        trees.parse("cobol", "")
