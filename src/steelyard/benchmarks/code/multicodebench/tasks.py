"""Reads MultiCodeBench: tasks, published scores and published outputs, from the released files or ours."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from steelyard.benchmarks.code.records import Record, read_records
from steelyard.benchmarks.code.static.languages import known
from steelyard.core.errors import InputError, MissingError

FIELDS = (
    "instance_id", "subclass", "owner/repo", "function_declaration", "file_path", "docstring", "language", "ground_truth",
    "import_statements", "reference_api", "repo_defined_api_with_code", "third_party",
)  # fmt: skip
SCORED = ("model", "domain", "instance_id", "scores")
GENERATED = ("model", "domain", "instance_id", "generation_result")


@dataclass(frozen=True, slots=True)
class Task:
    """One function to write. dependencies: (name, code) of what the repository defines and the function uses.

    api: names that the reference calls. local_file: the file around the function, where the data hold it.
    """

    domain: str
    framework: str
    repository: str
    path: str
    language: str
    declaration: str
    docstring: str
    truth: str
    imports: tuple[str, ...]
    api: tuple[str, ...]
    dependencies: tuple[tuple[str, str], ...]
    local_file: str

    @property
    def described(self) -> str:
        """The docstring with its line ends: some records hold a backslash and an n for each."""
        return self.docstring.replace("\\n", "\n").strip()

    @property
    def signature(self) -> str:
        """The declaration without the blanks around it."""
        return self.declaration.strip()


Key = tuple[str, str]


def read_tasks(data: Path, notes: list[str]) -> Iterator[tuple[str, Task]]:
    """(case id, task) in the order of the files: `domain/instance_id`.

    data: a file of tasks (.json, .jsonl, gzipped or not), or a folder that holds `tasks.jsonl[.gz]` or one file a domain.
    Records of a language that is not among the fifteen are left out, and fields that are no literal are taken as empty;
    `notes` says which. Raises InputError naming line and field, or an instance that stands twice in one domain.
    """
    seen: dict[str, str] = {}
    for record, domain in _records(data):
        texts = {name: record.text(name) for name in FIELDS[:8]}
        language = texts["language"].lower()
        case = f"{domain}/{texts['instance_id']}"
        if case in seen:
            cure = f"It stands first at {seen[case]}. Drop one of the two."
            raise InputError(f"{record.where}: instance_id {texts['instance_id']!r} stands twice in {domain}.", cure)
        seen[case] = record.where
        if language not in known():
            notes.append(
                f"{record.where}: language {texts['language']!r} is not one of the fifteen; the task is left out"
            )
            continue
        dependencies = [d for d in _literal(record, FIELDS[10], notes) if isinstance(d, dict)]
        yield case, Task(
            domain, texts["subclass"], texts["owner/repo"], texts["file_path"], language, texts["function_declaration"],
            texts["docstring"], texts["ground_truth"], _strings(record, "import_statements", notes),
            _strings(record, "reference_api", notes),
            tuple((str(d.get("name", "")), str(d.get("code", ""))) for d in dependencies),
            str(record.fields.get("local_file_context", "")),
        )  # fmt: skip


def read_scores(data: Path) -> dict[str, dict[Key, list[float]]]:
    """model -> (domain, instance) -> its published CodeBLEU values (0 to 100), from `codebleu_scores*` of a folder."""
    found: dict[str, dict[Key, list[float]]] = {}
    for record in _beside(data, "codebleu_scores*", SCORED):
        scores = record.fields["scores"]
        if not isinstance(scores, list) or not all(isinstance(s, int | float) and 0 <= s <= 100 for s in scores):
            raise InputError(f"{record.where}: field 'scores' is no list of numbers from 0 to 100.")
        if record.fields.get("setting", "docstring_only") == "docstring_only":
            key = (record.text("domain"), record.text("instance_id"))
            found.setdefault(record.text("model"), {})[key] = [float(s) for s in scores]
    return found


def read_outputs(data: Path) -> dict[str, dict[Key, list[str]]]:
    """model -> (domain, instance) -> its published outputs, from `generations*` of a folder."""
    found: dict[str, dict[Key, list[str]]] = {}
    for record in _beside(data, "generations*", GENERATED):
        results = record.fields["generation_result"]
        if not isinstance(results, list) or not all(
            isinstance(r, dict) and isinstance(r.get("code"), str) for r in results
        ):
            raise InputError(f"{record.where}: field 'generation_result' is no list of objects with a text 'code'.")
        key = (record.text("domain"), record.text("instance_id"))
        found.setdefault(record.text("model"), {})[key] = [r["code"] for r in results]
    return found


def _records(data: Path) -> Iterator[tuple[Record, str]]:
    """Each record with its domain: a field of it, else the name of its file."""
    if not data.is_dir():
        files = [data]
    elif not (files := sorted(data.glob("tasks.json*"))):
        files = sorted(p for p in data.glob("*.json*") if not p.name.startswith(("codebleu_scores", "generations")))
    if not files:
        raise MissingError(
            f"{data}: holds no tasks.", "Give a folder with tasks.jsonl, or with one .json file a domain."
        )
    for path in files:
        for record in read_records(path, FIELDS, key=""):
            yield record, str(record.fields.get("domain") or path.name.partition(".")[0])


def _beside(data: Path, pattern: str, fields: Iterable[str]) -> Iterator[Record]:
    for path in sorted(data.glob(pattern)) if data.is_dir() else ():
        yield from read_records(path, tuple(fields), key="")


def _literal(record: Record, name: str, notes: list[str]) -> list[object]:
    """A field that is a list, or a text that writes a list as a Python literal; it is parsed, never run."""
    value = record.fields[name]
    if isinstance(value, str):
        try:
            value = ast.literal_eval(value) if value.strip() else []
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            value = None
    if not isinstance(value, list | tuple):
        notes.append(f"{record.where}: field {name!r} is no list; it is taken as empty")
        return []
    return list(value)


def _strings(record: Record, name: str, notes: list[str]) -> tuple[str, ...]:
    return tuple(item.strip() for item in _literal(record, name, notes) if isinstance(item, str) and item.strip())
