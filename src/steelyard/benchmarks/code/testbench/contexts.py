"""The simple context: a file cut down to what its declarations say, without bodies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from steelyard.benchmarks.code.static import java

INDENT = "    "


def simple_context(source: str) -> str:
    """Package, imports, and of every type its header, fields, constructors and methods, enum constants; by tree-sitter.

    Of interfaces, records and annotations too, which the released pass leaves out, and with type parameters, dimensions
    and wildcards as they are written.
    """
    read = java.read(source)
    parts = [f"package {read.package};"] if read.package else []
    parts += [f"import {'static ' if i.static else ''}{i.name}{'.*' if i.wildcard else ''};" for i in read.imports]
    parts += ["\n".join(_type(read, t, "")) + "\n" for t in read.types]
    return "\n\n".join(parts)


def _type(read: java.Source, of: java.Type, indent: str) -> Iterator[str]:
    yield f"{indent}{' '.join(of.head.split())} {{"
    inner = indent + INDENT
    if of.constants:
        yield f"{inner}{', '.join(of.constants)};"
    members: list[tuple[int, list[str]]] = []
    shared: dict[java.Span, list[java.Field]] = {}
    for one in of.fields:
        shared.setdefault(one.span, []).append(one)
    for span, fields in shared.items():
        words = [*fields[0].modifiers, fields[0].type, ", ".join(f.name for f in fields)]
        members.append((span[0], [f"{inner}{' '.join(words)};"]))
    for method in of.methods:
        end = method.body[0] if method.body else method.span[1]
        head = " ".join(read.text((method.span[0], end)).split()).rstrip(";")
        members.append((method.span[0], [f"{inner}{head};"]))
    members += [(nested.span[0], list(_type(read, nested, inner))) for nested in of.types]
    for _, lines in sorted(members):
        yield from lines
    yield f"{indent}}}"


def published_context(source: str) -> str:
    """The same as the released pass makes it, with javalang. It knows classes, enums, fields, methods and constructors;
    it drops interfaces, type parameters, wildcards of imports and the dimensions of types that are no primitives.

    The order of modifiers is that of a set there; here they are sorted. Raises ValueError where javalang cannot parse.
    """
    import javalang

    try:
        tree: Any = javalang.parse.parse(source)
    except Exception as error:  # many kinds, RecursionError among them
        raise ValueError(f"javalang cannot parse it ({type(error).__name__})") from error
    text = f"package {tree.package.name};\n\n" if tree.package else ""
    text += "".join(f"import {'static ' if i.static else ''}{i.path};\n\n" for i in tree.imports)
    return text + "".join(f"{_declared(kind, '')}\n" for kind in tree.types)


def _declared(node: Any, indent: str) -> str:
    kind = type(node).__name__
    start = indent + "".join(f"{word} " for word in sorted(getattr(node, "modifiers", ())))
    if kind == "FieldDeclaration":
        return f"{start}{_typed(node.type)} {', '.join(d.name for d in node.declarators)};\n"
    if kind in ("MethodDeclaration", "ConstructorDeclaration"):
        returns = f"{_typed(node.return_type)} " if kind == "MethodDeclaration" else ""
        throws = f"throws {', '.join(node.throws)}" if kind == "MethodDeclaration" and node.throws else ""
        return f"{start}{returns}{node.name}({', '.join(f'{_typed(p.type)} {p.name}' for p in node.parameters)}){throws};\n"
    if kind == "EnumDeclaration":
        return f"{start}enum {node.name}{{{', '.join(c.name for c in node.body.constants)}}}\n"
    if kind == "ClassDeclaration":
        above = f" extends {_typed(node.extends)}" if node.extends else ""
        above += f" implements {', '.join(map(_typed, node.implements))}" if node.implements else ""
        body = "".join(_declared(member, indent + INDENT) for member in node.body)
        return f"{start}class {node.name}{above} {{\n{body}{indent}}}\n"
    return ""


def _typed(node: Any) -> str:
    """A type as the released pass writes it: dimensions of primitives only, nothing for void."""
    kind = type(node).__name__
    if kind == "ReferenceType":
        return node.name + (f"<{', '.join(_typed(a.type) for a in node.arguments)}>" if node.arguments else "")
    return node.name + "[]" * len(node.dimensions) if kind == "BasicType" else ""
