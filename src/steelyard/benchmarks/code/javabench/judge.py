"""Classes put into the solution of a project: does everything compile, which tests pass, and which lines they reach."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from steelyard.benchmarks.code.javabench.project import Project, type_name

if TYPE_CHECKING:
    from steelyard.sandbox.languages.java import Compiled
    from steelyard.sandbox.languages.tests import Diagnostic, TestRun

_HOLDS_TESTS = re.compile(r"@(Test|ParameterizedTest|RepeatedTest|TestFactory)\b")
_LIBRARIES = {  # what a source imports -> the jars it needs
    "org.mockito": ("mockito-core", "byte-buddy", "byte-buddy-agent", "objenesis"),
    "org.jetbrains.annotations": ("org.jetbrains.annotations-java8",),
}
# javac's keys -> names of the usual kinds of errors
KINDS = {
    "cant.resolve": "cannot_find_symbol", "cant.apply": "wrong_arguments", "incompatible.types": "incompatible_types",
    "prob.found.req": "incompatible_types", "does.not.override": "wrong_override", "override": "wrong_override",
    "report.access": "no_access", "unreported.exception": "unreported_exception", "expected": "syntax",
    "illegal.start": "syntax", "premature.eof": "syntax", "already.defined": "defined_twice",
    "missing.ret": "missing_return", "var.might": "unassigned", "cant.assign": "final_assigned",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tested:
    """errors: of the compiler; then there is no run. lines: (reached, in all) of the project's classes, where asked for."""

    errors: tuple[Diagnostic, ...]
    run: TestRun | None
    lines: tuple[int, int] | None = None

    @property
    def passed(self) -> int:
        return sum(t.passed for t in self.run.tests) if self.run else 0

    @property
    def total(self) -> int:
        """Tests that ran or should have; those switched off do not count."""
        return sum(t.verdict != "skipped" for t in self.run.tests) if self.run else 0


def test_classes(project: Project) -> list[str]:
    """The test classes that can be compiled here, in order."""
    known = sources_of(project)
    return [type_name(p) for p, text in project.tests.items() if p in known and _HOLDS_TESTS.search(text)]


def left_out(project: Project) -> list[str]:
    """Paths of tests that need a library which is not here."""
    known = sources_of(project)
    return [path for path in project.tests if path not in known]


def sources_of(project: Project) -> dict[str, str]:
    """Path -> text of the solution and those of its tests whose libraries are here."""
    tests = {p: text for p, text in project.tests.items() if all(j.exists() for j in _jars(text))}
    return {**project.main, **tests}


def _jars(text: str) -> list[Path]:
    from steelyard.sandbox.languages import java

    return [java.JARS / f"{jar}.jar" for name, jars in _LIBRARIES.items() if name in text for jar in jars]


def classpath(project: Project) -> tuple[Path, ...]:
    """JUnit, and the libraries that the sources import."""
    from steelyard.sandbox.languages import java

    return (*java.JUNIT, *dict.fromkeys(jar for text in sources_of(project).values() for jar in _jars(text)))


def run(
    project: Project, changed: Mapping[str, str], tests: Sequence[str], wall_s: float, test_s: float, *,
    coverage: bool = False,
) -> Tested:  # fmt: skip
    """Compile the solution with some files changed (path -> text) and run test classes.

    All of the project and of its tests must compile, whichever tests are run. wall_s: for all tests, test_s: for one
    (seconds). Raises MissingError where Java is not here.
    """
    from dataclasses import replace

    from steelyard.sandbox.languages import java

    compiled = _compiled(_Key(project, tuple(sorted(changed.items()))))
    if not compiled.ok:
        return Tested(compiled.errors, None)
    types = {type_name(path) for path in project.main}
    own = [name for name in compiled.classes if name.partition("$")[0] in types] if coverage else []
    limits = replace(java.LIMITS, wall_s=wall_s)
    ran = java.test(
        compiled.classes, tests, project.resources, classpath(project), coverage=own, limits=limits, test_s=test_s
    )
    if not coverage:
        return Tested((), ran)
    hits = [n for name in own for n in ran.lines.get(name, {}).values()]
    return Tested((), ran, (sum(n > 0 for n in hits), len(hits)))


@dataclass(frozen=True)
class _Key:
    """What a compilation depends on: a project goes by its name, for a process has one set of data."""

    project: Project
    changed: tuple[tuple[str, str], ...]

    def __hash__(self) -> int:
        return hash((self.project.name, self.changed))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and (self.project is other.project, self.changed) == (True, other.changed)


@lru_cache(maxsize=32)
def _compiled(key: _Key) -> Compiled:
    """Each distinct text of a class is compiled once."""
    from steelyard.sandbox.languages import java

    return java.compile({**sources_of(key.project), **dict(key.changed)}, classpath(key.project))


def kind_of(error: Diagnostic) -> str:
    """The kind of a compiler's error, from javac's key."""
    code = error.code.removeprefix("compiler.err.")
    return next((kind for start, kind in KINDS.items() if code.startswith(start)), "other")


def kinds(errors: Sequence[Diagnostic]) -> Counter[str]:
    """kind -> number of errors."""
    return Counter(map(kind_of, errors))
