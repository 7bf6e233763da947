"""Functions and methods that stand alone: their syntax tree, bare or inside a class, and where they end."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from steelyard.benchmarks.code.static.comments import parsed

if TYPE_CHECKING:
    from tree_sitter import Node

_OPENING = 3  # characters that may open a body, such as ` {`
_FUNCTION = re.compile(r"function|method|constructor")
# A method is no program by itself in these languages.
_CLASS = dict.fromkeys(("java", "csharp", "javascript", "typescript", "kotlin", "scala", "swift", "php"), ("class C {\n", "\n}")) | {"solidity": ("contract C {\n", "\n}")}  # fmt: skip


def wraps(name: str, source: str) -> bool:
    """Whether a piece of code has fewer errors as the body of a class than by itself."""
    bare = parsed(name, source)
    return bare.has_error and name in _CLASS and count_errors(root(name, source, wrapped=True)) < count_errors(bare)


def root(name: str, source: str, *, wrapped: bool) -> Node:
    """The tree of a piece of code, by itself or as the body of a class."""
    before, after = _CLASS[name] if wrapped else ("", "")
    return parsed(name, f"{before}{source}{after}")


def errors(name: str, source: str) -> int:
    """Nodes in error or missing in the better of the two trees; 0 where the code parses."""
    bare = count_errors(parsed(name, source))
    return min(bare, count_errors(root(name, source, wrapped=True))) if bare and name in _CLASS else bare


def count_errors(node: Node) -> int:
    """How many nodes from `node` downwards are in error or were put in by the parser."""
    stack, count = [node], 0
    while stack:
        top = stack.pop()
        count += top.is_error or top.is_missing
        if top.has_error:
            stack.extend(top.children)
    return count


def enclosing(name: str, source: str, length: int) -> int:
    """Where the function that begins `source` ends (an offset in characters); the whole of it where that is not clear.

    length: characters of its declaration: a construct that ends within them is not the function.
    """
    whole, top = len(source.rstrip()), _first(name, source)
    if top is None or top.has_error:
        return whole
    indent = len(source) - len(source.lstrip())
    size = top.end_byte - top.start_byte
    end = indent + len(source.lstrip().encode("utf-8", "replace")[:size].decode("utf-8", "replace"))
    return min(whole, end) if end > length + _OPENING else whole


def is_function(name: str, source: str) -> bool:
    """Whether a piece of code begins with a function or method that parses."""
    top = _first(name, source)
    while top is not None:
        if top.has_error:
            return False
        if _FUNCTION.search(top.type):
            return True
        top = next((child for child in top.named_children if child.start_byte == top.start_byte), None)
    return False


def _first(name: str, source: str) -> Node | None:
    """The largest construct that begins where the code begins, below the program or the class around it."""
    source = source.strip()
    tree = root(name, source, wrapped=wraps(name, source))
    start = tree.end_byte - len(tree.text or b"")
    start += (tree.text or b"").find(source.encode("utf-8", "replace"))
    node, top = tree.descendant_for_byte_range(start, start + 1), None
    while node is not None and node.start_byte == start and node.parent is not None:
        top, node = node, node.parent
    return top
