"""Makes tasks and test cases from the sources of projects: python -m steelyard.benchmarks.code.javabench.prepare FOLDER."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from steelyard.benchmarks.code.javabench.answers import todo_methods
from steelyard.benchmarks.code.javabench.project import CONTEXTS, Project, read_projects, type_name
from steelyard.benchmarks.code.static import java

LIMIT = 12_000  # characters of full sources in the maximum context


def reached(start: str, uses: Mapping[str, Iterable[str]]) -> set[str]:
    """Every type that `start` reaches, itself included. uses: type -> types it names."""
    seen, todo = {start}, [start]
    while todo:
        new = set(uses.get(todo.pop(), ())) - seen
        seen |= new
        todo += new
    return seen


def uses_of(project: Project) -> dict[str, set[str]]:
    """Each type of the solution and its tests -> the types of the project that its file names."""
    sources = {type_name(path): java.read(text) for path, text in {**project.main, **project.tests}.items()}
    return {name: java.references(source, sources) - {name} for name, source in sources.items()}


def undone(project: Project) -> list[str]:
    """Paths of the classes that have TODO methods, in order."""
    return [path for path, text in project.skeletons.items() if todo_methods(java.read(text))]


def tasks(project: Project, context: str, limit: int = LIMIT) -> list[dict[str, str]]:
    """The tasks of a project: sources of the types that a skeleton names, in full as far as `limit` characters go
    (maximum), as signatures (selective), or none (minimum)."""
    types = {type_name(path): path for path in project.skeletons}
    found = []
    for path in undone(project):
        shown: list[str] = []
        for name in sorted(java.references(java.read(project.skeletons[path]), types) - {type_name(path)}):
            source = project.skeletons[types[name]]
            text = java.skeleton(java.read(source)) if context == "selective" else source
            if context == "selective" or (context == "maximum" and sum(map(len, shown)) + len(text) <= limit):
                shown.append(text)
        found.append(
            {"task_id": f"{project.name}/{path.rpartition('/')[2]}", "target": path,
             "code": _fenced(project.skeletons[path]), "code_context": "\n".join(map(_fenced, shown))}
        )  # fmt: skip
    return found


def test_cases(project: Project) -> list[dict[str, Any]]:
    """The test classes of a project that reach a class with TODO methods, with those classes."""
    uses, todo = uses_of(project), {type_name(path) for path in undone(project)}
    found = []
    for path, text in project.tests.items():
        needs = sorted(reached(type_name(path), uses) & todo)
        if needs and "@Test" in text:
            name = type_name(path)
            found.append({"test_id": f"{project.name}/{name.rpartition('.')[2]}", "target": name, "full_deps": needs})
    return found


def _fenced(text: str) -> str:
    return f"```java\n{text.strip()}\n\n```\n"


def main(folder: Path) -> None:
    """Write tasks_CONTEXT-context.jsonl and testcases.jsonl beside projects/ in `folder`."""
    projects = read_projects(folder).values()
    tables: dict[str, list[Any]] = {f"tasks_{c}-context": [t for p in projects for t in tasks(p, c)] for c in CONTEXTS}
    tables["testcases"] = [t for p in projects for t in test_cases(p)]
    for name, rows in tables.items():
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
