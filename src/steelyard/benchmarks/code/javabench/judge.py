"""Classes put into the solution of a project: does everything compile, which tests pass, and which lines they reach."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steelyard.benchmarks.code import cache
from steelyard.benchmarks.code.javabench.project import Project, type_name
from steelyard.core.errors import MissingError

if TYPE_CHECKING:
    from steelyard.sandbox.languages.java import Compiled

_HOLDS_TESTS = re.compile(r"@(Test|ParameterizedTest|RepeatedTest|TestFactory)\b")
_LATE = re.compile(r"timed out after|exceeded timeout of")  # of JUnit's own limits
_LIBRARIES = {  # what a source imports -> the jars it needs
    "org.mockito": ("mockito-core", "byte-buddy", "byte-buddy-agent", "objenesis"),
    "org.jetbrains.annotations": ("org.jetbrains.annotations-java8",),
}
# javac's keys -> names of the usual kinds of errors
KINDS = {
    "cant.resolve": "cannot_find_symbol", "cant.apply": "wrong_arguments", "incompatible.types": "incompatible_types",
    "prob.found.req": "incompatible_types", "does.not.override": "wrong_override", "override": "wrong_override",
    "method.does.not.override": "wrong_override",
    "report.access": "no_access", "unreported.exception": "unreported_exception", "expected": "syntax",
    "illegal.start": "syntax", "premature.eof": "syntax", "already.defined": "defined_twice",
    "missing.ret": "missing_return", "var.might": "unassigned", "cant.assign": "final_assigned",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tested:
    """errors: of the compiler, as (path, line, javac's key, message); then nothing ran. tests: (name, verdict, message) of
    each. verdict, message: of the run. lines: (reached, in all) of the project's classes, where asked for. expected: tests
    that there are, whether they were told of or not."""

    errors: Sequence[tuple[str, int, str, str]]
    tests: Sequence[tuple[str, str, str]] = ()
    verdict: str = ""
    message: str = ""
    lines: tuple[int, int] | None = None
    expected: int = 0

    @property
    def compiled(self) -> bool:
        return not self.errors

    @property
    def fault(self) -> str:
        """What of ours went wrong, so that nobody was judged; "" where nothing did."""
        if self.errors and not self.errors[0][0]:  # the compiler itself gave up
            return self.errors[0][3]
        return self.message or self.verdict if self.verdict == "runner-error" else ""

    @property
    def passed(self) -> int:
        return sum(verdict == "passed" for _, verdict, _ in self.tests)

    @property
    def total(self) -> int:
        """Tests that ran or should have; those switched off do not count."""
        return max(self.expected, sum(verdict != "skipped" for _, verdict, _ in self.tests))


def test_classes(project: Project) -> list[str]:
    """The test classes that can be compiled here, in order."""
    known = sources_of(project)
    return [type_name(p) for p, text in project.tests.items() if p in known and _HOLDS_TESTS.search(text)]


def left_out(project: Project) -> list[str]:
    """Paths of tests that need a library which is not here."""
    known = sources_of(project)
    return [path for path in project.tests if path not in known]


def need_libraries(project: Project) -> None:
    """Raises MissingError where a library is not here that the project's own classes import."""
    for path, text in project.main.items():
        for jar in _jars(text):
            if not jar.exists():
                raise MissingError(
                    f"{project.name}: {path} needs {jar}, which is not here.",
                    "Debian and Ubuntu: apt install libjetbrains-annotations-java libmockito-java.",
                )


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
    (seconds). Where not all tests pass, as many are expected as the solution runs: a run that was cut short, or a class of
    tests that could not begin, tells of fewer. Raises MissingError where Java is not here.
    """
    from steelyard.sandbox.languages import jdk

    parts = [
        "javabench", jdk.version(), jdk.runner().name, sources_of(project), dict(changed), list(tests), [str(j) for j in classpath(project)],
        {p: hashlib.sha256(data).hexdigest() for p, data in project.resources.items()}, wall_s, test_s, coverage,
    ]  # fmt: skip
    kept = cache.verdict(parts, lambda: _judge(project, changed, tests, wall_s, test_s, coverage))
    lines = tuple(kept["lines"]) if kept["lines"] else None
    tested = Tested(kept["errors"], kept["tests"], kept["verdict"], kept["message"], lines)
    if tested.verdict in ("", "passed") or not changed:
        return tested
    return replace(tested, expected=run(project, {}, tests, wall_s, test_s).total)


def _judge(
    project: Project, changed: Mapping[str, str], tests: Sequence[str], wall_s: float, test_s: float, coverage: bool
) -> tuple[dict[str, Any], bool]:
    """The fields of `Tested`, and whether they would be the same another time."""
    from steelyard.sandbox import Verdict
    from steelyard.sandbox.languages import java

    compiled = _compiled(_Key(project, tuple(sorted(changed.items()))))
    found: dict[str, Any] = {"errors": [], "tests": [], "verdict": "", "message": "", "lines": None}
    if not compiled.ok:
        found["errors"] = [(e.path, e.line, e.code, e.message) for e in compiled.errors]
        return found, all(e.path for e in compiled.errors)
    types = {type_name(path) for path in project.main}
    own = [name for name in compiled.classes if name.partition("$")[0] in types] if coverage else []
    limits = replace(java.LIMITS, wall_s=wall_s)
    ran = java.test(
        compiled.classes, tests, project.resources, classpath(project), coverage=own, limits=limits, test_s=test_s
    )
    results = {t.name: t for t in ran.tests}
    late = [t.name for t in ran.tests if not t.passed and _LATE.search(t.message)]
    if late:  # a limit of the test itself, which a busy machine misses: once more, alone
        again = [t for t in tests if any(re.match(rf"{re.escape(t)}(\$|::)", name) for name in late)]
        second = java.test(compiled.classes, again, project.resources, classpath(project), limits=limits, test_s=test_s)
        results |= {t.name: t for t in second.tests if t.name in late}
    found |= {
        "tests": [(t.name, str(t.verdict), t.message[:500]) for t in results.values()],
        "verdict": str(ran.verdict), "message": ran.message,
    }  # fmt: skip
    if coverage:
        hits = [n for name in own for n in ran.lines.get(name, {}).values()]
        found["lines"] = (sum(n > 0 for n in hits), len(hits))
    if late and all(t.passed or t.verdict is Verdict.SKIPPED for t in results.values()):
        found["verdict"] = str(Verdict.PASSED)
    unsure = {Verdict.TIMEOUT, Verdict.MEMORY, Verdict.RUNNER_ERROR}
    missed = any(_LATE.search(t.message) for t in results.values())
    return found, not missed and not unsure & {ran.verdict, *(t.verdict for t in results.values())}


@dataclass(frozen=True)
class _Key:
    """What a compilation depends on: a project is one and the same object, whatever its many sources hold."""

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


def kind_of(code: str) -> str:
    """The kind of a compiler's error, from javac's key."""
    bare = code.removeprefix("compiler.err.")
    return next((kind for start, kind in KINDS.items() if bare.startswith(start)), "other")


def kinds(tested: Tested) -> Counter[str]:
    """kind -> number of errors."""
    return Counter(kind_of(code) for _, _, code, _ in tested.errors)
