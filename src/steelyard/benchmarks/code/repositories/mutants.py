"""Small changes to a function's body that a good test should notice, made on its syntax tree."""

from __future__ import annotations

import ast
import copy
import random
from collections.abc import Iterator

from steelyard.benchmarks.code.assemble import reindented

STUBS = ("pass\n", 'raise NotImplementedError("a stub")\n')
_COMPARE = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_BINARY = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.Mod: ast.Mult,
    ast.FloorDiv: ast.Mult,
}


def mutants(body: str, most: int = 6, seed: int = 0) -> list[str]:
    """At most `most` bodies, each with one change: an operator, a constant, a condition, a lost statement or result.

    body: the lines of a function's body, at any margin. The choice among all changes is drawn with `seed`. A body that does not
    parse has none.
    """
    try:
        tree = ast.parse("async def f():\n" + reindented(body, 4))
    except (SyntaxError, ValueError):
        return []
    made = dict.fromkeys(_render(changed) for changed in _changes(tree))
    made.pop(_render(tree), None)
    found = list(made)
    random.Random(seed).shuffle(found)
    return found[:most]


def _render(tree: ast.Module) -> str:
    function = tree.body[0]
    assert isinstance(function, ast.AsyncFunctionDef)
    return "\n".join(ast.unparse(ast.fix_missing_locations(s)) for s in function.body) + "\n"


def _changes(tree: ast.Module) -> Iterator[ast.Module]:
    """One tree for each place and change."""
    for at, node in enumerate(ast.walk(tree)):
        for change in _kinds(node):
            twin = copy.deepcopy(tree)
            place = next(n for i, n in enumerate(ast.walk(twin)) if i == at)
            change(place)
            yield twin


def _kinds(node: ast.AST) -> list:  # type: ignore[type-arg]
    """The changes that fit a node, as functions that make them in place."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARE:
        return [lambda n: n.ops.__setitem__(0, _COMPARE[type(n.ops[0])]())]
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        return [lambda n: setattr(n, "op", _BINARY[type(n.op)]())]
    if isinstance(node, ast.BoolOp):
        return [lambda n: setattr(n, "op", ast.And() if isinstance(n.op, ast.Or) else ast.Or())]
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        return [lambda n: setattr(n, "value", not n.value)]
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return [lambda n: setattr(n, "value", n.value + 1)]
    if isinstance(node, ast.If | ast.While) and not isinstance(node.test, ast.Constant):
        return [lambda n: setattr(n, "test", ast.UnaryOp(ast.Not(), n.test))]
    if isinstance(node, ast.Return) and node.value is not None and not _is_none(node.value):
        return [lambda n: setattr(n, "value", ast.Constant(None))]
    if isinstance(node, ast.Expr | ast.Assign | ast.AugAssign):
        return [_lose]
    return []


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _lose(node: ast.AST) -> None:
    """Turn a statement into one that does nothing, in place."""
    node.__class__ = ast.Expr  # type: ignore[assignment]
    node.value = ast.Constant(...)
