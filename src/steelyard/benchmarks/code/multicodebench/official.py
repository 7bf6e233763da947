"""The released scorer of MultiCodeBench (commit 350f6118), rule by rule, with its defects."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING

from steelyard.benchmarks.code.codebleu.dataflow import Edge, Flow, States, joined, normalised
from steelyard.benchmarks.code.codebleu.ngrams import bleu, weighted
from steelyard.benchmarks.code.codebleu.score import FlowItem, Parts
from steelyard.benchmarks.code.codebleu.syntax import subtrees
from steelyard.benchmarks.code.static.languages import Language, language
from steelyard.benchmarks.code.static.trees import parse, text, walk

if TYPE_CHECKING:
    from tree_sitter import Node

_BLANK_LINES = re.compile(r"\n\s*\n")
_DOCSTRING_OF = ("function_definition", "class_definition", "module", "expression_statement")


def official(language_name: str, declaration: str, truth: str, output: str) -> Parts:
    """CodeBLEU of one output as released: text after position len(declaration), n-grams of characters, whole functions'
    trees and data flow; 0 for a data flow that the reference has not.
    """
    table = language(language_name)
    if table.name == "php":
        truth, output = (t if t.startswith("<?") else f"<?\n{t}" for t in (truth, output))
    truth, output = cleaned(table, truth) or truth, cleaned(table, output)
    cut = len(declaration)
    (trees, flow), (found, ours) = _structure(table, truth), _structure(table, output)
    present = set(found)
    return Parts(
        bleu(truth[cut:], output[cut:]),
        weighted(truth[cut:].split(), output[cut:].split(), table.keywords),
        sum(tree in present for tree in trees) / len(trees),
        (Counter(flow) & Counter(ours)).total() / len(flow) if flow else 0.0,
    )


@lru_cache(maxsize=64)
def _structure(table: Language, source: str) -> tuple[list[int], list[FlowItem]]:
    """Sub-trees and normalised data flow: by the released rules of Python, Java, C#, Go and C++, else by ours."""
    root = parse(table.name, cleaned(table, source)).root_node
    flow = {"python": Touching, "java": Touching, "csharp": Touching, "go": Touching, "cpp": Tokens}.get(
        table.name, Flow
    )
    return subtrees(root), normalised(joined(flow(table).edges(root)))


@lru_cache(maxsize=128)
def cleaned(table: Language, source: str) -> str:
    """Comments (and docstrings of Python) overwritten with blanks, then blank lines dropped.

    As released, a comment of several lines takes its line ends with it, columns are bytes counted on characters, and the
    text ends with the line of the last token.
    """
    root = parse(table.name, source).root_node
    lines = source.splitlines(keepends=True)
    last, spans = root.end_point[0], []
    for node in walk(root):
        if node.type in table.comments or (table.name == "python" and _is_docstring(node)):
            spans.append((node.start_point, node.end_point))
        if node.type not in table.comments and node.type not in table.strings:
            last = node.end_point[0]
    for (row, column), (end_row, end_column) in sorted(spans, reverse=True):
        if end_row >= len(lines):
            continue
        if row == end_row:
            lines[row] = lines[row][:column] + " " * (end_column - column) + lines[row][end_column:]
            continue
        lines[row] = lines[row][:column] + " " * (len(lines[row]) - column)
        for between in range(row + 1, end_row):
            lines[between] = " " * len(lines[between])
        lines[end_row] = " " * end_column + lines[end_row][end_column:]
    kept = "\n".join("".join(lines).splitlines()[root.start_point[0] : last + 1])
    return _BLANK_LINES.sub("\n", kept)


def _is_docstring(node: Node) -> bool:
    if node.type != "string" or node.parent is None or node.parent.type not in _DOCSTRING_OF:
        return False
    return node.parent.type != "expression_statement" or node.parent.children[0] == node


class Touching(Flow):
    """Names as the released scorer of MultiCodeBench forms them for Python and Java: a token with all that touch it.

    Punctuation is taken for variables there, so that `f(x)` has the names `f (`, `f ( x`, `( x )` and `x )`.
    """

    def edges(self, root: Node) -> list[Edge]:
        skipped = ("ERROR", *self.language.comments)
        self._tokens = [leaf for leaf in walk(root) if not leaf.child_count and leaf.type not in skipped]
        self._starts = [leaf.start_byte for leaf in self._tokens]
        self._ends = [leaf.end_byte for leaf in self._tokens]
        return super().edges(root)

    def name(self, node: Node) -> str:
        first, last = bisect_left(self._ends, node.start_byte), bisect_right(self._starts, node.end_byte)
        return " ".join(text(leaf) for leaf in self._tokens[first:last])

    def variables(self, node: Node | None) -> list[Node]:
        return [] if node is None else [leaf for leaf in self._leaves(node) if self.name(leaf)]


class Tokens(Flow):
    """The released rules for C++, which ask first whether a node's span is that of a token: only tokens pass.

    No declaration, assignment or branch is therefore looked at; a variable has its value from where it stood first.
    """

    def walk(self, node: Node, states: States) -> list[Edge]:
        if not node.child_count:
            return [] if node.type in ("ERROR", *self.language.comments) else self._token(node, states)
        if node.type == "parameter_declaration" and node.child_count == 1 and not node.children[0].child_count:
            return []
        return self._all(node.children, states)
