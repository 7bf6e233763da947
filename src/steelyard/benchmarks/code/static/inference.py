"""Reads a Python function and says what its names stand for: scopes, imports, members and plain type inference."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from steelyard.benchmarks.code.static import modules
from steelyard.benchmarks.code.static.members import Members, element, expression_of, first_parameter, home, members_of
from steelyard.benchmarks.code.static.modules import Function, Module, Project, Thing
from steelyard.benchmarks.code.static.scopes import COMPREHENSIONS, Candidate, bound, bound_by_target

LOCAL = Thing("local")


class Reader(Members):
    """Walks one function (the last of `way`) with `body` as its body, noting each thing that it uses."""

    def __init__(
        self, project: Project, module: Module, way: list[ast.ClassDef | Function], body: list[ast.stmt],
        depth: int = 0, owner: Thing | None = None,
    ) -> None:  # fmt: skip
        super().__init__(project, module, way, body, depth)
        self.noted: set[Thing] = set()
        self.lost: set[str] = set()
        self.uses_self = False
        self.function = way[-1] if way and isinstance(way[-1], Function) else None
        self._quiet = 0
        self._values: dict[tuple[str, int], Thing | None] = {}
        self._scopes: list[dict[str, list[Candidate]]] = []
        self._me = ""
        name = module.name
        for outer in way[:-1] if self.function else way:
            name = f"{name}.{outer.name}"
            if isinstance(outer, Function):  # a closure: its names are the file's, from where the target stands
                enclosing = bound(outer.body, outer.args)
                self._scopes.append({n: [("thing", Thing("variable", f"{name}.{n}", module))] for n in enclosing})
                self.cls = None
            else:
                owner = self.cls
                self.cls = Thing("class", name, module, outer, owner=owner)
        self.cls = owner or self.cls
        if self.function is not None:
            self._scopes.append(bound(body, self.function.args))
            if self.cls is not None and (me := first_parameter(self.function)):
                self._me = me
                self._scopes[-1][me] = [("thing", Thing("instance", type=self.cls))]

    def read(self, signature: bool) -> None:
        """Note what the body uses and, with `signature`, decorators, defaults and the annotations that are evaluated."""
        if signature and self.function is not None:
            inner, self._scopes = self._scopes, self._scopes[:-1]
            arguments = self.function.args
            postponed = any(
                getattr(n, "module", "") == "__future__" for n in self.module.bindings.get("annotations", [])
            )
            parts: list[ast.AST | None] = [*arguments.defaults, *arguments.kw_defaults]
            for node in (*self.function.decorator_list, *(parts if postponed else [arguments])):
                self._visit(node)
            if not postponed:
                self._annotation_names(self.function.returns)
            self._scopes = inner
        for statement in self.body:
            self._visit(statement)

    def infer(self, node: ast.expr) -> Thing | None:
        """What an expression stands for, noting nothing."""
        self._quiet += 1
        try:
            return self._eval(node)
        finally:
            self._quiet -= 1

    def _note(self, thing: Thing | None) -> None:
        if thing is None or self._quiet or not thing.namespace or thing.kind in ("instance", "many", "super"):
            return
        if thing.owner is not None and self.function is not None and isinstance(thing.owner.node, ast.ClassDef):
            bindings = members_of(thing.owner.node).get(thing.namespace.rpartition(".")[2], [])
            if bindings and home(bindings).method is self.function:
                return  # a field that this function introduces
        self.noted.add(Thing(thing.kind, thing.namespace, thing.module, None, None, thing.owner))

    def _visit(self, node: ast.AST | None) -> None:
        """Note everything below a statement or another part that is no expression."""
        if node is None:
            return
        if isinstance(node, ast.expr):
            self._note(self._eval(node))
        elif isinstance(node, Function):
            for part in (*node.decorator_list, *node.args.defaults, *node.args.kw_defaults):
                self._visit(part)
            with self._scope(bound(node.body, node.args)):
                for statement in node.body:
                    self._visit(statement)
        elif isinstance(node, ast.ClassDef):
            for part in (*node.decorator_list, *node.bases, *node.keywords):
                self._visit(part)
            with self._scope(bound(node.body)):
                for statement in node.body:
                    self._visit(statement)
        elif isinstance(node, ast.AnnAssign):  # annotations of local names are never evaluated
            self._visit(node.target)
            self._visit(node.value)
        elif isinstance(node, ast.arg):
            self._annotation_names(node.annotation)
        elif not isinstance(node, ast.Import | ast.ImportFrom | ast.Global | ast.Nonlocal):
            for child in ast.iter_child_nodes(node):
                self._visit(child)

    def _annotation_names(self, node: ast.expr | None) -> None:
        """Note the names of an annotation, which may be a string."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node = expression_of(node.value)
        self._visit(node)

    @contextmanager
    def _scope(self, names: dict[str, list[Candidate]]) -> Iterator[None]:
        self._scopes.append(names)
        try:
            yield
        finally:
            self._scopes.pop()

    def _eval(self, node: ast.expr) -> Thing | None:
        """What an expression stands for; the parts that it is made of are noted, itself is not yet."""
        if isinstance(node, ast.Name):
            return self._name(node)
        if isinstance(node, ast.Attribute):
            return self._attribute(node)
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, COMPREHENSIONS):
            return self._comprehension(node)
        if isinstance(node, ast.Lambda):
            for part in (*node.args.defaults, *node.args.kw_defaults):
                self._visit(part)
            with self._scope(bound([], node.args)):
                self._visit(node.body)
            return None
        if isinstance(node, ast.NamedExpr):
            return self._eval(node.value)
        if isinstance(node, ast.Await):
            return self._eval(node.value)
        if isinstance(node, ast.IfExp | ast.BoolOp):
            parts = [node.body, node.orelse] if isinstance(node, ast.IfExp) else node.values
            if isinstance(node, ast.IfExp):
                self._visit(node.test)
            values = [self._eval(part) for part in parts]
            for value in values:
                self._note(value)
            return next((v for v in map(self.valued, values) if v is not None and v.kind in ("instance", "many")), None)
        if isinstance(node, ast.Subscript):
            self._visit(node.slice)
            base = self._eval(node.value)
            self._note(base)
            return element(self.valued(base))
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            values = [self._eval(part) for part in node.elts]
            for value in values:
                self._note(value)
            first = self.valued(values[0]) if values else None
            return Thing("many", type=first.type) if first is not None and first.kind == "instance" else None
        for child in ast.iter_child_nodes(node):
            self._visit(child)
        return None

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Thing | None:
        self._visit(node.generators[0].iter)
        names: dict[str, list[Candidate]] = {}
        for part in node.generators:
            for name, how in bound_by_target(part.target, "element", part.iter):
                names.setdefault(name, []).extend(how)
        with self._scope(names):
            for at, part in enumerate(node.generators):
                for inside in (*([part.iter] if at else []), *part.ifs):
                    self._visit(inside)
            if isinstance(node, ast.DictComp):
                self._visit(node.key)
            made = self._eval(node.value if isinstance(node, ast.DictComp) else node.elt)
            self._note(made)
            made = self.valued(made)
        return Thing("many", type=made.type) if made is not None and made.kind == "instance" else None

    def _name(self, node: ast.Name) -> Thing | None:
        for scope in reversed(self._scopes):
            if node.id in scope:
                self.uses_self |= bool(self._me) and node.id == self._me and not self._quiet
                return self._local(scope[node.id])
        if found := self.module.lookup(node.id):
            return found
        if hasattr(builtins, node.id) or node.id in ("__file__", "__path__"):
            return Thing("builtin", node.id)
        if not self._quiet and isinstance(node.ctx, ast.Load):
            self.lost.add(node.id)
        return None

    def _local(self, candidates: list[Candidate]) -> Thing:
        """The best that is known of a local name: the first of its bindings that says something."""
        for how, node in candidates:
            key = (how, id(node))
            if key not in self._values:
                self._values[key] = None  # what rests on itself is not known
                self._values[key] = node if how == "thing" else self._bound(how, node)
            found = self._values[key]
            if found is not None and found.kind != "local":
                return found
        return LOCAL

    def _bound(self, how: str, node: Any) -> Thing | None:
        if how == "import":
            name, statement = node
            return modules.imported(name, statement, self.module)
        if how == "annotation":
            return self.annotated(node, self.module)
        if how == "each":  # *args
            one = self.annotated(node, self.module)
            return Thing("many", type=one.type) if one is not None and one.kind == "instance" else None
        value = self.infer(node)
        return element(self.valued(value)) if how == "element" else self.valued(value) if how == "entered" else value

    def _attribute(self, node: ast.Attribute) -> Thing | None:
        base = self._eval(node.value)
        found = self.member(base, node.attr) if base is not None else None
        if found is None or (base is not None and base.kind not in ("module", "class", "external", "builtin")):
            self._note(base)
        return found

    def _call(self, node: ast.Call) -> Thing | None:
        function = self._eval(node.func)
        for part in (*node.args, *(k.value for k in node.keywords)):
            self._visit(part)
        if isinstance(node.func, ast.Name) and function is not None and function.kind == "builtin":
            if node.func.id == "super" and self.cls is not None:
                self.uses_self |= not self._quiet
                return Thing("super", self.cls.namespace, self.cls.module, self.cls.node)
            if node.func.id == "type" and len(node.args) == 1:
                of = self.infer(node.args[0])
                return of.type if of is not None and of.kind == "instance" else None
            if node.func.id in ("list", "tuple", "sorted", "reversed", "set", "iter", "next") and node.args:
                self._note(function)
                many = self.valued(self.infer(node.args[0]))
                return element(many) if node.func.id == "next" else many
        self._note(function)
        if function is None:
            if isinstance(node.func, ast.Attribute) and node.func.attr in ("values", "get", "pop", "popleft", "copy"):
                many = self.valued(self.infer(node.func.value))
                return many if node.func.attr in ("values", "copy") else element(many)
            return None
        if function.kind == "class":
            return Thing("instance", type=function)
        if function.kind == "instance":  # cls(...) of a class method, or an object that is called
            return function
        if function.kind == "external" and function.namespace.rpartition(".")[2][:1].isupper():
            return Thing("instance", type=function)
        return self.called(function) if function.kind == "function" else None
