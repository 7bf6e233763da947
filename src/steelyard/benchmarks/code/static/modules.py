"""An index of a Python project: its modules, what each defines, and what a dotted name or a member stands for."""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Literal

from steelyard.core.errors import InputError, unknown

Kind = Literal[
    "module", "class", "super", "function", "variable", "instance", "many", "local", "external", "builtin", "missing"
]
Function = ast.FunctionDef | ast.AsyncFunctionDef
_SKIPPED = {"node_modules", "__pycache__", "site-packages", "build", "dist"}
_LARGEST = 1_000_000  # bytes: a longer file is data


@dataclass(frozen=True, slots=True)
class Thing:
    """What an expression stands for.

    namespace: its dotted name, from the project or from outside; "" for a value without a name.
    module, node: where it is defined, of what the project defines. owner: the class whose member it is.
    type: the class of an instance, or of the elements of `many`. missing: of this project, but no source file defines
    it. local: a value of the function itself, of which no more is known.
    """

    kind: Kind
    namespace: str = ""
    module: Module | None = None
    node: ast.AST | None = None
    type: Thing | None = None
    owner: Thing | None = None


@dataclass(eq=False)
class Module:
    """One file: its dotted name, its tree and what stands at its top level, found when first asked for."""

    name: str
    path: str
    source: str
    project: Project = field(repr=False)

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree; an empty one where the file is not valid Python."""
        try:
            return ast.parse(self.source)
        except (SyntaxError, ValueError, RecursionError):
            return ast.parse("")

    @property
    def package(self) -> str:
        """What a relative import starts from."""
        return self.name if PurePosixPath(self.path).name == "__init__.py" else self.name.rpartition(".")[0]

    @cached_property
    def bindings(self) -> dict[str, list[ast.AST]]:
        """Name -> the statements at the top level that bind it, in order."""
        found: dict[str, list[ast.AST]] = {}
        for node in statements(self.tree.body):
            for name in bound_by(node):
                found.setdefault(name, []).append(node)
        return found

    @cached_property
    def stars(self) -> list[str]:
        """The modules of `from m import *`, absolute, the last first, since it wins."""
        froms = [n for n in statements(self.tree.body) if isinstance(n, ast.ImportFrom) and n.names[0].name == "*"]
        return [absolute(n, self.package) for n in reversed(froms)]

    @cached_property
    def public(self) -> set[str] | None:
        """The names of a literal `__all__`, or None."""
        for node in self.bindings.get("__all__", []):
            value = getattr(node, "value", None)
            if isinstance(value, ast.List | ast.Tuple):
                return {e.value for e in value.elts if isinstance(e, ast.Constant) and isinstance(e.value, str)}
        return None

    def lookup(self, name: str) -> Thing | None:
        """What a name of this module stands for, through imports and star imports; None where it has no such name."""
        known, asking, question = self.project.known, self.project.asking, (self.path, name)
        if question in known:
            return known[question]
        if question in asking:  # imports in a circle
            return None
        asking.add(question)
        try:
            found = self._look(name)
        finally:
            asking.discard(question)
        if not asking:  # inside a circle an answer may lack what is still being asked
            known[question] = found
        return found

    def _look(self, name: str) -> Thing | None:
        bindings = self.bindings.get(name, [])
        for node in bindings:
            found = self._bound(name, node)
            if found is not None and found.kind != "missing":
                return found
        for star in self.stars:
            other = self.project.module(star, self)
            if other is None:
                continue
            shown = name in other.public if other.public is not None else not name.startswith("_")
            if shown and (found := other.lookup(name)):
                return found
        if self.package == self.name and (inner := self.project.module(f"{self.name}.{name}")):
            return Thing("module", inner.name, inner)
        if bindings:
            return self._bound(name, bindings[0])
        outside = [s for s in self.stars if self.project.module(s, self) is None]
        if len(outside) == 1 and not hasattr(builtins, name) and not name.startswith("__"):
            return self.project.dotted(f"{outside[0]}.{name}", self)
        return None

    def _bound(self, name: str, node: ast.AST) -> Thing | None:
        if isinstance(node, ast.Import | ast.ImportFrom):
            return imported(name, node, self)
        kind: Kind = (
            "class" if isinstance(node, ast.ClassDef) else "function" if isinstance(node, Function) else "variable"
        )
        return Thing(kind, f"{self.name}.{name}", self, node)


class Project:
    """The Python files of one project, indexed once and read by many questions.

    files: path (POSIX, relative to the root) -> source. A file in a package is named from its topmost package on;
    any other from its import root, which is `src` or `lib` where the path begins so, else the root.
    """

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = dict(files)
        self.by_path: dict[str, Module] = {}
        self._by_name: dict[str, Module] = {}
        self.known: dict[tuple[str, str], Thing | None] = {}
        self.asking: set[tuple[str, str]] = set()
        self._kept: dict[object, Thing | None] = {}
        for path, source in self.files.items():
            own, from_root = self._names(path)
            self.by_path[path] = module = Module(own, path, source, self)
            self._by_name.setdefault(own, module)
            self._by_name.setdefault(from_root, module)
        self._tops = {name.partition(".")[0] for name in self._by_name}

    @classmethod
    def read(cls, root: Path) -> Project:
        """The project in a folder. Files that are not UTF-8 or longer than 1 MB are left out.

        Raises InputError where there is no Python file.
        """
        files = {}
        for path in sorted(root.rglob("*.py")):
            inside = path.relative_to(root)
            if any(part in _SKIPPED or part.startswith(".") for part in inside.parts[:-1]) or not path.is_file():
                continue
            if path.stat().st_size > _LARGEST:
                continue
            try:
                files[inside.as_posix()] = path.read_bytes().decode("utf-8-sig")
            except UnicodeDecodeError:
                continue
        if not files:
            raise InputError(f"{root}: holds no Python file.", "Give the root folder of a Python project.")
        return cls(files)

    def _names(self, path: str) -> tuple[str, str]:
        parts = list(PurePosixPath(path).with_suffix("").parts)
        folders = parts[:-1]
        at = len(folders)
        while at and "/".join([*folders[:at], "__init__.py"]) in self.files:
            at -= 1
        if parts[-1] == "__init__" and len(parts) > 1:
            parts.pop()
        start = 1 if parts[0] in ("src", "lib") and len(parts) > 1 else 0
        from_root = ".".join(parts[start:])
        return ".".join(parts[at:]) if at < len(folders) else from_root, from_root

    def once(self, question: object, answer: Callable[[], Thing | None]) -> Thing | None:
        """The answer to a question, found once; None while it is being found, for what rests on itself is not known."""
        if question not in self._kept:
            self._kept[question] = None
            self._kept[question] = answer()
        return self._kept[question]

    def module(self, name: str, asker: Module | None = None) -> Module | None:
        """The module of a dotted name; a script also finds the files beside it (asker)."""
        found = self._by_name.get(name)
        if found is None and asker is not None:
            beside = PurePosixPath(asker.path).parent / (name.replace(".", "/") + ".py")
            found = self.by_path.get(beside.as_posix())
        return found

    def dotted(self, name: str, asker: Module) -> Thing:
        """What an absolute dotted name stands for: of the project, missing from it, or from outside."""
        if module := self.module(name, asker):
            return Thing("module", module.name, module)
        head, _, tail = name.rpartition(".")
        if head and (module := self.module(head, asker)):
            return module.lookup(tail) or Thing("missing", f"{module.name}.{tail}", module)
        top = name.partition(".")[0]
        return Thing("missing" if top in self._tops else "external", name)

    def find(self, path: str, qualname: str) -> tuple[Module, list[ast.ClassDef | Function]]:
        """A function, else a class, by its dotted name within a file, after the definitions that enclose it.

        Raises InputError naming the file and the nearest names.
        """
        if path not in self.by_path:
            raise unknown("file", path, self.by_path)
        module = self.by_path[path]
        ways = list(_ways(module.tree.body, qualname.split(".")))
        if not ways:
            raise unknown("definition", qualname, [name for name, _ in self.functions(path)], where=path)
        return module, next((way for way in ways if isinstance(way[-1], Function)), ways[0])

    def functions(self, path: str) -> Iterator[tuple[str, Function]]:
        """(dotted name within the file, node) of each function and method of a file; not of those inside functions."""

        def inside(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, Function]]:
            for node in statements(body):
                if isinstance(node, ast.ClassDef):
                    yield from inside(node.body, f"{prefix}{node.name}.")
                elif isinstance(node, Function) and not _is_alternative(node):
                    yield prefix + node.name, node

        yield from inside(self.by_path[path].tree.body, "")


def _ways(body: list[ast.stmt], names: list[str]) -> Iterator[list[ast.ClassDef | Function]]:
    """The definitions that lead to a nested name; a name may be defined twice, with something inside one of them only."""
    for node in statements(body):
        if isinstance(node, ast.ClassDef | Function) and node.name == names[0] and not _is_alternative(node):
            rest = _ways(node.body, names[1:]) if len(names) > 1 else iter([[]])
            yield from ([node, *more] for more in rest)


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run in the scope of `body`: those inside if, try, with and loops too, not those of defs."""
    for node in body:
        yield node
        if isinstance(node, ast.ClassDef | Function):
            continue
        for name in ("body", "orelse", "finalbody"):
            yield from statements(getattr(node, name, []))
        for part in [*getattr(node, "handlers", []), *getattr(node, "cases", [])]:
            yield from statements(part.body)


def bound_by(node: ast.stmt) -> Iterator[str]:
    """The names that a statement itself binds (walrus and comprehension targets aside)."""
    if isinstance(node, ast.ClassDef | Function):
        yield node.name
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names if alias.name != "*")
    elif isinstance(node, ast.With | ast.AsyncWith):
        yield from (
            t.id for i in node.items if i.optional_vars for t in targets_of(i.optional_vars) if isinstance(t, ast.Name)
        )
    else:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        yield from (t.id for target in targets if target for t in targets_of(target) if isinstance(t, ast.Name))


def absolute(node: ast.ImportFrom, package: str) -> str:
    """The absolute name of the module that a `from` import reads."""
    if not node.level:
        return node.module or ""
    parts = package.split(".") if package else []
    base = parts[: len(parts) - node.level + 1] if node.level > 1 else parts
    return ".".join([*base, *([node.module] if node.module else [])])


def imported(name: str, node: ast.Import | ast.ImportFrom, module: Module) -> Thing | None:
    """What a name bound by an import statement stands for."""
    for alias in node.names:
        if (alias.asname or alias.name.partition(".")[0]) != name:
            continue
        if isinstance(node, ast.ImportFrom):
            return module.project.dotted(f"{absolute(node, module.package)}.{alias.name}".lstrip("."), module)
        target = alias.name if alias.asname else alias.name.partition(".")[0]
        return module.project.dotted(target, module)
    return None


def is_stdlib(namespace: str) -> bool:
    return namespace.partition(".")[0] in sys.stdlib_module_names


def _is_alternative(node: ast.AST) -> bool:
    names = [
        d.attr if isinstance(d, ast.Attribute) else getattr(d, "id", "") for d in getattr(node, "decorator_list", [])
    ]
    return "overload" in names or "setter" in names or "deleter" in names


def targets_of(target: ast.expr) -> Iterator[ast.expr]:
    if isinstance(target, ast.Tuple | ast.List):
        for element in target.elts:
            yield from targets_of(element)
    elif isinstance(target, ast.Starred):
        yield from targets_of(target.value)
    else:
        yield target
