"""The data of JavaBench: tasks in three contexts, test classes with the classes they need, and the projects' sources."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from steelyard.benchmarks.code.javabench.answers import extract
from steelyard.benchmarks.code.records import Record, read_records
from steelyard.core.errors import InputError, MissingError

CONTEXTS = ("maximum", "minimum", "selective")
MAIN, TESTS, RESOURCES = "src/main/java/", "src/test/java/", ("src/main/resources/", "src/test/resources/")


@dataclass(frozen=True, slots=True)
class Project:
    """The solution of a project. main, tests: path below its source folder -> text. resources: path -> bytes; those of
    the tests win. skeletons: the sources that the students were given, path -> text."""

    name: str
    main: Mapping[str, str]
    tests: Mapping[str, str]
    resources: Mapping[str, bytes]
    skeletons: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Task:
    """A class to complete. target: its path below src/main/java. code, contexts: as they are shown, in fences.
    skeleton: the source in `code`."""

    project: Project
    target: str
    code: str
    skeleton: str
    contexts: Mapping[str, str]

    @property
    def name(self) -> str:
        return type_name(self.target)

    @property
    def solution(self) -> str:
        return self.project.main[self.target]


@dataclass(frozen=True, slots=True)
class Suite:
    """A test class. target: its qualified name. tasks: ids of the tasks whose classes it reaches."""

    project: Project
    target: str
    tasks: tuple[str, ...]


def type_name(path: str) -> str:
    """game/Cell.java -> game.Cell"""
    return path.removesuffix(".java").replace("/", ".")


def read_tasks(folder: Path, projects: Mapping[str, Project]) -> dict[str, Task]:
    """Task id -> task, from tasks_CONTEXT-context.jsonl(.gz). InputError names line and field, and what does not fit."""
    tables = {}
    for context in CONTEXTS:
        path = _file(folder, f"tasks_{context}-context.jsonl")
        records = read_records(path, ("task_id", "target", "code", "code_context"), "task_id")
        tables[context] = {r.text("task_id"): r for r in records}
    first = tables[CONTEXTS[0]]
    for context, table in tables.items():
        if odd := sorted(set(first) ^ set(table)):
            raise InputError(f"{folder}: task {odd[0]} is not in all contexts (see {context}).")
    return {name: _task(name, {c: tables[c][name] for c in CONTEXTS}, projects) for name in first}


def _task(name: str, records: Mapping[str, Record], projects: Mapping[str, Project]) -> Task:
    record = records["selective"]
    project = _project(record, name, projects)
    target, code = record.text("target"), record.text("code")
    if target not in project.main:
        raise InputError(f"{record.where}: {target} is no class of the solution of {project.name}.")
    skeleton = extract(code, published=True)
    if not skeleton:
        raise InputError(f"{record.where}: code has no ```java block.", "The skeleton stands in one.")
    return Task(project, target, code, skeleton, {c: r.text("code_context") for c, r in records.items()})


def read_suites(folder: Path, projects: Mapping[str, Project], tasks: Mapping[str, Task]) -> dict[str, Suite]:
    """Test id -> test class, from testcases.jsonl."""
    by_name = {(t.project.name, t.name): i for i, t in tasks.items()}
    found = {}
    for record in read_records(_file(folder, "testcases.jsonl"), ("test_id", "target", "full_deps"), "test_id"):
        name, target, needs = record.text("test_id"), record.text("target"), record.fields["full_deps"]
        project = _project(record, name, projects)
        if not isinstance(needs, list) or (odd := [n for n in needs if (project.name, n) not in by_name]):
            raise InputError(f"{record.where}: full_deps names {odd[0] if needs else needs!r}, which is no task.")
        if target.replace(".", "/") + ".java" not in project.tests:
            raise InputError(f"{record.where}: {target} is no test class of {project.name}.")
        found[name] = Suite(project, target, tuple(by_name[project.name, n] for n in needs))
    return found


def _project(record: Record, name: str, projects: Mapping[str, Project]) -> Project:
    project = name.partition("/")[0]
    if project not in projects:
        raise InputError(f"{record.where}: {name} is of no project here.", f"Here are {', '.join(sorted(projects))}.")
    return projects[project]


def _file(folder: Path, name: str) -> Path:
    found = next((p for p in (folder / name, folder / f"{name}.gz") if p.is_file()), None)
    if found is None:
        raise MissingError(f"{folder}: has no {name}(.gz).", "Give --data the folder of the official data.")
    return found


def read_projects(folder: Path) -> dict[str, Project]:
    """Name -> project, from projects.tar.gz or projects/: NAME (skeletons) and NAME-Solution (with tests).

    A source that is not UTF-8 is an InputError naming it.
    """
    files: dict[str, dict[str, bytes]] = {}
    for path, data in _contents(folder):
        name, _, rest = path.partition("/")
        files.setdefault(name, {})[rest] = data
    found = {}
    for name in sorted(n for n in files if f"{n}-Solution" in files):
        solution = files[f"{name}-Solution"]
        resources = {
            path.removeprefix(root): data
            for root in RESOURCES
            for path, data in solution.items()
            if path.startswith(root)
        }
        found[name] = Project(
            name, _sources(solution, MAIN), _sources(solution, TESTS), resources, _sources(files[name], MAIN)
        )
    if not found:
        raise InputError(
            f"{folder}: holds no project.", "A project NAME needs projects/NAME and projects/NAME-Solution."
        )
    return found


def _sources(files: Mapping[str, bytes], root: str) -> dict[str, str]:
    found = {}
    for path, data in sorted(files.items()):
        if path.startswith(root) and path.endswith(".java"):
            try:
                found[path.removeprefix(root)] = data.decode("utf-8")
            except UnicodeDecodeError as error:
                raise InputError(f"{path}: is not UTF-8 ({error.reason}).", "Save the file as UTF-8.") from error
    return found


def _contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """(path below projects/, content) of every file."""
    archive, tree = folder / "projects.tar.gz", folder / "projects"
    if tree.is_dir():
        for file in sorted(p for p in tree.rglob("*") if p.is_file()):
            yield file.relative_to(tree).as_posix(), file.read_bytes()
        return
    if not archive.is_file():
        raise MissingError(f"{folder}: has neither projects/ nor projects.tar.gz.", "They hold the projects' sources.")
    try:
        with tarfile.open(fileobj=io.BytesIO(archive.read_bytes())) as tar:
            for member in tar:
                content = tar.extractfile(member) if member.isfile() else None
                if content is not None:
                    yield PurePosixPath(member.name).relative_to("projects").as_posix(), content.read()
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise InputError(f"{archive}: cannot be read ({error}).", "It is a gzipped tar of projects/.") from error
