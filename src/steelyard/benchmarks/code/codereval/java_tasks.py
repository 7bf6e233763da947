"""CoderEval's Java tasks that can be run: a method put in its file, compiled with its project, judged by JUnit tests."""

from __future__ import annotations

import functools
import re
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from steelyard.benchmarks.code import extract
from steelyard.benchmarks.code.codereval.published import STANDALONE
from steelyard.benchmarks.code.codereval.records import about, described, recall
from steelyard.benchmarks.code.records import Record
from steelyard.benchmarks.code.static import java as syntax
from steelyard.benchmarks.code.static import trees
from steelyard.core.errors import InputError, MissingError
from steelyard.core.interfaces import Message, Outcome
from steelyard.core.words import Status

NAME = "CoderEval4Java.json"
_IMPORT = re.compile(r"^[ \t]*(?:import|package)\b[^;\n]*;", re.MULTILINE)
_NAMES = ("identifier", "type_identifier")


@dataclass(frozen=True)
class JavaRunnable:
    """One method that can be run. sources, tests: path -> text of its project and of the test classes."""

    id: str
    project: str
    path: str
    owner: str
    name: str
    level: str
    descriptions: Mapping[str, str]
    oracle: Mapping[str, tuple[str, ...]]
    tests: tuple[str, ...]
    sources: Mapping[str, str]
    language: str = "Java"
    computed_level: str = ""  # the classifier reads Python only

    @property
    def standalone(self) -> bool:
        return self.level in STANDALONE

    @functools.cached_property
    def source(self) -> syntax.Source:
        return syntax.read(self.sources[self.path])

    @functools.cached_property
    def method(self) -> syntax.Method:
        return next(m for m in self.source.methods() if m.owner == self.owner and m.name == self.name and m.body)

    @property
    def head(self) -> str:
        """From its modifiers to the opening brace."""
        assert self.method.body is not None
        return self.source.text((self.method.span[0], self.method.body[0])) + "{"

    @property
    def reference(self) -> str:
        return f"```java\n{self.source.text(self.method.span)}\n```"

    def asked(self, prompt: str, route: str) -> list[Message]:
        """Comment and signature, up to the opening brace."""
        text = f"/**\n{textwrap.indent(self.descriptions[prompt], ' * ')}\n */\n{textwrap.dedent(self.head)}\n"
        if route == "completion":
            return [Message("raw", text)]
        ask = "Complete this Java method of a larger project. Give the whole method in one fenced block."
        return [Message("user", f"{ask}\n```java\n{text}```")]

    def filled(self, output: str, route: str) -> tuple[str, str]:
        """(the file with the method's body out of an output and the imports around it, that body); "" twice for none."""
        answer = self.head + output if route == "completion" else _code(output, self.name)
        imports = syntax.read(answer).imports
        for text in (answer, f"class Answer {{\n{_IMPORT.sub('', answer)}\n}}"):
            read = syntax.read(text)
            found = [m for m in read.methods() if m.name == self.name and m.body]
            if not found:
                continue
            alike = [m for m in found if len(m.parameters) == len(self.method.parameters)]
            body = read.text((alike or found)[0].body or (0, 0))
            have = {(i.name, i.static, i.wildcard) for i in self.source.imports}
            more = [i for i in imports if (i.name, i.static, i.wildcard) not in have]
            lines = "".join(f"\nimport {'static ' * i.static}{i.name}{'.*' * i.wildcard};" for i in more)
            at = self.source.data.index(b";") + 1 if self.source.package else 0
            assert self.method.body is not None
            return syntax.replaced(self.source, {(at, at): lines, self.method.body: body}), body
        return "", ""

    def scored(self, output: str, route: str, timeout: float) -> Outcome:
        """pass_at_1 of the project with the method in its place, and how much of its context the body names."""
        from steelyard.sandbox.languages import java

        if why := java.missing():
            return Outcome({}, Status.UNSUPPORTED, f"Java cannot be judged here: {why}")
        file, body = self.filled(output, route)
        names = {trees.text(n) for n in trees.walk(trees.parse("java", body).root_node) if n.type in _NAMES}
        metrics, error = recall(self.oracle, names), "no code: the output does not hold the method"
        passed = compiled = False
        if file:
            made = java.compile({**self.sources, self.path: file})
            compiled, error = made.ok, "" if made.ok else f"compile error: {made.errors[0].message}"
            if compiled:
                ran = java.test(made.classes, self.tests, limits=replace(java.LIMITS, wall_s=timeout))
                passed = ran.passed
                failed = next((f"{t.name}: {t.message}" for t in ran.tests if not t.passed), ran.message)
                error = "" if passed else f"{ran.verdict}: {failed}"
        metrics |= {"compile_error": float(not compiled), "execution_error": float(compiled and not passed)}
        return about(self, metrics, passed, error, {"program": body})


def read_java(folder: Path, records: Iterable[Record]) -> list[JavaRunnable]:
    """The tasks of CoderEval4Java.json. Raises InputError naming record and field, MissingError for a project not here."""
    return [_task(record, folder) for record in records]


def _task(record: Record, folder: Path) -> JavaRunnable:
    facts = described(record)
    project, path, name = (record.text(f) for f in ("project", "file_path", "name"))
    sources = _sources(folder / "repositories" / project) if Path(project).name == project else {}
    if not sources:
        raise MissingError(f"{record.where}: the project {project!r} is not in {folder / 'repositories'}.")
    owner = str(record.fields.get("class_name") or Path(path).stem)
    methods = syntax.read(sources.get(path, "")).methods()
    if not any(m.owner == owner and m.name == name and m.body for m in methods):
        raise InputError(f"{record.where}: {path} has no method {owner}.{name}.")
    return JavaRunnable(f"java/{record.text('_id')}", project, path, owner, name, sources=sources, **facts)


@functools.lru_cache(maxsize=16)
def _sources(root: Path) -> dict[str, str]:
    return {p.relative_to(root).as_posix(): p.read_text("utf-8") for p in sorted(root.rglob("*.java"))}


def _code(output: str, name: str) -> str:
    """The fenced block that holds the method, else the first, else all of the answer."""
    blocks = extract.fences(output, ("java", ""))
    return next((b for b in blocks if f"{name}(" in b), blocks[0] if blocks else output)
