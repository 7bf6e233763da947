"""Members of Python classes and the types of things: inheritance, annotations, and what calls and variables hold."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Self
from weakref import WeakKeyDictionary

from steelyard.benchmarks.code.static.modules import Function, Module, Project, Thing, bound_by, statements, targets_of

_BASES = 8  # base classes in a row: more is a circle
_DEEPEST = 12  # inferences that rest on another: what lies deeper is left unknown
_INNER = {"Optional", "Annotated", "Final", "ClassVar", "Required", "NotRequired", "Awaitable"}
_MANY = {
    "list", "set", "frozenset", "tuple", "deque", "List", "Set", "FrozenSet", "Tuple", "Deque", "Sequence", "Iterable",
    "Iterator", "Collection", "MutableSequence", "Generator", "AsyncIterator", "AsyncIterable",
}  # fmt: skip
_TABLES = {"dict", "Dict", "Mapping", "MutableMapping", "defaultdict", "DefaultDict", "OrderedDict"}
_MEMBERS: WeakKeyDictionary[ast.ClassDef, dict[str, list[Member]]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Member:
    """One binding of a class's name: the statement, and the method it stands in (None: in the class's own body)."""

    node: ast.AST
    method: Function | None
    value: ast.expr | None = None
    annotation: ast.expr | None = None


def members_of(cls: ast.ClassDef) -> dict[str, list[Member]]:
    """What a class binds itself: methods, nested classes, fields, and `self.x = ...` of its methods."""
    if (kept := _MEMBERS.get(cls)) is not None:
        return kept
    found: dict[str, list[Member]] = {}
    for node in statements(cls.body):
        for name in bound_by(node):
            member = Member(node, None, getattr(node, "value", None), getattr(node, "annotation", None))
            found.setdefault(name, []).append(member)
    for method in [n for n in statements(cls.body) if isinstance(n, Function)]:
        me = first_parameter(method)
        for node in ast.walk(method) if me else ():
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            ends = [t for target in targets if target is not None for t in targets_of(target)]
            for target in ends:
                if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == me:
                    value = getattr(node, "value", None) if len(ends) == len(targets) else None
                    member = Member(node, method, value, getattr(node, "annotation", None))
                    found.setdefault(target.attr, []).append(member)
    _MEMBERS[cls] = found
    return found


def home(bindings: list[Member]) -> Member:
    """Where a member is defined: in the class's body, else in `__init__`, else where it is first assigned."""
    order = [m for m in bindings if m.method is None] + [
        m for m in bindings if m.method and m.method.name == "__init__"
    ]
    return (order or bindings)[0]


def first_parameter(method: Function) -> str:
    """The name of a method's own object or class; "" for a static method."""
    if any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in method.decorator_list):
        return ""
    parameters = [*method.args.posonlyargs, *method.args.args]
    return parameters[0].arg if parameters else ""


class Members:
    """Says what members and values of a project's things are, from the place of one function or module.

    depth: how many inferences this one rests on. owner: the class whose member is asked about, where that is known.
    """

    def __init__(
        self, project: Project, module: Module, way: list[ast.ClassDef | Function], body: list[ast.stmt],
        depth: int = 0, owner: Thing | None = None,
    ) -> None:  # fmt: skip
        self.project, self.module, self.way, self.body, self.depth = project, module, way, body, depth
        self.cls = owner

    def infer(self, node: ast.expr) -> Thing | None:
        """What an expression stands for, in the scopes of this place."""
        raise NotImplementedError

    def member(self, base: Thing, name: str) -> Thing | None:
        """The member of a thing; None where it has none that is known."""
        if base.kind == "module" and base.module is not None:
            inner = base.module.lookup(name)
            if inner is None and (module := self.project.module(f"{base.namespace}.{name}")):
                return Thing("module", module.name, module)
            return inner or Thing("missing", f"{base.namespace}.{name}", base.module)
        if base.kind in ("external", "builtin"):
            return Thing(base.kind, f"{base.namespace}.{name}")
        if base.kind in ("class", "super"):
            return self.class_member(base, name)
        if base.kind == "instance" and base.type is not None:
            if base.type.kind == "class":
                return base.type if name == "__class__" else self.class_member(base.type, name)
            return Thing("external", f"{base.type.namespace}.{name}") if base.type.kind == "external" else None
        if base.kind in ("variable", "function"):
            value = self.valued(base)
            return self.member(value, name) if value is not None and value is not base else None
        return None

    def class_member(self, cls: Thing, name: str, depth: int = 0) -> Thing | None:
        """A member by name, looked for in a class of the project and then in its bases, those outside last."""
        if not isinstance(cls.node, ast.ClassDef) or cls.module is None or depth > _BASES:
            return None
        bindings = members_of(cls.node).get(name) if cls.kind == "class" else None
        own: Thing | None = None
        if bindings:
            node = home(bindings).node
            kind = (
                "class" if isinstance(node, ast.ClassDef) else "function" if isinstance(node, Function) else "variable"
            )
            own = Thing(kind, f"{cls.namespace}.{name}", cls.module, node, owner=cls)
            if home(bindings).method is None:
                return own
        outside: Thing | None = None  # of a field that methods assign, the base that introduces it is the home
        for expression in cls.node.bases:
            base = self.static(expression, cls.module)
            if base is None:
                continue
            if base.kind == "external":
                outside = outside or base
            elif found := self.class_member(base, name, depth + 1):
                if found.kind != "external":
                    return found
                outside = outside or Thing("external", found.namespace.rpartition(".")[0])
        if own is not None:
            return own
        dunder = name.startswith("__") and hasattr(object, name)
        return Thing("external", f"{outside.namespace}.{name}") if outside is not None and not dunder else None

    def static(self, node: ast.expr, module: Module) -> Thing | None:
        """A dotted name (or what it is a subscript of) in the scope of a module."""
        if isinstance(node, ast.Subscript):
            return self.static(node.value, module)
        if isinstance(node, ast.Name):
            return module.lookup(node.id)
        if isinstance(node, ast.Attribute) and (base := self.static(node.value, module)):
            return self.member(base, node.attr)
        return None

    def _returned(self, function: Thing) -> Thing | None:
        """What a call of a function of the project gives: by its annotation, else by what it returns."""
        node = function.node
        if not isinstance(node, Function) or function.module is None:
            return None
        inner = self._inside(function, node)
        if inner is None:
            return None
        if node.returns is not None:
            return inner.annotated(node.returns, inner.module)
        returns = [s.value for s in statements(node.body) if isinstance(s, ast.Return) and s.value is not None]
        values = (inner.valued(inner.infer(value)) for value in returns[:3])
        return next((v for v in values if v is not None and v.kind in ("instance", "many")), None)

    def valued(self, thing: Thing | None) -> Thing | None:
        """A variable or property as the value that it holds, if that can be told; anything else as it is."""
        if thing is None or thing.module is None or thing.kind not in ("function", "variable"):
            return thing
        if thing.kind == "function":
            named = {getattr(d, "attr", getattr(d, "id", "")) for d in getattr(thing.node, "decorator_list", [])}
            return self.called(thing) if named & {"property", "cached_property"} else thing
        return self.project.once(("value", thing), lambda: self._held(thing))

    def called(self, function: Thing) -> Thing | None:
        return self.project.once(("returned", function), lambda: self._returned(function))

    def _held(self, thing: Thing) -> Thing | None:
        name = thing.namespace.rpartition(".")[2]
        if thing.owner is not None and isinstance(thing.owner.node, ast.ClassDef):
            bindings = members_of(thing.owner.node).get(name, [])
        else:
            nodes = thing.module.bindings.get(name, []) if thing.module is not None else []
            bindings = [Member(n, None, getattr(n, "value", None), getattr(n, "annotation", None)) for n in nodes]
        for member in bindings:
            inner = self._inside(thing, member.method)
            found = None
            if inner is not None and member.annotation is not None:
                found = inner.annotated(member.annotation, inner.module)
            elif inner is not None and member.value is not None:
                found = inner.valued(inner.infer(member.value))
            if found is not None and found.kind in ("instance", "many"):
                return found
        return None

    def _inside(self, thing: Thing, function: Function | None) -> Self | None:
        """A reader for the place where a thing is defined; None where inferences rest on too many others."""
        if thing.module is None or self.depth > _DEEPEST:
            return None
        owner = thing.owner.node if thing.owner is not None else None
        way = [node for node in (owner, function) if isinstance(node, ast.ClassDef | Function)]
        body = function.body if function is not None else []
        return type(self)(self.project, thing.module, way, body, self.depth + 1, thing.owner)

    def annotated(self, node: ast.expr, module: Module) -> Thing | None:
        """An instance of the class that an annotation names, `many` for a container of them; None for anything else."""
        if isinstance(node, ast.Constant):
            parsed = expression_of(node.value) if isinstance(node.value, str) else None
            return self.annotated(parsed, module) if parsed is not None else None
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return self.annotated(node.left, module) or self.annotated(node.right, module)
        if isinstance(node, ast.Subscript):
            name = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            if not inner:
                return None
            if name in _INNER:
                return self.annotated(inner[0], module)
            if name in ("Union", "type", "Type"):
                found = next((a for a in (self.annotated(i, module) for i in inner) if a is not None), None)
                return found if name == "Union" or found is None else found.type
            if name in _MANY or name in _TABLES:
                of = self.annotated(inner[-1] if name in _TABLES else inner[0], module)
                return Thing("many", type=of.type) if of is not None and of.kind == "instance" else None
        thing = self.static(node, module)
        if thing is None or thing.kind not in ("class", "external"):
            return None
        if thing.namespace in ("typing.Self", "typing_extensions.Self"):
            return Thing("instance", type=self.cls) if self.cls is not None else None
        vague = thing.namespace.startswith(("typing.", "collections.abc."))
        return None if vague else Thing("instance", type=thing)


def element(many: Thing | None) -> Thing | None:
    """What a container of known elements gives when it is looped over or asked for one."""
    return Thing("instance", type=many.type) if many is not None and many.kind == "many" and many.type else None


def expression_of(text: str) -> ast.expr | None:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return None
