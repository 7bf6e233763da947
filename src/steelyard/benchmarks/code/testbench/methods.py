"""The methods that tests are asked for, in the released schema."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from steelyard.benchmarks.code.records import read_records
from steelyard.benchmarks.code.static import java
from steelyard.core.errors import InputError

FIELDS = (
    "project_name", "relative_path", "package", "source_code", "class_name", "method_name", "argument_name",
    "full_context",
)  # fmt: skip


@dataclass(frozen=True)
class Method:
    """One method under test.

    arguments: "type name" of each. full: the whole file it stands in. simple: its released simple context, "" where there
    is none. reference: a test that is accepted, "" where none is known. imports_of: the file whose imports the repair
    takes, that of the first method of this name in the project.
    """

    id: str
    project: str
    path: str
    package: str
    source: str
    class_name: str
    name: str
    arguments: tuple[str, ...]
    full: str
    simple: str
    reference: str
    imports_of: str

    @property
    def qualified(self) -> str:
        """The binary name of the class under test."""
        return f"{self.package}.{self.class_name}" if self.package else self.class_name

    @cached_property
    def place(self) -> java.Method | None:
        """The method in its file; of several overloads the one with these parameter types."""
        named = [m for m in java.read(self.full).methods() if m.name == self.name]
        at_home = [m for m in named if m.owner.split(".")[0] == self.class_name] or named
        written = [a.rpartition(" ")[0] for a in self.arguments]
        for alike in (lambda kind: kind, _bare):
            for one in at_home:
                if [alike(p.type) for p in one.parameters] == [alike(kind) for kind in written]:
                    return one
        return next(iter(at_home), None)


def read_methods(path: Path) -> list[Method]:
    """The methods of `methods.jsonl` (or .jsonl.gz) in a folder, in file order; ids are project/class.method, numbered
    where overloads share that.

    Raises InputError naming line and field, MissingError where there is no such file.
    """
    packed = path / "methods.jsonl.gz"
    records = read_records(packed if packed.is_file() else path / "methods.jsonl", FIELDS, key="")
    names: dict[str, int] = {}
    first: dict[tuple[str, str], str] = {}
    found = []
    for record in records:
        project, where, package, source, class_name, name = (record.text(f) for f in FIELDS[:6])
        full, arguments = record.text("full_context"), record.fields["argument_name"]
        if not isinstance(arguments, list) or not all(isinstance(a, str) for a in arguments):
            raise InputError(
                f"{record.where}: argument_name is no list of texts.", 'Write ["int x", "String y"], or [].'
            )
        identity = f"{project}/{class_name}.{name}"
        names[identity] = names.get(identity, 0) + 1
        if names[identity] > 1:
            identity += f"-{names[identity]}"
        imports_of = first.setdefault((project, name), full)
        optional = (str(record.fields.get(f) or "") for f in ("simple_context", "reference_test"))
        found.append(
            Method(
                identity, project, where, package, source, class_name, name, tuple(arguments), full, *optional, imports_of
            )
        )  # fmt: skip
    return found


def _bare(kind: str) -> str:
    """A type without its arguments, qualifier and dimensions: released records drop them of types that are no primitives."""
    return kind.split("<")[0].replace("[]", "").replace("...", "").rpartition(".")[2].strip()
