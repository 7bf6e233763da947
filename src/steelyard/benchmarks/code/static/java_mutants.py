"""Mutants of Java sources: PIT's default operators, on the syntax tree instead of on byte code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from steelyard.benchmarks.code.static.trees import parse, text, walk

if TYPE_CHECKING:
    from tree_sitter import Node

BOUNDARY = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
NEGATED = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
MATH = {
    "+": "-",
    "-": "+",
    "*": "/",
    "/": "*",
    "%": "*",
    "&": "|",
    "|": "&",
    "^": "&",
    "<<": ">>",
    ">>": "<<",
    ">>>": "<<",
}
STEP = {"++": "--", "--": "++"}
NUMBERS = {"int", "short", "byte", "char", "long", "float", "double"}
# what a returned object becomes where its class has an empty value (PIT's empty returns); all others become null
EMPTY = {
    "String": '""', "Optional": "java.util.Optional.empty()", "List": "java.util.Collections.emptyList()",
    "Collection": "java.util.Collections.emptyList()", "Set": "java.util.Collections.emptySet()",
    "Integer": "0", "Short": "(short) 0", "Byte": "(byte) 0", "Long": "0L", "Float": "0f", "Double": "0.0",
    "Character": "(char) 0",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change. operator: PIT's name of it. span: the bytes [start, end) of the source that `new` replaces.

    method: the span of the method or constructor it is in; None in a field's initialiser.
    """

    operator: str
    span: tuple[int, int]
    old: str
    new: str
    line: int
    method: tuple[int, int] | None

    def apply(self, source: str) -> str:
        data = source.encode("utf-8", "replace")
        return (data[: self.span[0]] + self.new.encode() + data[self.span[1] :]).decode("utf-8", "replace")


def mutants(source: str) -> list[Mutant]:
    """All mutants of a file in the order of the text: conditionals boundary, negate conditionals, math, increments, return
    values (empty, true, false, null, primitive) and void method calls.

    Trees have no types. `+` beside a text literal is left alone, other `+` of texts become mutants that do not compile;
    a call that stands as a statement is removed whatever it returns, where PIT removes void ones only; PIT's invert
    negatives (-x to x) is added to math. Operators are on pitest.org/quickstart/mutators (defaults).
    """
    return [m for node in walk(parse("java", source).root_node) for m in _of(node)]


def _of(node: Node) -> Iterator[Mutant]:
    if node.type == "binary_expression":
        operator = node.child_by_field_name("operator")
        sign = text(operator) if operator else ""
        if operator and sign in BOUNDARY:
            yield _mutant("conditionals boundary", operator, BOUNDARY[sign])
        if operator and sign in NEGATED:
            yield _mutant("negate conditionals", operator, NEGATED[sign])
        if operator and sign in MATH and not (sign == "+" and _joins_text(node)):
            yield _mutant("math", operator, MATH[sign])
    elif node.type == "assignment_expression":
        operator = node.child_by_field_name("operator")
        sign = text(operator)[:-1] if operator else ""
        if operator and sign in MATH:
            yield _mutant("math", operator, MATH[sign] + "=")
    elif node.type == "unary_expression" and node.children[0].type == "-":
        operand = node.children[-1]
        if operand.type not in ("decimal_integer_literal", "decimal_floating_point_literal"):
            yield _mutant("invert negatives", node.children[0], " ")
    elif node.type == "update_expression":
        sign_node = next(c for c in node.children if c.type in STEP)
        yield _mutant("increments", sign_node, STEP[sign_node.type])
    elif node.type == "return_statement" and node.named_children:
        yield from _returns(node)
    elif node.type == "expression_statement" and node.children[0].type == "method_invocation":
        yield _mutant("void method calls", node, ";")


def _returns(node: Node) -> Iterator[Mutant]:
    """Other values in place of a returned one, by the written return type of its method."""
    value = next((c for c in node.named_children if "comment" not in c.type), None)
    method = _enclosing(node, ("method_declaration", "lambda_expression"))
    kind = method.child_by_field_name("type") if method and method.type == "method_declaration" else None
    if value is None or kind is None:
        return
    written, was = text(kind), text(value)
    dimensions = method.child_by_field_name("dimensions") if method else None
    if written == "boolean" and not dimensions:
        news = {"true returns": "true", "false returns": "false"}
    elif written in NUMBERS and not dimensions:
        news = {"primitive returns": "0"}
    elif written in ("Boolean", "java.lang.Boolean"):
        news = {"true returns": "true", "false returns": "false"}
    else:
        bare = written.split("<")[0].rpartition(".")[2]
        news = {"empty returns": EMPTY[bare]} if bare in EMPTY and not dimensions else {"null returns": "null"}
    for operator, new in news.items():
        if new != was:
            yield _mutant(operator, value, new)


def _joins_text(node: Node) -> bool:
    """Whether a text literal is among the operands of a chain of `+`."""
    sides = (node.child_by_field_name("left"), node.child_by_field_name("right"))
    return any(
        side.type == "string_literal" or (side.type == "binary_expression" and _joins_text(side))
        for side in sides
        if side
    )


def _mutant(operator: str, node: Node, new: str) -> Mutant:
    method = _enclosing(node, ("method_declaration", "constructor_declaration", "compact_constructor_declaration"))
    place = (method.start_byte, method.end_byte) if method else None
    return Mutant(operator, (node.start_byte, node.end_byte), text(node), new, node.start_point[0] + 1, place)


def _enclosing(node: Node, kinds: tuple[str, ...]) -> Node | None:
    above = node.parent
    while above is not None and above.type not in kinds:
        above = above.parent
    return above
