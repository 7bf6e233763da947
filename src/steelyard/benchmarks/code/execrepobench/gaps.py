"""The cases of ExecRepoBench in the official schema: a file with a gap, and the repository around it."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from steelyard.benchmarks.code.execrepobench import context
from steelyard.benchmarks.code.execrepobench.context import File
from steelyard.benchmarks.code.execrepobench.masks import FILL_TYPES
from steelyard.benchmarks.code.records import Record, read_records
from steelyard.benchmarks.code.repositories import environment
from steelyard.benchmarks.code.repositories.project import Project, laid_out
from steelyard.core.errors import InputError

FIELDS = ("repo_name", "file_name", "prefix_code", "middle_code", "suffix_code", "fill_type")
NAME = "exec_repo_bench.jsonl"
SLICE = "slice.json"


@dataclass(frozen=True, slots=True)
class Gap:
    """A file whose `middle` is taken out. given: the other files as published, the most relevant first, if they were.

    project: where its tests run, None where it is not here. tests: ids of the tests that run the file. fragment: another
    fragment of the same kind, which its tests must notice.
    """

    repository: str
    path: str
    prefix: str
    middle: str
    suffix: str
    fill_type: str
    given: tuple[File, ...] = ()
    project: Project | None = None
    tests: tuple[str, ...] = ()
    fragment: str = ""

    @property
    def id(self) -> str:
        start = len(self.prefix)
        return f"{self.repository}/{self.path}@{start}-{start + len(self.middle)}"

    def filled(self, middle: str) -> str:
        return self.prefix + middle + self.suffix

    @property
    def files(self) -> tuple[File, ...]:
        """The other files of the repository, tests aside, ranked by what stands around the gap."""
        return ranked(self, "without-middle")


@functools.lru_cache(maxsize=512)
def ranked(gap: Gap, query: context.Query) -> tuple[File, ...]:
    """The other files, the most relevant first. with-middle is the official query: the middle is still in it."""
    if gap.given and query == "with-middle":
        return gap.given
    asked = gap.filled(gap.middle if query == "with-middle" else "")
    return tuple(context.ranked(asked, gap.given or others(gap)))


def others(gap: Gap) -> list[File]:
    if gap.project is None:
        return []
    return [(path, gap.project.source(path)) for path in gap.project.sources if path != gap.path]


def read_gaps(path: Path, notes: list[str]) -> list[Gap]:
    """The gaps of a folder with exec_repo_bench.jsonl and repositories/<repo_name>/, or of the file alone.

    What cannot be run for lack of its repository goes to `notes`. Raises InputError naming line and field.
    """
    folder = path if path.is_dir() else path.parent
    facts = _sources(folder)
    found: dict[str, Gap] = {}
    for record in read_records(path / NAME if path.is_dir() else path, FIELDS, key=""):
        gap = _gap(record, folder, facts)
        if gap.id in found:
            raise InputError(f"{record.where}: the gap {gap.id} stands twice.", "Drop one of the two.")
        found[gap.id] = gap
    missing = [gap for gap in found.values() if gap.project is None]
    if missing:
        names = sorted({gap.repository for gap in missing})
        notes.append(f"{len(missing)} gaps cannot be run, repositories/ lacks {', '.join(names[:5])}: similarity only")
    return list(found.values())


def _gap(record: Record, folder: Path, facts: dict[str, dict[str, Any]]) -> Gap:
    texts = {name: record.text(name) for name in FIELDS}
    if texts["fill_type"] not in FILL_TYPES:
        raise InputError(f"{record.where}: fill_type is {texts['fill_type']!r}.", f"Known: {', '.join(FILL_TYPES)}.")
    given = record.fields.get("context_code", [])
    if not isinstance(given, list) or not all(isinstance(f, list) and len(f) == 2 for f in given):
        raise InputError(f"{record.where}: context_code is no list of [path, text].")
    tests = record.fields.get("tests", [])
    if not isinstance(tests, list) or not all(isinstance(t, str) and "::" in t for t in tests):
        raise InputError(f"{record.where}: tests is no list of test ids.", "An id is file::test.")
    name, path = texts["repo_name"], texts["file_name"]
    if any(Path(p).is_absolute() or ".." in Path(p).parts for p in (name, path)):
        raise InputError(f"{record.where}: {name}/{path} is no path below repositories/.")
    root = folder / "repositories" / name
    gap = Gap(
        name, path, texts["prefix_code"], texts["middle_code"], texts["suffix_code"], texts["fill_type"],
        tuple((str(p), str(t)) for p, t in given), tests=tuple(tests), fragment=str(record.fields.get("fragment", "")),
    )  # fmt: skip
    if not root.is_dir() or not tests:
        return gap
    project = project_in(root, name, facts.get(name))
    if path not in project.sources or project.source(path) != gap.filled(gap.middle):
        raise InputError(f"{record.where}: prefix, middle and suffix are not the text of {path} in {root}.")
    return replace(gap, project=project)


@functools.lru_cache(maxsize=64)
def _laid_out(root: Path, name: str) -> Project:
    return laid_out(root, name)


def project_in(root: Path, name: str, facts: dict[str, Any] | None) -> Project:
    """The project in a folder, with what a built slice installed for it."""
    project = _laid_out(root, name)
    if facts is None:
        return project
    project = replace(project, version=facts["version"], sha256=facts["sha256"], uploaded=facts["uploaded"])
    return environment.equipped(project)


def _sources(folder: Path) -> dict[str, dict[str, Any]]:
    """What a built slice says of its sources, by repository; {} where the data were not built here."""
    path = folder / SLICE
    if not path.is_file():
        return {}
    try:
        return {source["name"]: source for source in json.loads(path.read_text("utf-8"))["sources"]}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: is not the description of a slice ({error!r}).", "Build the slice again.") from error


def written(gaps: Sequence[Gap]) -> str:
    """Gaps as lines of the official schema; the files around them are those of the repository and are not repeated."""
    lines = [
        json.dumps(
            {
                "repo_name": g.repository,
                "file_name": g.path,
                "prefix_code": g.prefix,
                "middle_code": g.middle,
                "suffix_code": g.suffix,
                "fill_type": g.fill_type,
                "tests": list(g.tests),
                "fragment": g.fragment,
            },
            ensure_ascii=False,
        )
        for g in gaps
    ]
    return "\n".join(lines) + "\n"


def lacks(gap: Gap) -> str:
    """Why its tests cannot be run here; "" where they can."""
    return "" if gap.project is not None else f"the repository {gap.repository} is not here"
