"""The functions of a Python file that a case can be made of: where signature, docstring and body stand."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

_Def = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Function:
    """One function or method. Lines count from 1, both ends inclusive.

    qualname: `Class.method` or `function`. signature: from `def` to its colon. body: what follows signature and docstring,
    with comments; indent: blanks before it. statements: in the body, nested ones included. decorated: names of decorators.
    """

    path: str
    qualname: str
    signature: tuple[int, int]
    body: tuple[int, int]
    indent: int
    docstring: str
    statements: int
    decorators: tuple[str, ...] = ()
    asynchronous: bool = False

    @property
    def method(self) -> bool:
        return "." in self.qualname

    @property
    def name(self) -> str:
        return self.qualname.rpartition(".")[2]


def functions(path: str, source: str) -> list[Function]:
    """Functions at the top of a file and in classes there (not those inside functions, nor a name that stands twice).

    A body on the line of its signature or its docstring is left out: no lines could be replaced. A file that does not parse
    has none.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return []
    lines = source.split("\n")
    found = [(name, node) for name, node in _walk(tree, "")]
    often = Counter(name for name, _ in found)
    out = [_function(path, name, node, lines) for name, node in found if often[name] == 1]
    return [function for function in out if function is not None]


def _walk(node: ast.AST, before: str) -> Iterator[tuple[str, _Def]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _Def):
            yield f"{before}{child.name}", child
        elif isinstance(child, ast.ClassDef):
            yield from _walk(child, f"{before}{child.name}.")
        elif isinstance(child, ast.If | ast.Try):
            yield from _walk(child, before)


def _function(path: str, name: str, node: _Def, lines: list[str]) -> Function | None:
    documented = ast.get_docstring(node) is not None
    code = node.body[1:] if documented else node.body
    if not code:
        return None
    above = node.body[0].end_lineno if documented else _colon(node, lines)
    first, last = min(_top(code[0]), code[0].lineno), code[-1].end_lineno
    if above is None or last is None or first <= above or first <= node.lineno:
        return None
    signature_end = _colon(node, lines)
    start = above + 1
    while not lines[start - 1].strip():
        start += 1
    indent = len(lines[first - 1]) - len(lines[first - 1].lstrip())
    if lines[first - 1][:indent].strip(" "):  # tabs: the official record has a number of blanks
        return None
    return Function(
        path, name, (node.lineno, signature_end), (start, last), indent, ast.get_docstring(node) or "",
        sum(isinstance(n, ast.stmt) for s in code for n in ast.walk(s)),
        tuple(ast.unparse(d).partition("(")[0] for d in node.decorator_list), isinstance(node, ast.AsyncFunctionDef),
    )  # fmt: skip


def _top(statement: ast.stmt) -> int:
    return min([statement.lineno, *(d.lineno for d in getattr(statement, "decorator_list", []))])


def _colon(node: _Def, lines: list[str]) -> int:
    """The line on which the signature ends."""
    parts = [*ast.walk(node.args), *([node.returns] if node.returns else [])]
    line: int = max([node.lineno, *(getattr(part, "end_lineno", None) or 0 for part in parts)])
    while not lines[line - 1].partition("#")[0].rstrip().endswith(":") and line < _top(node.body[0]):
        line += 1
    return line


def text_of(source: str, first: int, last: int) -> str:
    """Lines `first` to `last` of a source, with the last one's end."""
    return "\n".join(source.split("\n")[first - 1 : last]) + "\n"
