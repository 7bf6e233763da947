"""Builds a dated slice: source distributions become gated samples in the official schema, with a recipe to make them again."""

from __future__ import annotations

import hashlib
import json
import random
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from steelyard.benchmarks.code.evocodebench import slices, texts
from steelyard.benchmarks.code.evocodebench.ages import likeness
from steelyard.benchmarks.code.evocodebench.domains import label
from steelyard.benchmarks.code.evocodebench.samples import KINDS
from steelyard.benchmarks.code.evocodebench.writing import Dropped, path_of, written
from steelyard.benchmarks.code.repositories import environment, gates, index, project, tracing
from steelyard.benchmarks.code.repositories.functions import Function, functions, text_of
from steelyard.benchmarks.code.repositories.project import Project
from steelyard.benchmarks.code.static import python as static
from steelyard.core.errors import InputError, SteelyardError
from steelyard.core.interfaces import Built
from steelyard.core.words import Status

_OPEN = re.compile(
    r"MIT|BSD|Apache|ISC|MPL|Mozilla|PSF|Python Software|L?GPL|Unlicense|Zlib|Public Domain|CC0|EUPL|0BSD", re.I
)
_LEAST_WORDS = 4  # of a docstring that is to be the requirement
_LEAST_LINES, _MOST_LINES = 3, 80
_TRIES = 3  # functions tried for each that is wanted
_COMPARED = 1  # functions a package whose selected tests are compared with all of them
_POPULATION = 200  # functions of a package whose dependencies are looked up for the share of standalone ones
_MOST_REACHING = 300  # tests: a function that more of them run is plumbing, and costs minutes to gate


@dataclass(frozen=True)
class Plan:
    """What to build. limit: samples of one package at most. writer, labeller: model specs, "" for docstrings and rules."""

    packages: tuple[str, ...]
    since: date | None = None
    until: date | None = None
    limit: int = 6
    writer: str = ""
    labeller: str = ""
    seed: int = 0


def build(plan: Plan, out: Path | None, progress: Any) -> Built:
    """Make a slice. Finished packages of an interrupted build are kept and not made again. Raises InputError where nothing is left."""
    if not plan.packages:
        raise InputError("no packages were named.", "Say which: --package NAME (repeat it), or --recipe NAME.")
    home = out or slices.folder(f"{(plan.until or datetime.now(UTC).date()):%y%m}")
    parts = home / ".parts"
    parts.mkdir(parents=True, exist_ok=True)
    made, dropped = [], []
    with progress.over(f"building {home.name}", len(plan.packages) * plan.limit):
        for name in dict.fromkeys(map(index.normalised, plan.packages)):
            kept = parts / f"{name}-{_digest(plan)}.json"
            if not kept.is_file():
                part = _package(name, plan, progress)
                kept.write_text(json.dumps(part), "utf-8")
            else:
                progress.skip(plan.limit)
            part = json.loads(kept.read_text("utf-8"))
            made += [part] if part["cases"] else []
            dropped += [(what, why) for what, why in part["dropped"]]
    if not made:
        raise InputError(
            "no function of these packages became a sample.", "; ".join(f"{w}: {y}" for w, y in dropped[:5])
        )
    whole = {
        "name": home.name, "since": str(plan.since or ""), "until": str(plan.until or ""), "made": f"{datetime.now(UTC):%Y-%m-%d}",
        "python": f"{sys.version_info.major}.{sys.version_info.minor}", "requirement": plan.writer or "docstring",
        "domain": plan.labeller or "rules", "sources": [part["source"] for part in made],
        "cases": [case for part in made for case in part["cases"]], "dropped": dropped,
    }  # fmt: skip
    return written(whole, home, dropped, gated=True, progress=progress)


def _digest(plan: Plan) -> str:
    return hashlib.sha256(repr(replace(plan, packages=())).encode()).hexdigest()[:8]


def _package(name: str, plan: Plan, progress: Any) -> dict[str, Any]:
    """One package: its source, its samples, and what became none, with the stage at which it failed."""
    dropped: Dropped = []
    try:
        found = index.releases(name, plan.since, plan.until)
        if not found:
            raise InputError("release: no source distribution was uploaded in the period")
        release = found[-1]
        unpacked = project.unpacked(release)
        if not _OPEN.search(unpacked.licence):
            raise InputError(f"licence: {unpacked.licence or 'not stated'}")
        whole = environment.equipped(unpacked)
        trace = tracing.trace(whole)
    except SteelyardError as error:
        progress.skip(plan.limit)
        return {"source": {}, "cases": [], "dropped": [(name, error.what)]}
    dropped += [(f"{name}: {test}", f"test {why}") for test, why in trace.dropped.items()]
    source: dict[str, Any] = {
        "name": release.name, "version": release.version, "file": release.file, "sha256": release.sha256,
        "uploaded": release.uploaded.isoformat(), "licence": whole.licence, "needs": environment.pins(whole),
        "folder": f"{release.name}-{release.version}",
    }  # fmt: skip
    code = static.Project.read(whole.root)
    older = _older_bodies(release, plan.since)
    population = [f for path in whole.sources for f in functions(path, whole.source(path))]
    drawn = random.Random(f"{plan.seed}/{name}/share").sample(population, min(len(population), _POPULATION))
    share = sum(not _needs(code, f).project for f in drawn) / max(1, len(drawn))
    source |= {"functions": len(population), "looked_at": len(drawn), "standalone_share": round(share, 4)}
    cases: list[dict[str, Any]] = []
    tried = 0
    for function, reached in _candidates(whole, trace, population, plan, dropped):
        if len(cases) >= plan.limit or tried >= _TRIES * plan.limit:
            break
        alone = [case for case in cases if not any(case["dependency"].values())]
        needs = _needs(code, function)
        if not needs.project and len(alone) > share * (len(cases) + 1):
            continue  # there are enough standalone ones: the slice keeps the share that the package has
        tried += 1
        gate = gates.gate(whole, function, reached, compare=len(cases) < _COMPARED)
        if gate.why:
            dropped.append((f"{name}: {function.qualname}", f"gate: {gate.why}"))
            continue
        cases.append(_case(whole, function, gate, needs, source, older))
        progress.advance(name, function.qualname, Status.OK)
    progress.skip(plan.limit - len(cases))
    if cases:
        _label_and_write(cases, whole, plan)
    else:
        dropped.append((name, "no function of it became a sample"))
    return {"source": source, "cases": cases, "dropped": dropped}


def _needs(code: static.Project, function: Function) -> static.Dependencies:
    try:
        return static.dependencies(code, function.path, function.qualname)
    except (SteelyardError, SyntaxError, RecursionError):
        return static.Dependencies()


def _candidates(
    whole: Project, trace: tracing.Trace, population: Sequence[Function], plan: Plan, dropped: Dropped
) -> Iterator[tuple[Function, dict[str, set[int]]]]:
    """Functions that may become samples, in an order drawn with the seed, each with the tests that run it."""
    order = list(population)
    random.Random(f"{plan.seed}/{whole.name}").shuffle(order)
    for function in order:
        why = _unfit(function, plan)
        reached = {} if why else trace.tests_of(function)
        if not why and not reached:
            why = "no steady test runs it"
        if not why and len(reached) > _MOST_REACHING:
            why = f"more than {_MOST_REACHING} tests run it"
        if why:
            dropped.append((f"{whole.name}: {function.qualname}", f"function: {why}"))
        else:
            yield function, reached


def _unfit(function: Function, plan: Plan) -> str:
    lines = function.body[1] - function.body[0] + 1
    if function.name == "__init__" or function.statements < 2 or lines < _LEAST_LINES:
        return "trivial"
    if lines > _MOST_LINES:
        return f"longer than {_MOST_LINES} lines"
    if not plan.writer and len(function.docstring.split()) < _LEAST_WORDS:
        return "no docstring that could be a requirement"
    if {d.rpartition(".")[2] for d in function.decorators} & {"overload", "abstractmethod"}:
        return "abstract"
    return ""


def _older_bodies(release: index.Release, since: date | None) -> dict[str, set[str]] | None:
    """qualname -> bodies in the newest release before `since`; {} where there is none, None where no day was given."""
    if since is None:
        return None
    before = index.releases(release.name, until=since - timedelta(days=1))
    if not before:
        return {}
    try:
        old = project.unpacked(before[-1])
    except SteelyardError:
        return None
    found: dict[str, set[str]] = {}
    for path in old.sources:
        text = old.source(path)
        for function in functions(path, text):
            found.setdefault(function.qualname, set()).add(text_of(text, *function.body))
    return found


def _case(
    whole: Project, function: Function, gate: gates.Gate, needs: static.Dependencies, source: Mapping[str, Any],
    older: Mapping[str, set[str]] | None,
) -> dict[str, Any]:  # fmt: skip
    facts: dict[str, Any] = {
        "uploaded": source["uploaded"], "mutants": gate.mutants, "killed": gate.killed, "compared": gate.compared,
        "added": gate.added, "population_standalone": source["standalone_share"],
    }  # fmt: skip
    if older is not None:
        body = text_of(whole.source(function.path), *function.body)
        before = older.get(function.qualname, set())
        facts |= {"unchanged": body in before, "likeness": round(likeness(body, sorted(before)), 2)}
    return {
        "namespace": f"{whole.module_of(function.path)}.{function.qualname}", "type": "method" if function.method else "function",
        "completion_path": f"{source['folder']}/{function.path}", "signature_position": list(function.signature),
        "body_position": list(function.body), "dependency": {kind: sorted(getattr(needs, kind)) for kind in KINDS},
        "indent": function.indent, "tests": list(gate.tests), "facts": facts,
    }  # fmt: skip


def _label_and_write(cases: list[dict[str, Any]], whole: Project, plan: Plan) -> None:
    """Add the domain, and the requirement where a model writes it (a docstring stays where it is, in the source)."""
    summary = str(whole.metadata.get("Summary", ""))
    topics = [str(c) for c in whole.metadata.get_all("Classifier", [])]
    for case in cases:
        case["domain"] = label(whole.source(path_of(case)), topics, summary)
    if plan.labeller or plan.writer:
        from steelyard import catalog
        from steelyard.llm.ask import ask

        card = catalog.benchmark("evocodebench").full()
        codes = [_code(whole, case) for case in cases]
        if plan.labeller:
            for case, said in zip(
                cases,
                ask(plan.labeller, card, [texts.label_question(summary, "".join(c)) for c in codes], 20),
                strict=True,
            ):
                case["facts"]["domain_by_rules"] = case["domain"]
                case["domain"] = texts.label_in(said) or case["domain"]
        if plan.writer:
            for case, said in zip(
                cases, ask(plan.writer, card, [texts.writing_question(*c) for c in codes]), strict=True
            ):
                case["requirement"] = texts.requirement_in(said)


def _code(whole: Project, case: Mapping[str, Any]) -> tuple[str, str]:
    source = whole.source(path_of(case))
    return text_of(source, *case["signature_position"]), text_of(source, *case["body_position"])
