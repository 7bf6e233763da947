"""Cases of CoderEval that can be run: a function, its project, what it is told by, what it needs, and its tests."""

from __future__ import annotations

import ast
import functools
import json
import keyword
import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from steelyard.benchmarks.code.assemble import replace_body
from steelyard.benchmarks.code.codereval.published import LEVELS, STANDALONE
from steelyard.benchmarks.code.evocodebench.extraction import Body, of_base, of_chat
from steelyard.benchmarks.code.records import Record
from steelyard.benchmarks.code.repositories.functions import Function, functions, text_of
from steelyard.benchmarks.code.repositories.project import Project, laid_out
from steelyard.benchmarks.code.repositories.running import run_tests
from steelyard.benchmarks.code.static import python
from steelyard.core.errors import InputError, MissingError
from steelyard.core.interfaces import Message, Outcome
from steelyard.core.words import Status

NAME = "CoderEval4Python.json"
FIELDS = ("_id", "name", "docstring", "human_label", "level", "oracle_context", "project", "file_path", "tests")
KINDS = ("apis", "classes", "vars")
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

    def filled(self, body: str) -> str:
        """The file with another body in the function's place."""
        return replace_body(self.source, self.function.body, body, self.function.indent)


def read_runnable(folder: Path) -> list[Runnable]:
    """The tasks of a folder with CoderEval4Python.json ({"RECORDS": [...]}) and repositories/<project>/.

    Raises InputError naming record and field, MissingError for a project that is not here.
    """
    path = folder / NAME
    try:
        records = json.loads(path.read_text("utf-8"))["RECORDS"]
        if not isinstance(records, list) or not all(isinstance(r, dict) for r in records):
            raise TypeError("RECORDS is no list of objects")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: cannot be read ({error}).", 'It holds {"RECORDS": [...]}.') from error
    tasks: dict[str, Runnable] = {}
    for at, fields in enumerate(records):
        record = Record(f"{path}, record {at}", fields)
        record.need(FIELDS)
        task = _task(record, folder)
        if task.id in tasks:
            raise InputError(f"{record.where}: _id {fields['_id']!r} stands twice.")
        tasks[task.id] = task
    return list(tasks.values())


def _task(record: Record, folder: Path) -> Runnable:
    name, path, level = (record.text(f) for f in ("project", "file_path", "level"))
    if level not in LEVELS:
        raise InputError(f"{record.where}: level is {level!r}.", f"Known: {', '.join(LEVELS)}.")
    root = folder / "repositories" / name
    if ".." in Path(name).parts or not root.is_dir():
        raise MissingError(f"{record.where}: the project {name!r} is not in {folder / 'repositories'}.")
    project = _laid_out(root, name)
    wanted = str(record.fields.get("qualified_name") or record.text("name"))
    found = {f.qualname: f for f in functions(path, project.source(path))} if path in project.sources else {}
    if wanted not in found:
        raise InputError(f"{record.where}: {path} has no function {wanted!r} whose body can be replaced.")
    tests, oracle = record.fields["tests"], record.fields["oracle_context"]
    if not isinstance(tests, list) or not tests:
        raise InputError(f"{record.where}: tests is no list of test ids.", "A task without tests has no verdict.")
    if not isinstance(oracle, dict) or not all(isinstance(oracle.get(k), list) for k in KINDS):
        raise InputError(f"{record.where}: oracle_context needs the lists {', '.join(KINDS)}.")
    descriptions = {"raw_docstring": record.text("docstring"), "human_label": record.text("human_label")}
    return Runnable(
        f"python/{record.text('_id')}", project, found[wanted], level, descriptions,
        {kind: tuple(map(str, oracle[kind])) for kind in KINDS}, tuple(map(str, tests)),
    )  # fmt: skip


@functools.lru_cache(maxsize=16)
def _laid_out(root: Path, name: str) -> Project:
    return laid_out(root, name)


@functools.lru_cache(maxsize=16)
def _index(project: Project) -> python.Project:
    return python.Project({path: project.source(path) for path in project.sources})


def asked(task: Runnable, prompt: str, route: str) -> list[Message]:
    """Signature and description: nothing else of the project. The docstring is indented by a tab, as published."""
    docstring = textwrap.indent(f'"""\n{task.descriptions[prompt]}\n"""', "\t")
    text = f"{task.signature}{docstring}\n"
    if route == "completion":
        return [Message("raw", text)]
    return [Message("user", f"Complete this Python function of a larger project. Give the whole function in one fenced "
                            f"block.\n```python\n{text}```")]  # fmt: skip


def body_of(task: Runnable, output: str, route: str) -> Body:
    """The function's body in an output: of the function itself, also inside a class or a whole file, with the imports
    around it; a stub where the output does not have it."""
    if route == "completion":
        return of_base(output)
    return of_chat(output, task.function.name)


def scored(task: Runnable, output: str, route: str, timeout: float) -> Outcome:
    """pass_at_1 of the file with the body in its place, run by the task's tests, and how much of its context it names."""
    body = body_of(task, output, route)
    metrics = recall(task, body.text)
    metrics["level_agrees"] = float(task.computed_level == task.level)
    artifacts = {"program": body.text, "extraction": f"{body.rung}: {body.why}".rstrip(": ")}
    passed, error = False, "no code: the output holds no body"
    if not body.stub:
        ran = run_tests(
            task.project, task.tests, {task.function.path: task.filled(body.text)}, first=True, wall_s=timeout
        )
        if ran.ours:
            return Outcome({}, Status.FAILED, f"runner: {ran.message}", artifacts | {"log": ran.log})
        passed, error = ran.passed, "" if ran.passed else f"{ran.verdict}: {ran.message}"
        artifacts["log"] = ran.log
    side = "standalone" if task.standalone else "non_standalone"
    metrics |= {"pass_at_1": float(passed), f"pass_at_1_{side}": float(passed)}
    if "context_recall" in metrics:
        metrics["knew_and_failed"] = float(metrics["context_recall"] == 1.0 and not passed)
    return Outcome(metrics, Status.OK, error, artifacts)


def recall(task: Runnable, body: str) -> dict[str, float]:
    """Of the names of its context that the reference uses, the share that a body uses: by kind, and of all together.

    Nothing where the reference uses none. Names in comments and strings do not count where the body parses.
    """
    used = names_in(body)
    out = {
        f"recall_{kind}": sum(name in used for name in names) / len(names)
        for kind, names in task.oracle.items()
        if names
    }
    together = [name for names in task.oracle.values() for name in names]
    return out | ({"context_recall": sum(name in used for name in together) / len(together)} if together else {})


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
