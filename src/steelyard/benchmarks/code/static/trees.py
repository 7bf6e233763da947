"""Syntax trees of fifteen languages: the one door to tree-sitter, whose grammars are loaded when first asked for."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from steelyard.core.errors import MissingError, unknown

if TYPE_CHECKING:
    from tree_sitter import Node, Parser, Tree

# language -> module of its grammar and the function in it
_GRAMMARS = {
    "c": ("tree_sitter_c", "language"),
    "cpp": ("tree_sitter_cpp", "language"),
    "csharp": ("tree_sitter_c_sharp", "language"),
    "go": ("tree_sitter_go", "language"),
    "java": ("tree_sitter_java", "language"),
    "javascript": ("tree_sitter_javascript", "language"),
    "kotlin": ("tree_sitter_kotlin", "language"),
    "lua": ("tree_sitter_lua", "language"),
    "php": ("tree_sitter_php", "language_php"),
    "python": ("tree_sitter_python", "language"),
    "rust": ("tree_sitter_rust", "language"),
    "scala": ("tree_sitter_scala", "language"),
    "solidity": ("tree_sitter_solidity", "language"),
    "swift": ("tree_sitter_swift", "language"),
    "tsx": ("tree_sitter_typescript", "language_tsx"),
    "typescript": ("tree_sitter_typescript", "language_typescript"),
}
LANGUAGES = tuple(_GRAMMARS)


@cache
def _parser(language: str) -> Parser:
    if language not in _GRAMMARS:
        raise unknown("language", language, _GRAMMARS)
    name, attribute = _GRAMMARS[language]
    try:
        import tree_sitter

        module = importlib.import_module(name)
    except ImportError as error:
        cure = "pip install 'steelyard[code]'"
        raise MissingError(f"the grammar of {language} ({name}) is not installed.", cure) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # some grammars still hand over a number
        return tree_sitter.Parser(tree_sitter.Language(getattr(module, attribute)()))


def parse(language: str, source: str | bytes) -> Tree:
    """The tree of `source`. Positions are bytes of its UTF-8, never characters; broken code gives ERROR nodes.

    Raises MissingError where the grammar is not installed, InputError for a language not known.
    """
    return _parser(language).parse(source.encode("utf-8", "replace") if isinstance(source, str) else source)


def walk(node: Node) -> Iterator[Node]:
    """`node` and all nodes below it, in the order of the text."""
    stack = [node]
    while stack:
        top = stack.pop()
        yield top
        stack.extend(reversed(top.children))


def text(node: Node) -> str:
    """The source of a node."""
    return (node.text or b"").decode("utf-8", "replace")
