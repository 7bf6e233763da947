"""CodeBLEU against hand computations and the package `codebleu` 0.7.0 of the package index, and its data flow by eye."""

import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steelyard.benchmarks.code.codebleu.dataflow import Edge, Flow, dataflow, joined, normalised
from steelyard.benchmarks.code.codebleu.ngrams import bleu, weighted
from steelyard.benchmarks.code.codebleu.score import codebleu
from steelyard.benchmarks.code.codebleu.similarity import chrf, edit_similarity
from steelyard.benchmarks.code.codebleu.syntax import subtrees
from steelyard.benchmarks.code.static.languages import language
from steelyard.benchmarks.code.static.trees import parse
from tests.conftest import need


@pytest.fixture(autouse=True)
def _grammars():
    need("tree_sitter")


SUM = "def f(a, b):\n    total = a + b\n    for i in range(total):\n        total = total - i\n    return total\n"
SUM_2 = "def f(x, y):\n    s = x + y\n    for k in range(s):\n        s = s + k\n    return s\n"
DOUBLE = "def g(xs):\n    out = []\n    for x in xs:\n        if x > 0:\n            y = x * 2\n            out.append(y)\n    return out\n"
DOUBLE_2 = "def g(xs):\n    return [x * 2 for x in xs if x > 0]\n"
LOOP = "int sum(int n) { int s = 0; for (int i = 0; i < n; i++) { s = s + i; } return s; }"
LOOP_2 = "int sum(int n) { int total = 0; int k = 0; while (k < n) { total += k; k++; } return total; }"
# What calc_codebleu of codebleu 0.7.0 gave, with tree-sitter 0.26.1 and the same grammars:
# ngram_match_score, weighted_ngram_match_score, syntax_match_score, dataflow_match_score.
PACKAGE = [
    ("python", SUM, SUM_2, (0.016562, 0.019141, 1.0, 1.0)),
    ("python", DOUBLE, DOUBLE_2, (0.092861, 0.107319, 0.15, 1 / 3)),
    ("java", LOOP, LOOP_2, (0.193653, 0.200866, 2 / 3, 5 / 6)),
]


@pytest.mark.parametrize(("name", "reference", "candidate", "expected"), PACKAGE)
def test_the_four_components_of_the_package(name, reference, candidate, expected):
    table = language(name)
    trees, present = subtrees(parse(name, reference).root_node), set(subtrees(parse(name, candidate).root_node))
    ours, theirs = (normalised(dataflow(parse(name, s), table)) for s in (candidate, reference))
    got = (
        bleu(reference.split(), candidate.split()),
        weighted(reference.split(), candidate.split(), table.keywords),
        sum(tree in present for tree in trees) / len(trees),
        (Counter(theirs) & Counter(ours)).total() / len(theirs),
    )
    assert got == pytest.approx(expected, abs=1e-6)


def test_bleu_by_hand():
    # 3 of 4 tokens, 2 of 3 pairs, 1 of 2 triples, 0 of 1 quadruple (smoothed to 0.1); 4 tokens against 5
    expected = math.exp(1 - 5 / 4) * (3 / 4 * 2 / 3 * 1 / 2 * 0.1) ** 0.25
    assert bleu(["a", "b", "c", "d", "e"], ["a", "b", "c", "x"]) == pytest.approx(expected)
    assert bleu("abc", "abc") == pytest.approx((1 * 1 * 1 * 0.1) ** 0.25)  # no quadruple: 0 of max(1, 0)
    assert bleu("abc", "abc", effective=True) == 1.0
    assert bleu("abc", "") == 0.0
    assert bleu("abc", "xyz") == 0.0


def test_weighted_recall_by_hand():
    # unigrams: `return` weighs 1, x and y 0.2 each; found: return and x. Pairs: 1 of 2; triples 0 of 1; quadruples 0 of 0.
    expected = (1.2 / 1.4 * 1 / 2 * 0.1 * 0.1) ** 0.25
    got = weighted(["return", "x", "y"], ["return", "x", "z"], {"return"})
    assert got == pytest.approx(expected)


def test_the_released_brevity_penalty_takes_the_reference_for_two_tokens_long():
    reference = ["a"] * 50
    short = weighted(reference, ["a"] * 3, set())
    assert short == pytest.approx((0.2 * 3 / (0.2 * 50) * 2 / 49 * 1 / 48 * 0.1 / 47) ** 0.25)
    fair = weighted(reference, ["a"] * 3, set(), effective=True)
    assert fair == pytest.approx(short * math.exp(1 - 50 / 3))


def edges(name, source):
    return [(e.name, e.relation, tuple(e.parents)) for e in dataflow(parse(name, source), language(name))]


def test_data_flow_of_python_by_eye():
    got = edges("python", "a = 1\nb = a + c\n")
    # b is computed from a and c; the a read there comes from the a assigned; nobody gave c
    assert got == [
        ("a", "computedFrom", ("1",)), ("1", "comesFrom", ()), ("b", "computedFrom", ("a", "c")),
        ("a", "comesFrom", ("a",)), ("c", "comesFrom", ()),
    ]  # fmt: skip


def test_after_a_branch_a_variable_may_come_from_either_side():
    found = dataflow(parse("python", "if c:\n    x = 1\nelse:\n    x = 2\ny = x\n"), language("python"))
    read = [edge for edge in found if edge.name == "x" and edge.relation == "comesFrom"]
    assert [len(edge.origins) for edge in read] == [2]


def test_pairs_of_a_tuple_assignment():
    got = edges("python", "x, y = a, b\n")
    assert ("x", "computedFrom", ("a",)) in got
    assert ("y", "computedFrom", ("b",)) in got


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("c", "int f(int a) { int b = a; return b; }"), ("cpp", "int f(int a) { auto b = a; return b; }"),
        ("csharp", "int F(int a) { var b = a; return b; }"), ("go", "func f(a int) int { b := a; return b }"),
        ("java", "int f(int a) { int b = a; return b; }"), ("javascript", "function f(a) { let b = a; return b; }"),
        ("kotlin", "fun f(a: Int): Int { val b = a; return b }"), ("lua", "function f(a) local b = a return b end"),
        ("php", "<?php function f($a) { $b = $a; return $b; }"), ("python", "def f(a):\n    b = a\n    return b"),
        ("rust", "fn f(a: i32) -> i32 { let b = a; b }"), ("scala", "def f(a: Int): Int = { val b = a; b }"),
        ("solidity", "contract C { function f(uint a) public { uint b; b = a; g(b); } }"),
        ("swift", "func f(a: Int) -> Int { let b = a; return b }"), ("typescript", "function f(a: number) { const b = a; return b; }"),
    ],
)  # fmt: skip
def test_in_every_language_b_has_its_value_from_a_and_the_result_from_b(name, source):
    found = [(n.lstrip("$"), tuple(p.lstrip("$") for p in parents)) for n, _, parents in edges(name, source)]
    assert ("b", ("a",)) in found
    assert ("b", ("b",)) in found


def test_renaming_changes_no_normalised_edge():
    flow = [normalised(dataflow(parse("python", s), language("python"))) for s in (SUM, SUM.replace("total", "whole"))]
    assert flow[0] == flow[1]
    assert len(flow[0]) == 12  # as the package counts them


def test_one_edge_a_place_and_unrelated_places_left_out():
    kept = joined(
        [
            Edge("x", 4, "comesFrom", ["y"], [0]),
            Edge("x", 4, "computedFrom", ["z"], [9]),
            Edge("q", 7, "comesFrom", [], []),
        ]
    )
    assert kept == [Edge("x", 4, "comesFrom", ["y", "z"], [0, 9])]


def test_subtrees_are_equal_where_their_expressions_are():
    one, two = (parse("python", s).root_node for s in ("f(a)\n", "g(b)\n"))
    assert str(one) == str(two)
    assert subtrees(one) == subtrees(two)
    assert subtrees(one) != subtrees(parse("python", "f(a, b)\n").root_node)
    assert len(subtrees(one)) == 4  # module, statement, call, arguments; not the two identifiers


def test_scores_of_a_function_with_itself_with_nothing_and_with_prose():
    for source in (SUM, "def f():\n    pass\n"):
        assert codebleu("python", source, source).score == 1.0
        assert codebleu("python", source, "").score == 0.0
    assert codebleu("python", "def f():\n    pass\n", "def f():\n    pass\n").dataflow is None
    assert codebleu("python", SUM, "Sorry, I cannot do that.").score < 0.2


def test_comments_do_not_count_and_what_was_given_is_no_merit():
    assert codebleu("python", SUM, SUM.replace("\n    return", "  # why\n    return")).score == 1.0
    given = "def f(a, b)"
    assert (
        codebleu("python", SUM, f"{given}:\n    pass\n", given=given).bleu
        < codebleu("python", SUM, f"{given}:\n    pass\n").bleu
    )


def test_a_sum_of_a_thousand_terms_is_no_trouble():
    deep = "def f(x):\n    return " + " + ".join(["x"] * 1000) + "\n"
    assert codebleu("python", deep, deep).score == 1.0


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=80), st.sampled_from(["python", "java", "php", "solidity"]))
def test_any_text_has_scores_between_0_and_1(text, name):
    reference = {"python": SUM, "java": LOOP}.get(name, "function f() { return 1; }")
    parts = codebleu(name, reference, text)
    values = [
        parts.bleu,
        parts.weighted,
        parts.ast,
        parts.score,
        chrf(reference, text),
        edit_similarity(reference, text),
    ]
    assert all(0.0 <= v <= 1.0 + 1e-12 for v in values)


def test_chrf_and_edit_similarity_by_hand():
    assert chrf("ab", "ab") == pytest.approx(1.0)
    # characters: 1 of 2 each way, pairs: 0 of 1 each way; precision = recall = 1/4
    assert chrf("ab", "ac") == pytest.approx(0.25)
    assert chrf("ab", "") == 0.0
    assert edit_similarity("a  b\nc", "a b d") == pytest.approx(4 / 5)


def test_a_leaf_is_walked_once():
    assert Flow(language("python")).edges(parse("python", "x\n").root_node) == [Edge("x", 0, "comesFrom", [], [])]
