"""Calls, imports and comments of small programs whose names were counted by eye, in all fifteen languages."""

import pytest

from steelyard.benchmarks.code.static import calls
from steelyard.benchmarks.code.static.comments import without_comments
from steelyard.benchmarks.code.static.fragments import enclosing, errors, is_function
from steelyard.benchmarks.code.static.languages import known, language
from steelyard.core.errors import InputError
from tests.conftest import need


@pytest.fixture(autouse=True)
def _grammars():
    need("tree_sitter")


# language: (a function with two calls and one comment `note`, the calls as written)
PROGRAMS = {
    "c": ("int f(int a) {\n  /* note */\n  int b = g(a);\n  return p->h(b);\n}", ["g", "p->h"]),
    "cpp": ("int f(int a) {\n  // note\n  auto b = n::g(a);\n  return Cast<T>(b);\n}", ["n::g", "Cast<T>"]),
    "csharp": ("int F(int a)\n{\n  // note\n  var b = x.G(a);\n  return new H(b);\n}", ["x.G", "H"]),
    "go": ("func f(a int) int {\n\t// note\n\tb := x.G(a)\n\treturn h(b)\n}", ["x.G", "h"]),
    "java": ("int f(int a) {\n  // note\n  int b = x.y.g(a);\n  return new H(b);\n}", ["x.y.g", "H"]),
    "javascript": ("function f(a) {\n  // note\n  const b = x.g(a);\n  return new H(b);\n}", ["x.g", "H"]),
    "kotlin": ("fun f(a: Int): Int {\n  // note\n  val b = x.g(a)\n  return h(b)\n}", ["x.g", "h"]),
    "lua": ("function f(a)\n  -- note\n  local b = x.g(a)\n  return x:h(b)\nend", ["x.g", "x:h"]),
    "php": ("function f($a) {\n  // note\n  $b = $x->g($a);\n  return h($b);\n}", ["$x->g", "h"]),
    "python": ("def f(a):\n    # note\n    b = x.g(a)\n    return h(b)", ["x.g", "h"]),
    "rust": ("fn f(a: i32) -> i32 {\n  // note\n  let b = x.g(a);\n  A::h(b)\n}", ["x.g", "A::h"]),
    "scala": ("def f(a: Int): Int = {\n  // note\n  val b = x.g(a)\n  h(b)\n}", ["x.g", "h"]),
    "solidity": ("function f(uint a) public {\n  // note\n  uint b = x.g(a);\n  emit H(b);\n}", ["x.g", "H"]),
    "swift": ("func f(a: Int) -> Int {\n  // note\n  let b = x.g(a)\n  return h(b)\n}", ["x.g", "h"]),
    "typescript": ("function f(a: number) {\n  // note\n  const b = x.g(a);\n  return h<T>(b);\n}", ["x.g", "h"]),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_calls_in_every_language(name):
    source, called = PROGRAMS[name]
    assert calls.calls(name, source) == called


@pytest.mark.parametrize("name", PROGRAMS)
def test_comments_go_and_nothing_else(name):
    source, called = PROGRAMS[name]
    bare = without_comments(name, source)
    assert "note" not in bare
    assert bare == "\n".join(line for line in source.split("\n") if "note" not in line)
    assert calls.calls(name, bare) == called


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_function_parses_and_ends_where_it_ends(name):
    source = PROGRAMS[name][0]
    assert errors(name, source) == 0
    assert is_function(name, source)
    assert enclosing(name, f"{source}\n\n{source}", 5) == len(source)


def test_all_fifteen_are_known_and_others_are_refused():
    assert set(known()) == set(PROGRAMS)
    assert language("CSharp").name == "csharp"
    with pytest.raises(InputError, match="unknown language 'cobol'"):
        language("cobol")


def test_docstrings_are_comments_of_python_and_other_strings_are_not():
    source = 'def f():\n    """What it does."""\n    "kept"\n    return """text"""'
    assert without_comments("python", source) == 'def f():\n    "kept"\n    return """text"""'


def test_a_comment_mark_inside_a_string_is_no_comment():
    assert without_comments("java", 'String u = "http://a"; // note') == 'String u = "http://a"; '
    assert without_comments("python", 's = "# no"') == 's = "# no"'


def test_names():
    assert calls.simple_name("NekoGui::Manager::Add") == "Add"
    assert calls.simple_name("Cast<std::vector<int>>") == "Cast"
    assert calls.simple_name("get(a).b(c)[0].d") == "d"
    assert calls.simple_name("$this->load") == "load"
    assert calls.root_name("np.linalg.norm") == "np"
    assert calls.root_name('"a".join') == ""


def test_imports_as_written():
    source = "import numpy as np\nfrom a import b\n\ndef f():\n    import c\n"
    assert calls.imports("python", source) == ["import numpy as np", "from a import b", "import c"]
    assert calls.identifiers(["import numpy as np"]) >= {"numpy", "np"}


@pytest.mark.parametrize(
    ("name", "statement", "is_open"),
    [
        ("python", "from a import *", True), ("python", "from a import b", False), ("java", "import a.b.*;", True),
        ("java", "import a.b.C;", False), ("cpp", '#include "a.h"', True), ("csharp", "using System;", True),
        ("swift", "import UIKit", True), ("go", '"crypto/sha256"', False), ("scala", "import a.b._", True),
        ("javascript", "import { a } from 'b';", False),
    ],
)  # fmt: skip
def test_imports_that_do_not_list_their_names(name, statement, is_open):
    assert calls.is_open(name, [statement]) is is_open


def test_held_names_are_those_that_stand_elsewhere_than_before_a_call():
    source = "def f(model, x):\n    y = model.fit(x)\n    return np.sum(y)"
    assert calls.held("python", source) >= {"model", "x", "y"}
    assert "np" not in calls.held("python", source)
