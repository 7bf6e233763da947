"""Names and dependencies of Python functions: which names a body uses, and where each of them is defined."""

from __future__ import annotations

import ast
import builtins
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field

from steelyard.benchmarks.code.static.inference import Reader
from steelyard.benchmarks.code.static.modules import Function, Project, Thing, is_stdlib
from steelyard.core.errors import InputError

__all__ = ["LEVELS", "Dependencies", "Project", "dependencies"]

LEVELS = ("self_contained", "slib_runnable", "plib_runnable", "class_runnable", "file_runnable", "project_runnable")
_PLACES = ("intra_class", "intra_file", "cross_file", "stdlib", "third_party", "builtins", "unresolved")


@dataclass(frozen=True)
class Dependencies:
    """What a function uses, as dotted names, by where it is defined. Of a chain the longest resolvable name counts.

    intra_class: members of its own class; intra_file, cross_file: of the project otherwise (its own locals, its own
    name and fields that only it assigns are none). stdlib, third_party, builtins: from outside, inherited members too.
    unresolved: names that nothing defines. kinds: name -> module, class, function or variable, of the project's names.
    uses_self: it touches its object or class at all.
    """

    intra_class: frozenset[str] = frozenset()
    intra_file: frozenset[str] = frozenset()
    cross_file: frozenset[str] = frozenset()
    stdlib: frozenset[str] = frozenset()
    third_party: frozenset[str] = frozenset()
    builtins: frozenset[str] = frozenset()
    unresolved: frozenset[str] = frozenset()
    kinds: Mapping[str, str] = field(default_factory=dict)
    uses_self: bool = False

    @property
    def project(self) -> frozenset[str]:
        """The three kinds of project names together: what EvoCodeBench calls the dependencies of a function."""
        return self.intra_class | self.intra_file | self.cross_file

    @property
    def level(self) -> str:
        """The smallest scope in which it can run (arXiv:2302.00288, runnable levels)."""
        for name, needed in (
            ("project_runnable", self.cross_file),
            ("file_runnable", self.intra_file),
            ("class_runnable", self.intra_class or self.uses_self),
            ("plib_runnable", self.third_party),
            ("slib_runnable", self.stdlib),
        ):
            if needed:
                return name
        return "self_contained"


def dependencies(
    project: Project, path: str, qualname: str, body: str | None = None, signature: bool = False
) -> Dependencies:
    """What the function `qualname` of a file uses; with `body`, what that text would use in the place of its body.

    body: statements, indented alike (by any amount), in the scope of the function's own parameters and file.
    signature: decorators, defaults and annotations count too: the function cannot be defined without them.
    Raises InputError for a file or function that is not there, SyntaxError for a body that does not parse.
    """
    module, way = project.find(path, qualname)
    target = way[-1]
    if not isinstance(target, Function):
        raise InputError(f"{path}: {qualname} is a class, not a function.", "Name a function or a method.")
    reader = Reader(project, module, way, statements_of(body) if body is not None else target.body)
    reader.read(signature)
    return _sorted(reader, f"{module.name}.{qualname}")


def statements_of(body: str) -> list[ast.stmt]:
    """The statements of a function body, indented or not. Raises SyntaxError (ValueError for null bytes becomes one)."""
    first = next((line for line in body.splitlines() if line.strip() and not line.lstrip().startswith("#")), "")
    if not first:
        raise SyntaxError("the body is empty")
    text = body if first[0].isspace() else textwrap.indent(body, "    ")
    try:
        tree = ast.parse(f"async def _():\n{text}\n")
    except (ValueError, RecursionError, MemoryError) as error:
        raise SyntaxError(str(error)) from error
    function, *rest = tree.body
    if rest or not isinstance(function, ast.AsyncFunctionDef):
        raise SyntaxError("code stands after the body")
    return function.body


def _sorted(reader: Reader, own: str) -> Dependencies:
    """Every noted thing under its kind of place."""
    sets: dict[str, set[str]] = {name: set() for name in _PLACES}
    kinds = {}
    cls = reader.cls
    for thing in reader.noted:
        if thing.namespace == own:
            continue
        place = _place(thing, reader, cls)
        sets[place].add(thing.namespace)
        if place in _PLACES[:3]:
            kinds[thing.namespace] = "variable" if thing.kind == "missing" else thing.kind
    sets["unresolved"] |= reader.lost
    in_class, in_file, across, standard, others, builtin, lost = (frozenset(sets[name]) for name in _PLACES)
    return Dependencies(in_class, in_file, across, standard, others, builtin, lost, kinds, reader.uses_self)


def _place(thing: Thing, reader: Reader, cls: Thing | None) -> str:
    if thing.kind == "builtin" or (thing.kind == "external" and hasattr(builtins, thing.namespace.partition(".")[0])):
        return "builtins"
    if thing.kind == "external":
        return "stdlib" if is_stdlib(thing.namespace) else "third_party"
    if cls is not None and thing.owner is not None and thing.owner.namespace == cls.namespace:
        return "intra_class"
    return "intra_file" if thing.module is reader.module else "cross_file"
