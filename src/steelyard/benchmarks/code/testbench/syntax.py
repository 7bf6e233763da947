"""Whether a text is a Java file, by two parsers: javalang (the released check) and tree-sitter."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from steelyard.benchmarks.code.static import java

KEPT = 4096  # texts whose trees are asked for again: before and after a repair, in several contexts


@lru_cache(maxsize=KEPT)
def _javalang(text: str) -> tuple[tuple[str, bool], ...] | None:
    import javalang

    try:
        tree: Any = javalang.parse.parse(text)
    except Exception:  # its lexer and parser raise many kinds, RecursionError and StopIteration among them
        return None
    return tuple((kind.name, "public" in kind.modifiers) for kind in tree.types if hasattr(kind, "name"))


def javalang_parses(text: str) -> bool:
    """Whether javalang reads it. Its grammar is that of Java 8."""
    return _javalang(text) is not None


def published_class(text: str) -> str:
    """The name of the first public type by javalang; "" where it cannot parse or there is none: a syntax error."""
    return next((name for name, public in _javalang(text) or () if public), "")


def sound_class(text: str) -> str:
    """The same by tree-sitter."""
    source = java.read(text)
    return "" if source.errors else next((t.name for t in source.types if t.is_public), "")
