"""The cascade of a generated test: syntax, compilation, passing; then coverage and mutants for what is accepted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from typing import Any

from steelyard.benchmarks.code import cache
from steelyard.benchmarks.code.static import java as sources
from steelyard.benchmarks.code.static.java_mutants import Mutant, mutants
from steelyard.benchmarks.code.testbench import syntax
from steelyard.benchmarks.code.testbench.methods import Method
from steelyard.core.contender import source_hash
from steelyard.sandbox import Verdict
from steelyard.sandbox.languages import java
from steelyard.sandbox.languages.tests import TestRun

SYNTAX, COMPILE, TEST, ACCEPT = STAGES = ("Syntax Error", "Compile Error", "Test Error", "Accept")
TEST_S = 10.0  # one test; all of a class have the benchmark's timeout
# parsed only where everything before it parses: javac enters no class while a file has a syntax error
_PROBE = {"Probe__.java": "class Probe__ extends Absent__ {}"}
# JUnit 5 alone, which the skeleton imports: a test for JUnit 4 does not compile
JUPITER = tuple(path for path in java.JUNIT if path.stem not in ("junit4", "junit-vintage-engine", "hamcrest"))
_KEPT = 512


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one test.

    stage: the first check that failed, or Accept. why: in words. metrics: tests that ran, and of an accepted test its
    coverage and kills. survivors: the mutants it does not detect, a line each. broken: a fault of our own runner.
    """

    stage: str
    why: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    survivors: str = ""
    broken: bool = False


@lru_cache(maxsize=_KEPT)
def home(method: Method) -> tuple[Mapping[str, bytes], str]:
    """The class files of the file under test, and why there are none ("" where there are): it must compile alone."""
    got = java.compile({_path(method.package, method.path.rpartition("/")[2]): method.full}, JUPITER)
    return got.classes, "" if got.ok else f"its file does not compile alone: {_first(got)}"


def class_of(text: str, profile: str) -> str:
    """The simple name of the test class, "" for a syntax error.

    profile published: javalang must parse it and a type must be public. sound: where javalang and tree-sitter disagree
    javac's parser decides (tree-sitter where javac is not here); JUnit 5 does not ask for a public class.
    """
    if profile == "published":
        return syntax.published_class(text)
    source = sources.read(text)
    parses = not source.errors
    if parses != syntax.javalang_parses(text):
        parses = javac_parses(text) if not java.missing() else parses
    return source.main_type.name if parses and source.main_type else ""


@lru_cache(maxsize=_KEPT)
def javac_parses(text: str) -> bool:
    """Whether javac's parser reads the text. Raises MissingError where there is no Java."""
    got = java.compile({"T__.java": text} | _PROBE, JUPITER)
    return any(one.path.endswith("Probe__.java") for one in got.errors)


@lru_cache(maxsize=_KEPT)
def judge(method: Method, text: str, profile: str, wall_s: float, most: int) -> Judged:
    """The cascade on one test, with up to `most` mutants where it is accepted; kept on disk unless time ran out.

    The file under test must compile alone (`home`). profile published accepts a class that holds no test, as the released
    build does. Raises MissingError where there is no Java.
    """
    parts = [
        source_hash(Judged, Mutant), java.version(), [path.name for path in JUPITER], method.full, method.path,
        method.qualified, method.name, method.arguments, text, profile, wall_s, most,
    ]  # fmt: skip

    def run() -> tuple[dict[str, Any], bool]:
        judged = _judge(method, text, profile, wall_s, most)
        return asdict(judged), not judged.broken and "timeout" not in judged.why

    return Judged(**cache.verdict(parts, run))


def _judge(method: Method, text: str, profile: str, wall_s: float, most: int) -> Judged:
    name = class_of(text, profile)
    if not name:
        return Judged(SYNTAX, "javalang reads no file with a public type" if profile == "published" else "")
    package = sources.read(text).package
    name = f"{package}.{name}" if package else name
    classes, _ = home(method)
    got = java.compile({_path(package, name.rpartition(".")[2] + ".java"): text}, JUPITER, against=classes)
    if not got.ok:
        codes = {one.code for one in got.errors}
        why = f"timeout: {_first(got)}" if "timeout" in codes else _first(got)
        return Judged(COMPILE, why, broken=bool(codes & {"crashed", "memory", "compiler.fault"}))
    ran = _tested({**classes, **got.classes}, name, wall_s, sorted(classes))
    if not ran.passed and not (ran.verdict is Verdict.NO_TESTS and profile == "published"):
        bad = next((t for t in ran.tests if t.verdict not in (Verdict.PASSED, Verdict.SKIPPED)), None)
        said = f"{bad.name}: {bad.message}" if bad else ran.message
        why = f"{ran.verdict.value}: {said}".strip(": ")[:500]
        return Judged(TEST, why, {"tests": float(len(ran.tests))}, broken=ran.verdict is Verdict.RUNNER_ERROR)
    metrics = {"tests": float(len(ran.tests))} | coverage(method, ran.lines)
    patience = 4.0 + 1.25 * max(
        (test.seconds for test in ran.tests), default=0.0
    )  # PIT's: 4 s and 1.25 times the original
    counts, alive = killed(method, got.classes, name, profile, most, wall_s, patience) if most else ({}, "")
    return Judged(ACCEPT, "" if ran.passed else "no test ran", metrics | counts, alive)


def _tested(
    classes: Mapping[str, bytes], name: str, wall_s: float, covered: Sequence[str] = (), test_s: float = TEST_S
) -> TestRun:
    limits = replace(java.LIMITS, wall_s=wall_s)
    return java.test(classes, [name], coverage=covered, limits=limits, test_s=min(test_s, wall_s))


def coverage(method: Method, lines: Mapping[str, Mapping[int, int]]) -> dict[str, float]:
    """Shares of lines that a test ran: of the class under test (nested classes apart) and of the method itself.

    lines: class -> line -> hits.
    """
    found = {}
    if of_class := lines.get(method.qualified):
        found["class_coverage"] = sum(hits > 0 for hits in of_class.values()) / len(of_class)
    if place := method.place:
        data = method.full.encode("utf-8", "replace")
        first, last = (data.count(b"\n", 0, at) + 1 for at in place.span)
        inside = [hits for counts in lines.values() for line, hits in counts.items() if first <= line <= last]
        if inside:
            found["method_coverage"] = sum(hits > 0 for hits in inside) / len(inside)
    return found


@dataclass(frozen=True, slots=True)
class Defects:
    """The mutants of a method that are run. ready: mutant and its class files, all of the file.

    uncompilable: how many do not compile. same: how many have the class files of the original, so that no test tells
    them apart.
    """

    ready: tuple[tuple[Mutant, Mapping[str, bytes]], ...]
    uncompilable: int
    same: int


@lru_cache(maxsize=64)
def defects(method: Method, profile: str, most: int) -> Defects:
    """Up to `most` mutants, spread evenly: of the method under test, or (published) of the whole class, as PIT was asked."""
    place = method.place
    whole = profile == "published" or place is None
    found = [m for m in mutants(method.full) if whole or (place is not None and m.method == place.span)]
    step = max(1.0, len(found) / most)
    chosen = [found[int(i * step)] for i in range(min(most, len(found)))]
    original, _ = home(method)
    path = _path(method.package, method.path.rpartition("/")[2])
    ready, broken, same = [], 0, 0
    for mutant in chosen:
        got = java.compile({path: mutant.apply(method.full)}, JUPITER)
        if not got.ok:
            broken += 1
        elif got.classes == original:
            same += 1
        else:
            ready.append((mutant, got.classes))
    return Defects(tuple(ready), broken, same)


def killed(
    method: Method, test: Mapping[str, bytes], name: str, profile: str, most: int, wall_s: float, test_s: float
) -> tuple[dict[str, float], str]:
    """Which share of the mutants an accepted test detects (a test fails, or does not end), with the counts behind it;
    and the survivors, a line each. Survivors may be equivalent to the original: nobody can say in general.

    test: class files of the test. wall_s: for all its tests on one mutant, test_s: for each (seconds).
    """
    found = defects(method, profile, most)
    alive = []
    for mutant, classes in found.ready:
        ran = _tested({**classes, **test}, name, wall_s, test_s=test_s)
        if ran.passed or ran.verdict is Verdict.NO_TESTS:
            alive.append(f"line {mutant.line}, {mutant.operator}: {mutant.old} -> {mutant.new}")
    counts = {
        "mutants": float(len(found.ready)),
        "mutants_uncompilable": float(found.uncompilable),
        "mutants_same_code": float(found.same),
    }
    if found.ready:
        counts["mutants_killed"] = 1 - len(alive) / len(found.ready)
    return counts, "\n".join(alive)


def _path(package: str, file: str) -> str:
    return "/".join([*package.split("."), file]) if package else file


def _first(got: java.Compiled) -> str:
    one = next(iter(got.errors), None)
    return f"line {one.line}: {one.message}".splitlines()[0] if one else "javac gave no reason"
