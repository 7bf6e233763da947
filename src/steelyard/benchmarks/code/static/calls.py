"""What a piece of code calls and imports, by name, in fifteen languages."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from steelyard.benchmarks.code.static.comments import parsed
from steelyard.benchmarks.code.static.languages import language
from steelyard.benchmarks.code.static.trees import text, walk

if TYPE_CHECKING:
    from tree_sitter import Node

_LONGEST = 400  # bytes of a called name
_IDENTIFIER = re.compile(r"[^\W\d]\w*")
_BRACKETED = re.compile(r"<[^<>]*>|\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}")
_OPEN_IMPORT = re.compile(r"\*|#\s*include|^\s*using\b|\b_\s*;?\s*$|\.\{?_")
_MODULES_ARE_OPEN = ("swift", "solidity", "c", "cpp", "csharp")


def calls(name: str, source: str) -> list[str]:
    """The names called in `source`, in its order, as written (`np.zeros`, `dialog->exec`, `$this->load`), spaces removed.

    Constructors count (`new Foo()` calls `Foo`), and macros of Rust. InputError for a language that is not known.
    """
    table = language(name)
    root = parsed(table.name, source)
    data, start = root.text or b"", root.start_byte
    found = []
    for node in walk(root):
        if node.type not in table.calls:
            continue
        called = _part(node, table.calls[node.type])
        if called is None:
            continue
        first = node.child_by_field_name(table.receiver[node.type]) if node.type in table.receiver else None
        begin, end = (first or called).start_byte - start, called.end_byte - start
        if end - begin > _LONGEST:  # a chain of calls: its beginning and its end name it
            written = data[begin : begin + _LONGEST // 2] + b"..." + data[end - _LONGEST // 2 : end]
        else:
            written = data[begin:end]
        found.append("".join(written.decode("utf-8", "replace").split()))
    return found


def simple_name(called: str) -> str:
    """The last part of a called name: `zeros` of `np.zeros`, `Cast` of `Cast<T>`, `exec` of `dialog->exec`."""
    bare, before = called, ""
    while bare != before:
        before, bare = bare, _BRACKETED.sub("", bare)
    names = _IDENTIFIER.findall(bare)
    return names[-1] if names else ""


def root_name(called: str) -> str:
    """The first identifier of a called name: `np` of `np.zeros`; "" where it begins with no name (a literal, a call)."""
    found = _IDENTIFIER.match(called.lstrip("$!&*@"))
    return found[0] if found else ""


def imports(name: str, source: str) -> list[str]:
    """The import statements of `source`, as written."""
    table = language(name)
    return [text(node).strip() for node in walk(parsed(table.name, source)) if node.type in table.imports]


def identifiers(sources: Iterable[str]) -> set[str]:
    """Every identifier in some pieces of text, such as import statements."""
    return {found for source in sources for found in _IDENTIFIER.findall(source)}


def is_open(name: str, statements: Iterable[str]) -> bool:
    """Whether imports bring names that they do not list: wildcards, headers, whole modules and namespaces."""
    statements = list(statements)
    return (name in _MODULES_ARE_OPEN and bool(statements)) or any(_OPEN_IMPORT.search(s) for s in statements)


def held(name: str, source: str) -> set[str]:
    """Identifiers of `source` that stand anywhere but at the head of a call: parameters, variables, fields, arguments."""
    table = language(name)
    heads, found = set(), []
    for node in walk(parsed(table.name, source)):
        if node.type in table.calls:
            called = node.child_by_field_name(table.receiver.get(node.type, "")) or _part(node, table.calls[node.type])
            while called is not None and called.child_count and called.type not in table.calls:
                called = next(iter(called.named_children), None)
            if called is not None and not called.child_count:
                heads.add((called.start_byte, called.end_byte))
        elif not node.child_count and _IDENTIFIER.fullmatch(text(node)):
            found.append((node.start_byte, node.end_byte, text(node)))
    return {word for start, end, word in found if (start, end) not in heads} - table.keywords


def _part(node: Node, field: str) -> Node | None:
    if field:
        return node.child_by_field_name(field)
    return next(iter(node.named_children), None)
