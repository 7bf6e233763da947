"""The language of `expect`: comparisons of statistics. Parsed with `ast` against a whitelist, never eval'ed.

A Python expression cut down to: numbers, the names below, + - * / // % **, comparisons (chains allowed), and, or, not,
a few functions, and keys: contender[bytes], where the key is another metric, or a slice of the cases
(contender[step=1]).
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from steelyard.core.errors import InputError

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": np.abs, "round": np.round, "min": lambda *v: _fold(np.minimum, v), "max": lambda *v: _fold(np.maximum, v),
    "log": np.log, "log2": np.log2, "log10": np.log10, "exp": np.exp, "sqrt": np.sqrt,
}  # fmt: skip
BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow,
}  # fmt: skip
COMPARE: dict[type[ast.cmpop], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip
NAMES = ("contender", "baseline", "value", "margin", "rank", "p", "p_holm")
KEYED = ("contender", "baseline", "value")
EXPECT_HELP = (
    f"An expectation compares {', '.join(NAMES)}, or keys such as contender[bytes], with + - * / **, "
    f"{', '.join(FUNCTIONS)}, < <= == != >= >, and, or, not."
)
_KEY = re.compile(r"\b(" + "|".join(KEYED) + r")\[([^\[\]\"']+)\]")


def _fold(function: Callable[[Any, Any], Any], values: Sequence[Any]) -> Any:
    out = values[0]
    for value in values[1:]:
        out = function(out, value)
    return out


def wrong(text: str, column: int, what: str, help_text: str) -> InputError:
    """The error for an expression: its text, the column, what is wrong there, and what is allowed."""
    return InputError(f"cannot read {text!r} at column {column + 1}: {what}.", help_text)


def parse(text: str, help_text: str, shown: str | None = None) -> ast.expr:
    """The syntax tree of an expression; InputError (showing `shown`, if given) where it is none."""
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError) as error:
        column = (getattr(error, "offset", None) or 1) - 1
        raise wrong(shown or text, column, f"not an expression ({error.args[0]})", help_text) from None


@dataclass(frozen=True)
class Atom:
    """One comparison of an expectation, `left op right`. text: its source. negated forms are already resolved."""

    text: str
    left: ast.expr
    op: str
    right: ast.expr


@dataclass(frozen=True)
class Logic:
    """`and` or `or` of atoms and further logic."""

    op: str
    parts: tuple[Logic | Atom, ...]


@dataclass(frozen=True)
class Expectation:
    """A compiled `expect`. reads: every (name, key) it needs, key "" for the claim's own metric over its own cases."""

    text: str
    logic: Logic | Atom
    reads: tuple[tuple[str, str], ...]


def compile_expect(text: str) -> Expectation:
    """Compile an expectation. Raises InputError naming the text, the column and what is allowed."""
    quoted = _KEY.sub(lambda m: f"{m[1]}[{m[2].strip()!r}]", text)
    tree = parse(quoted, EXPECT_HELP, text)
    reads: dict[tuple[str, str], None] = {}
    _check(tree, text, reads)
    return Expectation(text, _logic(tree, text, False), tuple(reads))


def _check(node: ast.expr, text: str, reads: dict[tuple[str, str], None]) -> None:
    """Walk an expectation against the whitelist and note what it reads."""
    column = node.col_offset
    children: Iterable[ast.expr] = ()
    if isinstance(node, ast.Name):
        if node.id not in NAMES:
            raise wrong(text, column, f"unknown name {node.id!r}", EXPECT_HELP)
        reads[node.id, ""] = None
    elif isinstance(node, ast.Subscript):
        name, key = node.value, node.slice
        if not (isinstance(name, ast.Name) and name.id in KEYED and isinstance(key, ast.Constant)):
            raise wrong(text, column, f"a key stands right behind {', '.join(KEYED)}", EXPECT_HELP)
        reads[name.id, str(key.value)] = None
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, bool) or not isinstance(node.value, (int, float)):
            raise wrong(text, column, f"{node.value!r} is not a number", EXPECT_HELP)
    elif isinstance(node, ast.Call):
        if not isinstance(node.func, ast.Name) or node.func.id not in FUNCTIONS or node.keywords or not node.args:
            raise wrong(text, column, f"{ast.unparse(node.func)}() is not a function here", EXPECT_HELP)
        if node.func.id == "round" and len(node.args) == 2 and not isinstance(node.args[1], ast.Constant):
            raise wrong(text, column, "round() takes a number of digits", EXPECT_HELP)
        children = node.args
    elif isinstance(node, ast.BinOp) and type(node.op) in BINARY:
        children = (node.left, node.right)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub, ast.UAdd)):
        children = (node.operand,)
    elif isinstance(node, ast.BoolOp):
        children = node.values
    elif isinstance(node, ast.Compare) and all(type(op) in COMPARE for op in node.ops):
        children = (node.left, *node.comparators)
    else:
        raise wrong(text, column, f"{noun(node)} is not allowed", EXPECT_HELP)
    for child in children:
        _check(child, text, reads)


_OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}


def _logic(node: ast.expr, text: str, negate: bool) -> Logic | Atom:
    """Split into atoms; `not` moves inward. |x| <op> c becomes a statement about x, whose draws have a sign."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return _logic(node.operand, text, not negate)
    if isinstance(node, ast.BoolOp):
        both = isinstance(node.op, ast.And) != negate
        return Logic("and" if both else "or", tuple(_logic(v, text, negate) for v in node.values))
    if not isinstance(node, ast.Compare):
        raise wrong(text, node.col_offset, "a comparison is missing (such as >= 1.2)", EXPECT_HELP)
    parts: list[Logic | Atom] = []
    left = node.left
    for op, right in zip(node.ops, node.comparators, strict=True):
        sign = COMPARE[type(op)]
        parts.append(_atom(left, _OPPOSITE[sign] if negate else sign, right))
        left = right
    return parts[0] if len(parts) == 1 else Logic("or" if negate else "and", tuple(parts))


def source(node: ast.expr) -> str:
    """An expression as it is written in claims: keys without quotes."""
    return re.sub(r"\['([^']*)'\]", r"[\1]", ast.unparse(node))


def _atom(left: ast.expr, op: str, right: ast.expr) -> Logic | Atom:
    for side in (left, right):
        for inner in ast.walk(side):
            if isinstance(inner, (ast.Compare, ast.BoolOp)):
                raise InputError(f"{source(side)!r}: a comparison inside arithmetic is not allowed.", EXPECT_HELP)
    if isinstance(left, ast.Call) and isinstance(left.func, ast.Name) and left.func.id == "abs" and op not in "==!=":
        inside, minus = left.args[0], ast.UnaryOp(ast.USub(), right)
        name = f"abs({source(inside)}) {op} {source(right)}"
        flipped = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}[op]
        pair = (Atom(name, inside, op, right), Atom(name, inside, flipped, minus))
        return Logic("and" if op[0] == "<" else "or", pair)
    return Atom(f"{source(left)} {op} {source(right)}", left, op, right)


def evaluate(node: ast.expr, values: Callable[[str, str], Any]) -> Any:
    """Evaluate arithmetic of an expectation; `values(name, key)` gives numbers or arrays; x/0 is inf or NaN."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return values(node.id, "")
    if isinstance(node, ast.Subscript):
        assert isinstance(node.value, ast.Name)
        assert isinstance(node.slice, ast.Constant)
        return values(node.value.id, str(node.slice.value))
    if isinstance(node, ast.UnaryOp):
        inner = evaluate(node.operand, values)
        return -inner if isinstance(node.op, ast.USub) else inner
    if isinstance(node, ast.BinOp):
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            left, right = (np.asarray(evaluate(side, values), float) for side in (node.left, node.right))
            return BINARY[type(node.op)](left, right)
    assert isinstance(node, ast.Call)
    assert isinstance(node.func, ast.Name)
    arguments = [evaluate(argument, values) for argument in node.args]
    if node.func.id == "round" and len(arguments) == 2:
        return np.round(np.asarray(arguments[0], float), int(arguments[1]))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return FUNCTIONS[node.func.id](*arguments)


def constant(node: ast.expr) -> bool:
    """True where the expression reads nothing but numbers and the margin."""
    return all(not isinstance(n, ast.Subscript) for n in ast.walk(node)) and all(
        n.id in (*FUNCTIONS, "margin") for n in ast.walk(node) if isinstance(n, ast.Name)
    )


def isclose(a: float, b: float) -> bool:
    """Equality of computed numbers: to 1e-9 relative or 1e-12 absolute."""
    return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)


def noun(node: ast.AST) -> str:
    """What a person calls a syntax node."""
    names = {
        "Call": "a call", "Attribute": "a dotted name", "Subscript": "an index", "Lambda": "a lambda",
        "Dict": "a dictionary", "Set": "a set", "IfExp": "if/else", "JoinedStr": "an f-string", "List": "a list",
    }  # fmt: skip
    return names.get(type(node).__name__, type(node).__name__)
