"""CoderEval's Python tasks that can be run: a function, its project, what it is told by, what it needs, and its tests."""

from __future__ import annotations

import ast
import functools
import keyword
import re
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from steelyard.benchmarks.code.assemble import replace_body
from steelyard.benchmarks.code.codereval.published import STANDALONE
from steelyard.benchmarks.code.codereval.records import about, described, recall
from steelyard.benchmarks.code.evocodebench.extraction import is_stub, of_base, of_chat
from steelyard.benchmarks.code.extract import Extraction
from steelyard.benchmarks.code.records import Record
from steelyard.benchmarks.code.repositories.functions import Function, functions, text_of
from steelyard.benchmarks.code.repositories.project import Project, laid_out
from steelyard.benchmarks.code.repositories.running import run_tests
from steelyard.benchmarks.code.static import python
from steelyard.core.errors import InputError, MissingError
from steelyard.core.interfaces import Message, Outcome
from steelyard.core.words import Status

NAME = "CoderEval4Python.json"
_WORD = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True)
class Runnable:
    """One function that can be run. level: as labelled. oracle: kind -> the names of its context that the reference uses."""

    id: str
    project: Project
    function: Function
    level: str
    descriptions: Mapping[str, str]
    oracle: Mapping[str, tuple[str, ...]]
    tests: tuple[str, ...]
    language: str = "Python"

    @property
    def standalone(self) -> bool:
        return self.level in STANDALONE

    @functools.cached_property
    def source(self) -> str:
        return self.project.source(self.function.path)

    @functools.cached_property
    def computed_level(self) -> str:
        """Its level by static analysis, decorators, defaults and annotations included."""
        return python.dependencies(
            _index(self.project), self.function.path, self.function.qualname, signature=True
        ).level

    @property
    def signature(self) -> str:
        return textwrap.dedent(text_of(self.source, *self.function.signature))

    @property
    def body(self) -> str:
        return text_of(self.source, *self.function.body)

    @property
    def name(self) -> str:
        return self.function.name

    @property
    def reference(self) -> str:
        return f"```python\n{self.signature}{self.body}\n```"

    def filled(self, output: str, route: str) -> tuple[str, str]:
        """(the file with the function's body out of an output, that body); "" twice where there is none."""
        body = self.extracted(output, route)
        if is_stub(body.text):
            return "", ""
        return replace_body(self.source, self.function.body, body.text, self.function.indent), body.text

    def extracted(self, output: str, route: str) -> Extraction:
        """The function's body in an output: of the function itself, also inside a class or a whole file, with the imports
        around it; a stub where the output does not have it."""
        return of_base(output) if route == "completion" else of_chat(output, self.name)

    def asked(self, prompt: str, route: str) -> list[Message]:
        """Signature and description: nothing else of the project. The docstring is indented by a tab, as published."""
        docstring = textwrap.indent(f'"""\n{self.descriptions[prompt]}\n"""', "\t")
        text = f"{self.signature}{docstring}\n"
        if route == "completion":
            return [Message("raw", text)]
        ask = "Complete this Python function of a larger project. Give the whole function in one fenced block."
        return [Message("user", f"{ask}\n```python\n{text}```")]

    def scored(self, output: str, route: str, timeout: float) -> Outcome:
        """pass_at_1 of the file with the body in its place, run by the task's tests, and how much of its context it names."""
        body = self.extracted(output, route)
        file, _ = self.filled(output, route)
        metrics = recall(self.oracle, names_in(body.text)) | {"level_agrees": float(self.computed_level == self.level)}
        artifacts = {"program": body.text, "extraction": f"{body.rung}: {body.why}".rstrip(": ")}
        if not file:
            return about(self, metrics, False, "no code: the output holds no body", artifacts)
        ran = run_tests(self.project, self.tests, {self.function.path: file}, first=True, wall_s=timeout)
        if ran.ours:
            return Outcome({}, Status.FAILED, f"runner: {ran.message}", artifacts | {"log": ran.log})
        error = "" if ran.passed else f"{ran.verdict}: {ran.message}"
        return about(self, metrics, ran.passed, error, artifacts | {"log": ran.log})


def read_python(folder: Path, records: Iterable[Record]) -> list[Runnable]:
    """The tasks of CoderEval4Python.json. Raises InputError naming record and field, MissingError for a project not here."""
    return [_task(record, folder) for record in records]


def _task(record: Record, folder: Path) -> Runnable:
    facts = described(record)
    name, path = record.text("project"), record.text("file_path")
    root = folder / "repositories" / name
    if Path(name).name != name or not root.is_dir():
        raise MissingError(f"{record.where}: the project {name!r} is not in {folder / 'repositories'}.")
    project = _laid_out(root, name)
    wanted = str(record.fields.get("qualified_name") or record.text("name"))
    found = {f.qualname: f for f in functions(path, project.source(path))} if path in project.sources else {}
    if wanted not in found:
        raise InputError(f"{record.where}: {path} has no function {wanted!r} whose body can be replaced.")
    return Runnable(f"python/{record.text('_id')}", project, found[wanted], **facts)


@functools.lru_cache(maxsize=16)
def _laid_out(root: Path, name: str) -> Project:
    return laid_out(root, name)


@functools.lru_cache(maxsize=16)
def _index(project: Project) -> python.Project:
    return python.Project({path: project.source(path) for path in project.sources})


def names_in(body: str) -> set[str]:
    """The names that a body uses; of one that does not parse every word that is no keyword."""
    try:
        statements = python.statements_of(body)
    except SyntaxError:
        return {word for word in _WORD.findall(body) if not keyword.iskeyword(word)}
    found: set[str] = set()
    for node in (n for s in statements for n in ast.walk(s)):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {part for alias in node.names for part in alias.name.split(".")}
    return found
