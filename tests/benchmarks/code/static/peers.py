"""What jedi and pyan3 say a function depends on, brought to the naming rule of key.json, to be measured beside ours."""

from __future__ import annotations

import ast
import logging
from collections.abc import Iterator
from pathlib import Path

from steelyard.benchmarks.code.static.members import home, members_of
from steelyard.benchmarks.code.static.modules import Function, Project

# jedi and pyan3 name a field after the class that assigns it last, the key after the class that introduces it
INTRODUCED = {"orchard.people.Customer.name": "orchard.people.Person.name"}


def jedi_uses(root: Path, project: Project, path: str, name: str) -> set[str]:
    """Project names that jedi goes to from the names in a function's body (annotations aside, as in the key)."""
    import jedi

    module, way = project.find(path, name)
    script = jedi.Script(module.source, path=root / path, project=jedi.Project(root))
    own = f"{module.name}.{name}"
    found: set[str] = set()

    def target_of(node: ast.Name | ast.Attribute) -> tuple[str, str]:
        width = len(node.attr if isinstance(node, ast.Attribute) else node.id)
        try:
            got = script.goto(node.end_lineno, node.end_col_offset - width, follow_imports=True)  # type: ignore[operator]
        except Exception:  # jedi breaks on some code; that is a miss
            return "", ""
        for one in got:
            full, parent = one.full_name or "", one.parent()
            if one.module_path is None or not one.module_path.is_relative_to(root) or one.type == "param":
                continue
            if one.type == "statement" and parent is not None and parent.type == "function":
                if one.get_line_code()[one.column - 1] != ".":
                    continue  # a local name
                full = f"{parent.parent().full_name}.{one.name}"  # a field is its class's, not its method's
                cls = project.find(path, name)[1][0]
                if isinstance(cls, ast.ClassDef) and full == f"{module.name}.{cls.name}.{one.name}":
                    bindings = members_of(cls).get(one.name, [])
                    if bindings and home(bindings).method is way[-1]:
                        return "", ""
            if full and full != own and not full.startswith(own + "."):
                return one.type, INTRODUCED.get(full, full)
        return "", ""

    def walk(node: ast.AST, inside_chain: bool = False) -> None:
        if isinstance(node, ast.Name | ast.Attribute):
            kind, full = target_of(node)
            if full and not (kind == "module" or (kind == "class" and inside_chain)):
                found.add(full)
            if isinstance(node, ast.Attribute):
                walk(node.value, inside_chain=bool(full))
            return
        for field, value in ast.iter_fields(node):
            if field not in ("annotation", "returns"):
                for child in value if isinstance(value, list) else [value]:
                    if isinstance(child, ast.AST):
                        walk(child)

    target = way[-1]
    assert isinstance(target, Function)
    for statement in target.body:
        walk(statement)
    return found


def pyan_uses(root: Path, names: list[str]) -> Iterator[tuple[str, set[str]]]:
    """(function, project names that pyan3's graph has an edge to) for each of the dotted names."""
    from pyan.analyzer import CallGraphVisitor

    quiet = logging.getLogger("pyan-peer")
    quiet.setLevel(logging.CRITICAL)
    visitor = CallGraphVisitor([str(p) for p in sorted(root.rglob("*.py"))], root=str(root), logger=quiet)
    edges: dict[str, set[str]] = {}
    for source, targets in visitor.uses_edges.items():
        for target in targets:
            if target.namespace is not None and target.get_name().startswith("orchard."):
                edges.setdefault(source.get_name(), set()).add(target.get_name())
    modules = {
        ".".join(p.relative_to(root).with_suffix("").parts).removesuffix(".__init__") for p in root.rglob("*.py")
    }
    for name in names:
        uses = {u for u in edges.get(name, set()) if u != name and u not in modules and not u.startswith(name + ".")}
        yield name, {INTRODUCED.get(u, u.removesuffix(".__init__")) for u in uses}
