"""The samples of EvoCodeBench in the official schema: data.jsonl beside the projects, or published completions alone."""

from __future__ import annotations

import functools
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from steelyard.benchmarks.code.assemble import reindented
from steelyard.benchmarks.code.records import Record, read_records
from steelyard.benchmarks.code.repositories import environment, project
from steelyard.benchmarks.code.repositories.functions import functions, text_of
from steelyard.benchmarks.code.repositories.project import Project
from steelyard.core.errors import InputError, MissingError

FIELDS = (
    "namespace", "type", "completion_path", "signature_position", "body_position", "dependency", "indent", "tests",
    "requirement", "domain",
)  # fmt: skip
KINDS = ("intra_class", "intra_file", "cross_file")
SOURCES = ("Source_Code", ".")  # below the data folder
PUBLISHED = "completions_greedy.jsonl.gz"
SAMPLED = "completions_sampling20_deepseek-7b_local_completion.jsonl.gz"


@dataclass(frozen=True)
class Sample:
    """One target function. path: below its project's root. signature, body: lines from 1, both ends inclusive.

    facts: what a built slice knows beyond the official schema (upload date, whether the body is older).
    """

    project: Project
    namespace: str
    type: str
    path: str
    signature: tuple[int, int]
    body: tuple[int, int]
    indent: int
    tests: tuple[str, ...]
    functionality: str
    arguments: str
    domain: str
    dependency: Mapping[str, tuple[str, ...]]
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.namespace.rpartition(".")[2]

    @property
    def qualname(self) -> str:
        """`Class.method` or `function`, as it stands in its file."""
        module = self.project.module_of(self.path)
        if self.namespace.startswith(f"{module}."):
            return self.namespace.removeprefix(f"{module}.")
        parts = self.namespace.split(".")
        return ".".join(parts[-2:] if self.type == "method" else parts[-1:])

    @property
    def needed(self) -> frozenset[str]:
        """The names its reference depends on; none: it is standalone."""
        return frozenset(name for names in self.dependency.values() for name in names)

    @functools.cached_property
    def source(self) -> str:
        return self.project.source(self.path)

    @functools.cached_property
    def reference(self) -> str:
        """The body as it stands in the file."""
        return text_of(self.source, *self.body)

    @functools.cached_property
    def header(self) -> str:
        """The signature as it stands in the file."""
        return text_of(self.source, *self.signature)

    def query(self) -> str:
        """The qualified name, the signature and the requirement."""
        return f"{self.qualname}\n{self.header}{self.functionality}\n{self.arguments}"

    def neighbours(self) -> list[tuple[str, str]]:
        """The other functions of the project: (name, signature and docstring; the function under this one's name)."""
        found = []
        for path in self.project.sources:
            source = self.project.source(path)
            for near in functions(path, source):
                if (path, near.body) != (self.path, self.body):
                    about = f"{near.qualname}\n{text_of(source, *near.signature)}{near.docstring}"
                    found.append(
                        (about, f"```python\n{self.header}{reindented(text_of(source, *near.body), self.indent)}```")
                    )
        return found


@dataclass(frozen=True)
class Target:
    """A function of which only the name is known: completions were published, the project was not.

    completions: (setting, model) -> bodies, one a sample drawn. facts: what is true of all completions together.
    """

    namespace: str
    completions: Mapping[tuple[str, str], Sequence[str]] = field(default_factory=dict)
    facts: Mapping[str, float] = field(default_factory=dict)


def read_samples(folder: Path, notes: list[str]) -> list[Sample]:
    """The samples of a folder with data.jsonl and Source_Code/<project>/ (or the projects beside it).

    What cannot be measured (its project or file is not here, its lines are not in the file) goes to `notes`, by name.
    Raises InputError naming line and field, MissingError for a file that is not here.
    """
    records = read_records(folder / "data.jsonl", FIELDS, "namespace")
    facts = _slice(folder)
    out = []
    for record in records:
        name = record.text("completion_path").partition("/")[0]
        root = next((folder / s / name for s in SOURCES if (folder / s / name).is_dir()), None)
        if root is None:
            notes.append(f"{record.text('namespace')}: left out, its project {name!r} is not here")
            continue
        try:
            out.append(_sample(record, _project(root, facts.get(name, {}).get("needs"), facts.get(name, {}))))
        except MissingError as error:
            notes.append(f"{record.text('namespace')}: left out, {error.what}")
    if not out:
        raise InputError(f"{folder}: no sample can be measured.", (notes or ["data.jsonl is empty."])[0])
    return out


def _slice(folder: Path) -> dict[str, dict[str, Any]]:
    """What a built slice says of its sources: project folder -> facts; {} for official data."""
    path = folder / "slice.json"
    if not path.is_file():
        return {}
    try:
        return {source["folder"]: source for source in json.loads(path.read_text("utf-8"))["sources"]}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: is not the description of a slice ({error!r}).", "Build the slice again.") from error


@functools.lru_cache(maxsize=128)
def _laid_out(root: Path) -> Project:
    try:
        return project.laid_out(root, root.name)
    except InputError:  # an official project of another shape: its samples say where everything is
        return Project(root.name, root, roots=("src", "") if (root / "src").is_dir() else ("",))


def _project(root: Path, needs: Sequence[str] | None, facts: Mapping[str, Any]) -> Project:
    found = _laid_out(root)
    if not facts:
        return found
    found = replace(found, version=facts["version"], sha256=facts["sha256"], uploaded=facts["uploaded"])
    return environment.equipped(found, needs)


def _sample(record: Record, of: Project) -> Sample:
    fields = record.fields
    path = record.text("completion_path").partition("/")[2]
    if not (of.root / path).is_file() or ".." in path:
        raise MissingError(f"its file {path!r} is not in its project")
    lines = of.source(path).count("\n") + 1
    signature, body = (_span(record, name, lines) for name in ("signature_position", "body_position"))
    requirement, dependency = fields["requirement"], fields["dependency"]
    for name, value in (("requirement", requirement), ("dependency", dependency)):
        if not isinstance(value, dict):
            raise InputError(f"{record.where}: field {name!r} is not an object.")
    if fields["type"] not in ("method", "function"):
        raise InputError(f"{record.where}: field 'type' is {fields['type']!r}.", "It may be method or function.")
    tests = fields["tests"]
    if not isinstance(tests, list) or not tests or not all(isinstance(t, str) for t in tests):
        raise InputError(
            f"{record.where}: field 'tests' is no list of test ids.", "A sample without tests has no verdict."
        )
    return Sample(
        of, record.text("namespace"), fields["type"], path, signature, body, int(fields["indent"]), tuple(tests),
        str(requirement.get("Functionality", "")), str(requirement.get("Arguments", "")), record.text("domain"),
        {kind: tuple(dependency.get(kind, ())) for kind in KINDS}, fields.get("facts", {}),
    )  # fmt: skip


def _span(record: Record, name: str, lines: int) -> tuple[int, int]:
    value = record.fields[name]
    good = isinstance(value, list) and len(value) == 2 and all(isinstance(n, int) for n in value)
    if not good or not 1 <= value[0] <= value[1] <= lines:
        raise InputError(
            f"{record.where}: field {name!r} is {value!r}.",
            f"It is [first line, last line] in a file of {lines} lines.",
        )
    return value[0], value[1]


def has_completions(folder: Path) -> bool:
    return (folder / PUBLISHED).is_file() and not (folder / "data.jsonl").is_file()


def read_targets(folder: Path) -> list[Target]:
    """The targets of published completions, in the order of namespaces.txt. Raises InputError naming file and line."""
    found: dict[str, dict[tuple[str, str], list[str]]] = {}
    for line in (folder / "namespaces.txt").read_text("utf-8").split():
        found[line] = {}
    for file in (PUBLISHED, SAMPLED):
        if (folder / file).is_file():
            for name, key, completion in _completions(folder / file):
                if name not in found:
                    raise InputError(f"{folder / file}: {name!r} is not in namespaces.txt.")
                found[name].setdefault(key, []).append(completion)
    return [Target(name, completions) for name, completions in found.items()]


def _completions(path: Path) -> Iterator[tuple[str, tuple[str, str], str]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                record = json.loads(line)
                key = (record.get("setting", "local_completion"), record.get("model", "deepseek-7b-sampled"))
                yield record["namespace"], key, record["completion"]
            except (ValueError, KeyError, AttributeError) as error:
                cure = "Each line needs: setting, model, namespace, completion."
                raise InputError(f"{path}, line {number}: {error!r}.", cure) from error
