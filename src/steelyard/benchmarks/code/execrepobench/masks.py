"""Removes a fragment from a file: random lines, spans and syntax nodes, by the recipe of create_test_repo.py."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from steelyard.benchmarks.code.static import trees

LINE, LINES, SPAN = "Random Single-line Completion", "Random Multi-line Completion", "Random Span Completion"
EXPRESSION, STATEMENT, BLOCK = (f"grammar-based: {level}" for level in ("expression", "statement", "block"))
FILL_TYPES = (SPAN, LINE, LINES, EXPRESSION, STATEMENT, BLOCK)
# sampling weight -> node types of Python's grammar; renormalised over what a file has
WEIGHTS = (
    (0.10, ("import_statement", "import_from_statement")),
    (0.05, ("comment",)),
    (0.10, ("return_statement",)),
    (0.15, ("if_statement",)),
    (0.15, ("for_statement",)),
    (0.10, ("while_statement",)),
    (0.10, ("class_definition",)),
    (0.10, ("function_definition",)),
    (0.05, ("assignment",)),
    (0.05, ("expression_statement",)),
)
_BLOCKS = {"class_definition", "function_definition", "if_statement", "for_statement", "while_statement"}
_STATEMENTS = {"import_statement", "import_from_statement", "return_statement"}
WHOLE = 0.8  # how often a drawn node is masked whole
LEAST, MOST = 10, 512  # a stripped middle has more characters than the first and fewer than the second


@dataclass(frozen=True, slots=True)
class Mask:
    """A fragment of a text: characters `start` to `end`. node: the type of the syntax node that was drawn, if one was."""

    fill_type: str
    start: int
    end: int
    node: str = ""


def level(node_type: str) -> str:
    """The level of a masked node; identifiers, attributes, "=", assignments and everything else are expressions.

    A comment would be a "statment" (sic) of its own, but is always rejected for its "#".
    """
    return BLOCK if node_type in _BLOCKS else STATEMENT if node_type in _STATEMENTS else EXPRESSION


def draw(text: str, index: int, rng: np.random.RandomState) -> Mask | None:
    """One mask for the index-th attempt on a repository: lines for 0-2, several lines for 3-5, spans for 6-8, then nodes.

    None where the text has nothing of the kind.
    """
    if index < 9:
        return (_line, _lines, _span)[index // 3](text, rng)
    return _node(text, rng)


def rejected(middle: str, earlier: set[str]) -> str:
    """Why a middle makes no case; "" where it does. earlier: the middles of this repository so far."""
    size = len(middle.strip())
    if size <= LEAST:
        return f"no more than {LEAST} characters"
    if size >= MOST:
        return f"{MOST} characters or more"
    if "#" in middle:
        return "holds a comment or another #"
    return "repeats an earlier middle" if middle in earlier else ""


def _line(text: str, rng: np.random.RandomState) -> Mask:
    return _of_lines(text, int(rng.randint(text.count("\n") + 1)), 1, LINE)


def _lines(text: str, rng: np.random.RandomState) -> Mask:
    first = int(rng.randint(text.count("\n") + 1))
    return _of_lines(text, first, int(rng.randint(2, 11)), LINES)


def _of_lines(text: str, first: int, count: int, kind: str) -> Mask:
    """`count` lines from the `first` (from 0) on, without the last line's own end."""
    lines = text.split("\n")
    start = sum(len(line) + 1 for line in lines[:first])
    return Mask(kind, start, start + len("\n".join(lines[first : first + count])))


def _span(text: str, rng: np.random.RandomState) -> Mask:
    start = int(rng.randint(max(1, len(text))))
    return Mask(SPAN, start, min(len(text), start + int(rng.randint(1, 31))))


@dataclass(frozen=True, slots=True)
class _Node:
    """A syntax node: its characters, the lines it spans, and how many nodes its subtree has, itself included."""

    type: str
    start: int
    end: int
    lines: int
    size: int


def _node(text: str, rng: np.random.RandomState) -> Mask | None:
    """A node of a drawn type; with 0.8 and below 10 lines the whole of it, else any node of its subtree."""
    nodes = _nodes(text)
    lists = [[at for at, node in enumerate(nodes) if node.type in kinds] for _, kinds in WEIGHTS]
    weights = np.array([w if places else 0.0 for (w, _), places in zip(WEIGHTS, lists, strict=True)])
    if not weights.any():
        return None
    places = lists[int(rng.choice(len(lists), p=weights / weights.sum()))]
    at = places[int(rng.randint(len(places)))]
    node = nodes[at]
    if not (rng.random_sample() < WHOLE and node.lines < 10 and node.start > 0 and node.end < len(text)):
        node = nodes[at + int(rng.randint(node.size))]
    return Mask(level(node.type), node.start, node.end, node.type)


@lru_cache(maxsize=64)
def _nodes(text: str) -> tuple[_Node, ...]:
    """The nodes of a Python text in the order of the text, so that a subtree is a run of them."""
    found = list(trees.walk(trees.parse("python", text).root_node))
    ends = None if text.isascii() else np.cumsum([len(c.encode("utf-8", "replace")) for c in text])
    out: list[_Node] = []
    for node in found:
        places = (node.start_byte, node.end_byte)
        start, end = places if ends is None else (int(p) for p in np.searchsorted(ends, places, side="right"))
        out.append(_Node(node.type, start, end, node.end_point[0] - node.start_point[0] + 1, node.descendant_count))
    return tuple(out)
