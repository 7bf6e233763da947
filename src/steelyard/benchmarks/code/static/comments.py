"""Source text without its comments, in fifteen languages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from steelyard.benchmarks.code.static.languages import Language, language
from steelyard.benchmarks.code.static.trees import parse, walk

if TYPE_CHECKING:
    from tree_sitter import Node

_BLANK_LINES = re.compile(rb"\n[ \t\r\f]*(?=\n)")
_SCOPES = ("function_definition", "class_definition", "module", "block")
_TAG = "<?php\n"


def parsed(name: str, source: str) -> Node:
    """The root of `source`. PHP without its opening tag gets one, for without it everything is text."""
    if name == "php" and "<?" not in source:
        source = _TAG + source
    return parse(name, source).root_node


def without_comments(name: str, source: str) -> str:
    """`source` less its comments, the docstrings of Python, and lines that are then empty.

    InputError for a language that is not known. Code that does not parse keeps what is not recognised as a comment.
    """
    table = language(name)
    tag = len(_TAG) if table.name == "php" and "<?" not in source else 0
    data = source.encode("utf-8", "replace")
    kept, at = bytearray(), 0
    for node in walk(parsed(table.name, source)):
        if node.type in table.comments or is_docstring(table, node):
            start, end = node.start_byte - tag, node.end_byte - tag
            if start >= at:
                kept += data[at:start]
                at = end
    kept += data[at:]
    return _BLANK_LINES.sub(b"", bytes(kept)).decode("utf-8", "replace").strip("\n")


def is_docstring(table: Language, node: Node) -> bool:
    """Whether `node` is a string of Python that stands alone as the first statement of its scope."""
    if table.name != "python" or node.type != "string" or node.parent is None:
        return False
    statement = node.parent
    if statement.type != "expression_statement" or statement.named_child_count != 1 or statement.parent is None:
        return False
    scope = statement.parent
    first = next((child for child in scope.named_children if child.type not in table.comments), None)
    return scope.type in _SCOPES and first == statement
