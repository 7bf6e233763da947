"""The language of `where`: a filter over case attributes, in claims and on the command line.

A Python expression cut down to: attribute names (dotted where attributes nest), numbers, strings, true and false, lists
and tuples, len(x), + - * / // % **, comparisons (chains allowed), in, not in, and / or / not. Parsed with `ast` against a whitelist, never eval'ed.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from steelyard.core.errors import InputError

from .expressions import BINARY, COMPARE, noun, parse, wrong

WHERE_HELP = "A filter compares case attributes: bytes > 2**20 and dtype in ['fp16', 'bf16'] and not padded."


@dataclass(frozen=True)
class Where:
    """A compiled filter. Call it with one case's attributes. names: the attributes it reads, in order of appearance."""

    text: str
    names: tuple[str, ...]
    tree: ast.expr

    def __call__(self, attributes: Mapping[str, Any]) -> bool:
        """True where the case is kept. A case that lacks an attribute, or whose value cannot be ordered against the
        other side (a text against a number), does not satisfy the comparison it stands in; `!=` and `not in` do hold.
        """
        return _truth(_where(self.tree, attributes))

    def keep(self, cases: Sequence[Mapping[str, Any]]) -> list[bool]:
        """The filter over all cases; raises InputError for an attribute that no case has, and names those they have."""
        known = sorted({name for attributes in cases for name in attributes})
        for name in self.names:
            if cases and name not in known:
                shown = ", ".join(known) or "none"
                raise InputError(f"{self.text!r} reads {name!r}, which no case has.", f"Case attributes: {shown}.")
        return [self(attributes) for attributes in cases]


def compile_where(text: str) -> Where:
    """Compile a filter over case attributes; empty text keeps every case. Raises InputError with the column."""
    if not text.strip():
        return Where(text, (), ast.Constant(True))
    tree = parse(text, WHERE_HELP)
    names: dict[str, None] = {}
    allowed = (
        ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.UAdd, ast.Compare, ast.Name, ast.Load,
        ast.Constant, ast.Attribute, ast.Call, ast.List, ast.Tuple, ast.BinOp, ast.In, ast.NotIn, *COMPARE, *BINARY,
    )  # fmt: skip
    for node in ast.walk(tree):
        if not isinstance(node, allowed):
            raise wrong(text, getattr(node, "col_offset", 0), f"{noun(node)} is not allowed", WHERE_HELP)
        if isinstance(node, ast.Constant) and not isinstance(node.value, (bool, int, float, str)):
            raise wrong(text, node.col_offset, f"{node.value!r} is not a number or a text", WHERE_HELP)
        if isinstance(node, ast.Call) and not (
            isinstance(node.func, ast.Name) and node.func.id == "len" and len(node.args) == 1 and not node.keywords
        ):
            raise wrong(text, node.col_offset, f"{ast.unparse(node.func)}() is not a function here", WHERE_HELP)
        if isinstance(node, ast.Name):
            names[node.id] = None
    literals = {"true", "false", "len"}
    return Where(text, tuple(name for name in names if name not in literals), tree)


_NOTHING = object()  # a missing attribute, or arithmetic on one


def _where(node: ast.expr, attributes: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return attributes.get(node.id, {"true": True, "false": False}.get(node.id, _NOTHING))
    if isinstance(node, ast.Attribute):
        whole = _where(node.value, attributes)
        return whole.get(node.attr, _NOTHING) if isinstance(whole, Mapping) else _NOTHING
    if isinstance(node, ast.Call):
        return _try(len, _where(node.args[0], attributes))
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_where(item, attributes) for item in node.elts]
    if isinstance(node, ast.BoolOp):
        join = all if isinstance(node.op, ast.And) else any
        return join(_truth(_where(value, attributes)) for value in node.values)
    if isinstance(node, ast.UnaryOp):
        value = _where(node.operand, attributes)
        if isinstance(node.op, ast.Not):
            return not _truth(value)
        return _try(operator.neg if isinstance(node.op, ast.USub) else operator.pos, value)
    if isinstance(node, ast.BinOp):
        return _try(_power if isinstance(node.op, ast.Pow) else BINARY[type(node.op)],
                    _where(node.left, attributes), _where(node.right, attributes))  # fmt: skip
    if isinstance(node, ast.Compare):
        left = _where(node.left, attributes)
        for op, right_node in zip(node.ops, node.comparators, strict=True):
            right = _where(right_node, attributes)
            if not _compare(op, left, right):
                return False
            left = right
    return True


def _truth(value: Any) -> bool:
    return value is not _NOTHING and bool(value)


def _power(base: float, exponent: float) -> float:
    return float(float(base) ** float(exponent)) if abs(exponent) > 64 else base**exponent


def _try(function: Callable[..., Any], *values: Any) -> Any:
    if _NOTHING in values:
        return _NOTHING
    try:
        return function(*values)
    except (TypeError, ZeroDivisionError, OverflowError):
        return _NOTHING


_ORDER = {ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge}


def _compare(op: ast.cmpop, left: Any, right: Any) -> bool:
    if isinstance(op, ast.Eq):
        return left is not _NOTHING and left == right
    if isinstance(op, ast.NotEq):
        return bool(left != right)
    if isinstance(op, (ast.In, ast.NotIn)):
        try:
            inside = left is not _NOTHING and right is not _NOTHING and left in right
        except TypeError:
            inside = False
        return inside == isinstance(op, ast.In)
    return _truth(_try(_ORDER[type(op)], left, right))
