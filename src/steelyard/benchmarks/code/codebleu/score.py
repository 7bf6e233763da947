"""CodeBLEU of one pair of programs, its four components beside it (arXiv:2009.10297)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from steelyard.benchmarks.code.codebleu.dataflow import Flow, joined, normalised
from steelyard.benchmarks.code.codebleu.ngrams import bleu, weighted
from steelyard.benchmarks.code.codebleu.syntax import subtrees
from steelyard.benchmarks.code.static import fragments
from steelyard.benchmarks.code.static.comments import is_docstring, without_comments
from steelyard.benchmarks.code.static.languages import Language, language
from steelyard.benchmarks.code.static.trees import text

if TYPE_CHECKING:
    from tree_sitter import Node

FlowItem = tuple[str, str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Parts:
    """The components, each in [0, 1]; dataflow is None where the reference has no data flow."""

    bleu: float
    weighted: float
    ast: float
    dataflow: float | None

    @property
    def score(self) -> float:
        """Their mean in [0, 1], over those that exist."""
        found = [part for part in (self.bleu, self.weighted, self.ast, self.dataflow) if part is not None]
        return sum(found) / len(found)


def codebleu(
    name: str, reference: str, candidate: str, *, given: str = "", tokens: Callable[[str], Sequence[str]] | None = None
) -> Parts:
    """Both are whole functions in the language `name`; comments do not count.

    given: a beginning, such as the declaration, that was no task: n-grams are those behind it. tokens: how to split a
    text, by default into the leaves of its syntax tree. A reference scores 1 against itself and
    an empty candidate 0: orders of n-grams that the reference lacks, and data flow that it lacks, are left out, and text
    of which nothing parses matches no tree. InputError for a language that is not known.
    """
    table = language(name)
    target = _target(table, reference, given)
    source = without_comments(table.name, candidate)
    if not source.strip():
        return Parts(0.0, 0.0, 0.0, None if not target.flow else 0.0)
    root = fragments.root(table.name, source, wrapped=target.wrapped)
    theirs, ours = (
        (tokens(target.source), tokens(source)) if tokens else (target.tokens, _behind(table, root, source, given))
    )
    trees = set() if root.type == "ERROR" and not target.broken else set(subtrees(root))
    flow = None
    if target.flow:
        found = Counter(normalised(joined(Flow(table).edges(root))))
        flow = (Counter(target.flow) & found).total() / len(target.flow)
    return Parts(
        bleu(theirs, ours, effective=True),
        weighted(theirs, ours, table.keywords, effective=True),
        sum(tree in trees for tree in target.trees) / len(target.trees),
        flow,
    )


def leaves(table: Language, root: Node, start: int = 0) -> list[str]:
    """The tokens of a tree from a byte on: its leaves, strings whole, comments and docstrings left out."""
    stack, found = [root], []
    while stack:
        node = stack.pop()
        if node.end_byte <= start or node.type in table.comments or is_docstring(table, node):
            continue
        if not node.child_count or node.type in table.strings:
            if word := text(node).strip():
                found.append(word)
        else:
            stack.extend(reversed(node.children))
    return found


@dataclass(frozen=True, slots=True)
class _Target:
    """A reference, looked at once. wrapped: it parses better inside a class. broken: its own root is in error."""

    source: str
    wrapped: bool
    broken: bool
    tokens: list[str]
    trees: list[str]
    flow: list[FlowItem]


@lru_cache(maxsize=64)
def _target(table: Language, reference: str, given: str) -> _Target:
    source = without_comments(table.name, reference)
    wrapped = fragments.wraps(table.name, source)
    root = fragments.root(table.name, source, wrapped=wrapped)
    flow = normalised(joined(Flow(table).edges(root)))
    return _Target(source, wrapped, root.type == "ERROR", _behind(table, root, source, given), subtrees(root), flow)


def _behind(table: Language, root: Node, source: str, given: str) -> list[str]:
    """The tokens of a function behind what was given, where the function begins with it; else all."""
    if not given or not source.startswith(given):
        return leaves(table, root)
    before = (root.text or b"").find(source.encode("utf-8", "replace"))
    return leaves(table, root, root.start_byte + before + len(given.encode("utf-8", "replace"))) or leaves(table, root)
