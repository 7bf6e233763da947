"""Java sources: package, imports, types, fields, methods and their bodies, all by byte positions; bodies replaced."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from steelyard.benchmarks.code.static.trees import parse, text, walk

if TYPE_CHECKING:
    from tree_sitter import Node

Span = tuple[int, int]  # bytes [start, end) of the UTF-8 source

_TYPES = {
    "class_declaration": "class", "interface_declaration": "interface", "enum_declaration": "enum",
    "record_declaration": "record", "annotation_type_declaration": "annotation",
}  # fmt: skip
_METHODS = ("method_declaration", "constructor_declaration", "compact_constructor_declaration")
_FIELDS = ("field_declaration", "constant_declaration")


@dataclass(frozen=True, slots=True)
class Import:
    """`name` without `.*`; wildcard: whether that stood behind it. static: of members, not types."""

    name: str
    static: bool
    wildcard: bool


@dataclass(frozen=True, slots=True)
class Parameter:
    """type: as written, with its dimensions; a variable arity ends in `...`."""

    type: str
    name: str


@dataclass(frozen=True, slots=True)
class Field:
    """One declared variable. span: the whole declaration, which several variables may share."""

    name: str
    type: str
    modifiers: tuple[str, ...]
    value: str
    span: Span


@dataclass(frozen=True, slots=True)
class Method:
    """A method or constructor (`returns` is then empty).

    owner: name of its type, nested types joined by dots. modifiers: keywords and annotations as written, in order.
    span: from its modifiers to its end. body: with its braces, None where there is none. comment: the span of the block
    comment right before it, None where there is none. whole: no syntax error in it.
    """

    owner: str
    name: str
    parameters: tuple[Parameter, ...]
    returns: str
    modifiers: tuple[str, ...]
    span: Span
    body: Span | None
    comment: Span | None
    whole: bool

    @property
    def is_constructor(self) -> bool:
        return not self.returns

    @property
    def signature(self) -> str:
        """name(type, type): what tells overloads of one type apart."""
        return f"{self.name}({', '.join(p.type for p in self.parameters)})"


@dataclass(frozen=True, slots=True)
class Type:
    """A class, interface, enum, record or annotation.

    name: nested types joined by dots. extends: names of supertypes and interfaces as written. head: the declaration up to
    its opening brace. span: all of it. body: with its braces. constants: of an enum. types: directly nested in it.
    """

    kind: str
    name: str
    modifiers: tuple[str, ...]
    extends: tuple[str, ...]
    head: str
    span: Span
    body: Span
    constants: tuple[str, ...]
    fields: tuple[Field, ...]
    methods: tuple[Method, ...]
    types: tuple[Type, ...]

    @property
    def is_public(self) -> bool:
        return "public" in self.modifiers


@dataclass(frozen=True)
class Source:
    """A parsed file. data: its UTF-8. errors: spans that the parser could not read."""

    data: bytes
    package: str
    imports: tuple[Import, ...]
    types: tuple[Type, ...]
    errors: tuple[Span, ...]

    def text(self, span: Span) -> str:
        return self.data[span[0] : span[1]].decode("utf-8", "replace")

    def all_types(self) -> Iterator[Type]:
        """Every type, outer ones before those nested in them."""
        stack = list(reversed(self.types))
        while stack:
            top = stack.pop()
            yield top
            stack.extend(reversed(top.types))

    def methods(self) -> list[Method]:
        """Every method and constructor of every type, in the order of the text."""
        return sorted((m for t in self.all_types() for m in t.methods), key=lambda m: m.span)

    @property
    def main_type(self) -> Type | None:
        """The first public type, else the first."""
        return next((t for t in self.types if t.is_public), self.types[0] if self.types else None)


def read(source: str | bytes) -> Source:
    """Parse a file. Broken code gives what could be read of it, and `errors`; it never raises for bad Java."""
    data = source.encode("utf-8", "replace") if isinstance(source, str) else source
    root = parse("java", data).root_node
    package = next((text(c.named_children[-1]) for c in root.children if c.type == "package_declaration"), "")
    imports = tuple(_import(c) for c in root.children if c.type == "import_declaration")
    types = tuple(_type(c, "") for c in _declared(root))
    errors = tuple((n.start_byte, n.end_byte) for n in walk(root) if n.is_error or n.is_missing)
    return Source(data, package, imports, types, errors)


def replaced(source: Source, new: Mapping[Span, str | bytes]) -> str:
    """The text with other words in place of spans, such as bodies of methods (`{...}`). Spans must not overlap."""
    out, at = [], 0
    for (start, end), words in sorted(new.items()):
        out += [source.data[at:start], words.encode() if isinstance(words, str) else words]
        at = end
    return b"".join([*out, source.data[at:]]).decode("utf-8", "replace")


def occurrences(methods: Iterable[Method]) -> dict[tuple[str, int], Method]:
    """(name, number) -> method: the n-th of that name in the text, from 0. How two versions of a class are matched
    whose parameter types may be written differently."""
    seen: dict[str, int] = {}
    found = {}
    for method in methods:
        number = seen.get(method.name, 0)
        found[method.name, number], seen[method.name] = method, number + 1
    return found


def references(source: Source, types: Iterable[str]) -> set[str]:
    """Those of `types` (qualified names of top-level types) that the file names and can see: imported, of its own package,
    or of a package or type whose members it imports. What only reflection reaches is not seen."""
    named = {text(n) for n in walk(parse("java", source.data).root_node) if n.type in ("identifier", "type_identifier")}
    imported = {i.name for i in source.imports if not i.wildcard}
    opened = {i.name for i in source.imports if i.wildcard} | {source.package}
    found = set()
    for name in types:
        package, _, simple = name.rpartition(".")
        inside = any(i.startswith(f"{name}.") for i in imported) or name in opened
        if simple in named and (name in imported or package in opened or inside):
            found.add(name)
    return found


def skeleton(source: Source, body: str = "{\n    }") -> str:
    """The file with every body replaced, and without comments and imports."""
    root = parse("java", source.data).root_node
    outer = [m.body for m in source.methods() if m.body]
    kept = [b for b in outer if not any(a[0] < b[0] and b[1] <= a[1] for a in outer)]
    new: dict[Span, str | bytes] = dict.fromkeys(kept, body)
    for node in walk(root):
        span = (node.start_byte, node.end_byte)
        if node.type in ("line_comment", "block_comment", "import_declaration") and not any(
            a <= span[0] and span[1] <= b for a, b in kept
        ):
            new[span] = ""
    lines = (line.rstrip() for line in replaced(source, new).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def _declared(node: Node) -> Iterator[Node]:
    """Type declarations below `node`, also those that a syntax error swallowed."""
    for child in node.children:
        if child.type in _TYPES:
            yield child
        elif child.is_error:
            yield from _declared(child)


def _import(node: Node) -> Import:
    kinds = [c.type for c in node.children]
    name = next((text(c) for c in node.named_children if c.type in ("scoped_identifier", "identifier")), "")
    return Import(name, "static" in kinds, "asterisk" in kinds)


def _type(node: Node, outer: str) -> Type:
    name_node, body = node.child_by_field_name("name"), node.child_by_field_name("body")
    own = text(name_node) if name_node else ""
    name = f"{outer}.{own}" if outer else own
    members = list(_members(body)) if body else []
    end = body.start_byte if body else node.end_byte
    head = (node.text or b"")[: end - node.start_byte].decode("utf-8", "replace").rstrip()
    return Type(
        kind=_TYPES[node.type],
        name=name,
        modifiers=_modifiers(node),
        extends=tuple(_supertypes(node)),
        head=head,
        span=(node.start_byte, node.end_byte),
        body=(body.start_byte, body.end_byte) if body else (node.end_byte, node.end_byte),
        constants=tuple(text(c.child_by_field_name("name") or c) for c in members if c.type == "enum_constant"),
        fields=tuple(f for c in members if c.type in _FIELDS for f in _fields(c)),
        methods=tuple(_methods(members, name)),
        types=tuple(_type(c, name) for c in members if c.type in _TYPES),
    )


def _methods(members: Iterable[Node], owner: str) -> Iterator[Method]:
    """Those of a type, and those in the bodies of its enum constants (owner `Type.CONSTANT`)."""
    for member in members:
        if member.type in _METHODS:
            yield _method(member, owner)
        elif member.type == "enum_constant" and (body := member.child_by_field_name("body")):
            name = member.child_by_field_name("name")
            yield from _methods(_members(body), f"{owner}.{text(name) if name else ''}")


def _members(body: Node) -> Iterator[Node]:
    for child in body.children:
        if child.type == "enum_body_declarations" or child.is_error:
            yield from _members(child)
        else:
            yield child


def _supertypes(node: Node) -> Iterator[str]:
    for child in node.children:
        if child.type == "superclass":
            yield from (text(c) for c in child.named_children)
        elif child.type in ("super_interfaces", "extends_interfaces"):
            yield from (text(c) for inner in child.named_children for c in inner.named_children)


def _modifiers(node: Node) -> tuple[str, ...]:
    found = next((c for c in node.children if c.type == "modifiers"), None)
    return tuple(text(c) for c in found.children if "comment" not in c.type) if found else ()


def _fields(node: Node) -> Iterator[Field]:
    kind, modifiers = node.child_by_field_name("type"), _modifiers(node)
    for one in node.children_by_field_name("declarator"):
        name, value, dimensions = (one.child_by_field_name(f) for f in ("name", "value", "dimensions"))
        written = (text(kind) if kind else "") + (text(dimensions) if dimensions else "")
        yield Field(
            text(name) if name else "", written, modifiers, text(value) if value else "",
            (node.start_byte, node.end_byte),
        )  # fmt: skip


def _method(node: Node, owner: str) -> Method:
    name, returns, parameters = (node.child_by_field_name(f) for f in ("name", "type", "parameters"))
    dimensions, body = node.child_by_field_name("dimensions"), node.child_by_field_name("body")
    before = node.prev_sibling
    return Method(
        owner=owner,
        name=text(name) if name else "",
        parameters=tuple(_parameters(parameters)) if parameters else (),
        returns=(text(returns) if returns else "") + (text(dimensions) if dimensions else ""),
        modifiers=_modifiers(node),
        span=(node.start_byte, node.end_byte),
        body=(body.start_byte, body.end_byte) if body else None,
        comment=(before.start_byte, before.end_byte) if before and before.type == "block_comment" else None,
        whole=not node.has_error,
    )


def _parameters(node: Node) -> Iterator[Parameter]:
    for child in node.named_children:
        if child.type == "formal_parameter":
            kind, name, dimensions = (child.child_by_field_name(f) for f in ("type", "name", "dimensions"))
            yield Parameter(
                (text(kind) if kind else "") + (text(dimensions) if dimensions else ""), text(name) if name else ""
            )
        elif child.type == "spread_parameter":
            kind = next((c for c in child.named_children if c.type not in ("modifiers", "variable_declarator")), None)
            name = next((c for c in child.named_children if c.type == "variable_declarator"), None)
            yield Parameter((text(kind) if kind else "") + "...", text(name) if name else "")
