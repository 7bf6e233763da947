"""The cascade of a generated test: syntax, compilation, passing; then coverage and mutants for what is accepted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from steelyard.benchmarks.code.static import java as sources
from steelyard.benchmarks.code.static.java_mutants import Mutant, mutants
from steelyard.benchmarks.code.testbench import syntax
from steelyard.benchmarks.code.testbench.methods import Method
from steelyard.sandbox import Verdict
from steelyard.sandbox.languages import java

SYNTAX, COMPILE, TEST, ACCEPT = STAGES = ("Syntax Error", "Compile Error", "Test Error", "Accept")
TEST_S = 10.0  # one test; all of a class have the benchmark's timeout
# parsed only where everything before it parses: javac enters no class while a file has a syntax error
_PROBE = {"Probe__.java": "class Probe__ extends Absent__ {}"}
# JUnit 5 alone, which the skeleton imports: a test for JUnit 4 does not compile
JUPITER = tuple(path for path in java.JUNIT if path.stem not in ("junit4", "junit-vintage-engine", "hamcrest"))
_KEPT = 512


@dataclass(frozen=True, slots=True)
class Judged:
    """stage: the first check that failed, or Accept. why: in words. name: binary name of the test class.

    lines: class -> line -> hits of what an accepted test ran. tests: how many ran. broken: a fault of our own runner.
    """

    stage: str
    why: str = ""
    name: str = ""
    tests: int = 0
    classes: Mapping[str, bytes] = field(default_factory=dict)
    lines: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
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
def judge(method: Method, text: str, profile: str, wall_s: float) -> Judged:
    """Run the cascade on one test. The file under test must compile alone (`home`); MissingError where there is no Java.

    profile published accepts a class that holds no test, as the released build does.
    """
    name = class_of(text, profile)
    if not name:
        return Judged(SYNTAX, "no Java file that javalang reads, with a public type" if profile == "published" else "")
    package = sources.read(text).package
    name = f"{package}.{name}" if package else name
    classes, _ = home(method)
    got = java.compile({_path(package, name.rpartition(".")[2] + ".java"): text}, JUPITER, against=classes)
    if not got.ok:
        fault = {one.code for one in got.errors} & {"timeout", "crashed", "memory"}
        return Judged(COMPILE, _first(got), name, broken=bool(fault - {"timeout"}))
    everything = {**classes, **got.classes}
    limits = replace(java.LIMITS, wall_s=wall_s)
    ran = java.test(everything, [name], coverage=sorted(classes), limits=limits, test_s=min(TEST_S, wall_s))
    if ran.verdict is Verdict.NO_TESTS and profile == "published":
        return Judged(ACCEPT, "no test ran", name, 0, got.classes)
    if not ran.passed:
        bad = next((t for t in ran.tests if t.verdict not in (Verdict.PASSED, Verdict.SKIPPED)), None)
        said = f"{bad.name}: {bad.message}" if bad else ran.message
        why = f"{ran.verdict.value}: {said}".strip(": ")
        return Judged(TEST, why[:500], name, len(ran.tests), got.classes, broken=ran.verdict is Verdict.RUNNER_ERROR)
    return Judged(ACCEPT, "", name, len(ran.tests), got.classes, ran.lines)


def coverage(method: Method, judged: Judged) -> dict[str, float]:
    """Shares of lines that the test ran: of the class under test (nested classes apart) and of the method itself."""
    place = method.place
    found = {}
    of_class = judged.lines.get(method.qualified) or judged.lines.get(method.qualified.replace(".", "/"), {})
    if of_class:
        found["class_coverage"] = sum(hits > 0 for hits in of_class.values()) / len(of_class)
    if place is not None:
        data = method.full.encode("utf-8", "replace")
        first, last = (data.count(b"\n", 0, at) + 1 for at in place.span)
        inside = {line: hits for lines in judged.lines.values() for line, hits in lines.items() if first <= line <= last}
        if inside:
            found["method_coverage"] = sum(hits > 0 for hits in inside.values()) / len(inside)
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


def killed(method: Method, judged: Judged, profile: str, most: int, wall_s: float) -> tuple[dict[str, float], str]:
    """Which share of the mutants an accepted test detects (a test fails, or does not end), with the counts behind it;
    and the survivors, a line each. Survivors may be equivalent to the original: nobody can say in general."""
    found = defects(method, profile, most)
    alive = []
    for mutant, classes in found.ready:
        limits = replace(java.LIMITS, wall_s=wall_s)
        ran = java.test({**classes, **judged.classes}, [judged.name], limits=limits, test_s=min(TEST_S, wall_s))
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
