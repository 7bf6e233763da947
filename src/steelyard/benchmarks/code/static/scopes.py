"""Which names are local to a Python scope, and how each of them gets its value."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from steelyard.benchmarks.code.static.modules import Function, bound_by

COMPREHENSIONS = ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp
Candidate = tuple[str, Any]  # how a local name gets its value, and the node that says so


def bound(body: list[ast.stmt], arguments: ast.arguments | None = None) -> dict[str, list[Candidate]]:
    """Name -> how it gets its value, of the names that are local to a scope with this body and these parameters."""
    found: dict[str, list[Candidate]] = {}
    elsewhere: set[str] = set()

    def targets(node: ast.expr, how: str, value: ast.expr | None) -> None:
        for name, candidates in bound_by_target(node, how, value):
            found.setdefault(name, []).extend(candidates)

    def add(name: str, *candidates: Candidate) -> None:
        found.setdefault(name, []).extend(candidates)

    if arguments is not None:
        for a in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]:
            add(a.arg, *([("annotation", a.annotation)] if a.annotation is not None else []))
        for variadic in (arguments.vararg, arguments.kwarg):
            if variadic is not None:
                add(variadic.arg, *([("each", variadic.annotation)] if variadic.annotation is not None else []))
    stack: list[ast.AST] = list(reversed(body))
    while stack:
        node = stack.pop()
        if isinstance(node, ast.ClassDef | Function):
            add(node.name)
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            for name in bound_by(node):
                add(name, ("import", (name, node)))
        elif isinstance(node, ast.Global | ast.Nonlocal):
            elsewhere |= set(node.names)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                targets(target, "value", node.value)
        elif isinstance(node, ast.AnnAssign):
            targets(node.target, "annotation", node.annotation)
        elif isinstance(node, ast.AugAssign):
            targets(node.target, "value", None)
        elif isinstance(node, ast.For | ast.AsyncFor):
            targets(node.target, "element", node.iter)
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            targets(node.optional_vars, "entered", node.context_expr)
        elif isinstance(node, ast.NamedExpr):
            targets(node.target, "value", node.value)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            add(node.name, *([("annotation", node.type)] if isinstance(node.type, ast.Name | ast.Attribute) else []))
        elif isinstance(node, ast.MatchAs | ast.MatchStar) and node.name:
            add(node.name)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            add(node.rest)
        if isinstance(node, COMPREHENSIONS):  # only a walrus leaves a name behind
            stack.extend(n for n in ast.walk(node) if isinstance(n, ast.NamedExpr))
        elif not isinstance(node, ast.Lambda):
            stack.extend(reversed(list(ast.iter_child_nodes(node))))
    return {name: how for name, how in found.items() if name not in elsewhere}


def bound_by_target(node: ast.expr, how: str, value: ast.expr | None) -> Iterator[tuple[str, list[Candidate]]]:
    """The names of an assignment's target; what is unpacked says nothing of its parts."""
    if isinstance(node, ast.Name):
        yield node.id, [(how, value)] if value is not None else []
    elif isinstance(node, ast.Starred):
        yield from bound_by_target(node.value, how, None)
    elif isinstance(node, ast.Tuple | ast.List):
        for part in node.elts:
            yield from bound_by_target(part, how, None)
