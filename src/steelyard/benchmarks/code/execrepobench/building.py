"""Builds gaps from source distributions: masks by the published recipe, then gates that prove a gap measures something."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from steelyard.benchmarks.code.execrepobench import gaps, masks, prompts
from steelyard.benchmarks.code.execrepobench.gaps import Gap
from steelyard.benchmarks.code.repositories import environment, index
from steelyard.benchmarks.code.repositories.project import Project, unpacked
from steelyard.benchmarks.code.repositories.running import TestRun, run_tests
from steelyard.benchmarks.code.repositories.tracing import Trace, trace
from steelyard.core.errors import InputError, MissingError, SteelyardError
from steelyard.core.interfaces import Built
from steelyard.core.words import Status

PAIRS = "instructions.jsonl"
RECIPES = Path(__file__).parent / "recipes"
ATTEMPTS = 100  # masks drawn for each repository, as published
TESTS = 20  # that judge a gap, at most: those that run the gap first
PROVED = 3  # gaps of each repository on which the chosen tests are compared with all steady ones


def find(name: str) -> Path:
    """The folder of a built slice. Raises MissingError with the command that makes it."""
    place = index.folder() / "slices" / "execrepobench" / name
    if (place / gaps.NAME).is_file():
        return place
    known = [path.stem for path in sorted(RECIPES.glob("*.json"))]
    cure = (
        f"steelyard build execrepobench --recipe {name}" if name in known else f"Recipes: {', '.join(known) or 'none'}."
    )
    raise MissingError(f"the slice {name!r} has not been built here.", cure)


def build(
    out: Path | None, progress: Any, packages: Sequence[str], since: date | None, until: date | None, recipe: str,
    limit: int, seed: int, wall_s: float,
) -> Built:  # fmt: skip
    """Draw, gate and write the gaps of the newest source distribution of each package.

    limit: gaps kept for each repository, spread over the fill types. recipe: a slice made before: the same archives
    (by sha256) and the same gaps, which pass the gates again. Raises InputError where there is nothing to build from.
    """
    lock = _recipe(recipe) if recipe else {}
    sources = lock.get("sources") or [{"name": name} for name in packages]
    if not sources:
        raise InputError(
            "there is nothing to build gaps from.", "Give --package NAME (several times), or --recipe NAME."
        )
    name = lock.get("name") or f"{(until or date.today()):%y%m}-{_short([s['name'] for s in sources])}"
    folder = out or index.folder() / "slices" / "execrepobench" / name
    folder.mkdir(parents=True, exist_ok=True)
    dropped: list[tuple[str, str]] = []
    kept: list[Gap] = []
    pairs: list[dict[str, str]] = []
    facts: list[dict[str, Any]] = []
    counts: Counter[str] = Counter()
    with progress.over("repositories", len(sources)):
        for source in sources:
            try:
                project = _project(source, since, until)
                found = _of(project, source.get("gaps"), limit, seed, wall_s, dropped, counts)
                target = folder / "repositories" / project.name
                if not target.is_dir():
                    shutil.copytree(project.root, target, symlinks=True)
                kept += found
                pairs += instructions(project, found, seed)
                facts.append(
                    {
                        "name": project.name, "version": project.version, "sha256": project.sha256,
                        "uploaded": project.uploaded, "licence": project.licence, "gaps": [_named(g) for g in found],
                    }
                )  # fmt: skip
                about = {"name": name, "seed": seed, "gates": dict(sorted(counts.items())), "sources": facts}
                _write(folder, about, kept, pairs)  # after each repository: what is done stays
            except SteelyardError as error:
                dropped.append((source["name"], error.what))
            progress.advance("gaps", source["name"], Status.OK)
    if not kept:
        raise InputError("no gap passed the gates.", "\n".join(f"{what}: {why}" for what, why in dropped[:5]))
    sizes = {"name": name, "repositories": len(facts), "instruction pairs": len(pairs)}
    return Built(folder, len(kept), dropped, sizes | dict(sorted(counts.items())))


def _write(folder: Path, about: dict[str, Any], kept: Sequence[Gap], pairs: Sequence[dict[str, str]]) -> None:
    (folder / gaps.NAME).write_text(gaps.written(kept), "utf-8")
    (folder / gaps.SLICE).write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", "utf-8")
    (folder / PAIRS).write_text("".join(json.dumps(pair, ensure_ascii=False) + "\n" for pair in pairs), "utf-8")


def _project(source: dict[str, Any], since: date | None, until: date | None) -> Project:
    found = index.releases(source["name"], since, until)
    if wanted := source.get("sha256"):
        found = [release for release in found if release.sha256 == wanted]
    if not found:
        raise InputError(f"{source['name']}: no source distribution of this kind is in the index.")
    return environment.equipped(unpacked(found[-1]))


def _of(
    project: Project, named: Sequence[Sequence[Any]] | None, limit: int, seed: int, wall_s: float,
    dropped: list[tuple[str, str]], counts: Counter[str],
) -> list[Gap]:  # fmt: skip
    """The gaps of one repository that pass every gate; those named by a recipe, or drawn anew."""
    traced = trace(project)
    drawn = (
        _named_gaps(project, traced, named)
        if named is not None
        else _spread(drawn_gaps(project, traced, seed), 2 * limit)
    )
    kept: list[Gap] = []
    for gap in drawn:
        if len(kept) == limit and named is None:
            break
        why = refused(gap, wall_s)
        counts["tried"] += 1
        counts[f"refused: {why.partition(':')[0]}" if why else "kept"] += 1
        if why:
            dropped.append((gap.id, why))
            continue
        if len(kept) < PROVED:
            gap = _proved(gap, traced, wall_s, counts)
        kept.append(gap)
    return kept


def drawn_gaps(project: Project, traced: Trace, seed: int) -> list[Gap]:
    """The masks of 100 attempts on the files that tests run, those the recipe rejects left out, in the order drawn."""
    rng = np.random.RandomState(seed)
    files = [path for path in project.sources if traced.tests_of_file(path) and "\x00" not in project.source(path)]
    earlier: set[str] = set()
    found: list[Gap] = []
    for at in range(ATTEMPTS if files else 0):
        path = files[int(rng.randint(len(files)))]
        mask = masks.draw(project.source(path), at, rng)
        if mask is None or masks.rejected(middle := project.source(path)[mask.start : mask.end], earlier):
            continue
        if "```" in middle:  # an answer in a fence could not hold it
            continue
        earlier.add(middle)
        other = next(_others(project.source(path), mask, np.random.RandomState(seed + at)), "")
        found.append(_gap(project, traced, path, mask, other))
    return found


def instructions(project: Project, held_out: Sequence[Gap], seed: int) -> list[dict[str, str]]:
    """Repo-Instruct: the same masks as pairs of instruction and output, of all source files that hold no gap of the slice.

    They train on the repository that the gaps are taken from: a model tuned on them is tested on other slices.
    """
    rng = np.random.RandomState(seed)
    taken = {gap.path for gap in held_out}
    files = [path for path in project.sources if path not in taken and "\x00" not in project.source(path)]
    earlier: set[str] = set()
    pairs = []
    for at in range(ATTEMPTS if files else 0):
        path = files[int(rng.randint(len(files)))]
        text = project.source(path)
        mask = masks.draw(text, at, rng)
        if mask is None or masks.rejected(middle := text[mask.start : mask.end], earlier):
            continue
        earlier.add(middle)
        gap = Gap(project.name, path, text[: mask.start], middle, text[mask.end :], mask.fill_type, project=project)
        around = prompts.parts(gap, "without-middle", "close", gap, 4096, 1024, 512)
        pairs.append(
            {
                "instruction": prompts.headed(gap, *around), "output": f"```python\n{middle}\n```",
                "fill_type": mask.fill_type, "repository": project.name, "file": path, "licence": project.licence,
            }
        )  # fmt: skip
    return pairs


def _others(text: str, mask: masks.Mask, rng: np.random.RandomState) -> Iterator[str]:
    """Fragments of the same fill type from the same file, drawn as the gap was, other than the gap."""
    index = {masks.LINE: 0, masks.LINES: 3, masks.SPAN: 6}.get(mask.fill_type, 9)
    own = {text[mask.start : mask.end]}
    for _ in range(60):
        drawn = masks.draw(text, index, rng)
        if drawn is None or drawn.fill_type != mask.fill_type:
            continue
        fragment = text[drawn.start : drawn.end]
        if not masks.rejected(fragment, own) and fragment.strip() != text[mask.start : mask.end].strip():
            yield fragment


def _gap(project: Project, traced: Trace, path: str, mask: masks.Mask, fragment: str) -> Gap:
    text = project.source(path)
    first, last = text.count("\n", 0, mask.start) + 1, text.count("\n", 0, mask.end) + 1
    lines = traced.lines.get(path, {})
    running = {test for line in range(first, last + 1) for test in lines.get(line, ())}
    of_file = traced.tests_of_file(path)
    chosen = [t for t in of_file if t in running][:TESTS] or of_file[:TESTS]
    return Gap(
        project.name, path, text[: mask.start], text[mask.start : mask.end], text[mask.end :], mask.fill_type,
        project=project, tests=tuple(chosen), fragment=fragment,
    )  # fmt: skip


def refused(gap: Gap, wall_s: float) -> str:
    """Why a gap measures nothing: its own middle fails, or an empty one or another fragment of its kind passes."""
    if not (own := run(gap, gap.middle, wall_s)).passed:
        return f"its own middle fails: {own.message[:200]}"
    if run(gap, "", wall_s).passed:
        return "an empty middle passes"
    if gap.fragment and run(gap, gap.fragment, wall_s).passed:
        return "another fragment passes"
    return ""


def run(gap: Gap, middle: str, wall_s: float, tests: Sequence[str] = ()) -> TestRun:
    """The gap filled and its tests (or others) run in the sandbox."""
    if gap.project is None:
        raise MissingError(f"{gap.id}: {gaps.lacks(gap)}.")
    return run_tests(gap.project, tests or gap.tests, {gap.path: gap.filled(middle)}, first=True, wall_s=wall_s)


def _proved(gap: Gap, traced: Trace, wall_s: float, counts: Counter[str]) -> Gap:
    """Compare its tests with all steady tests on halves of its middle; a test that alone notices one is added."""
    half = len(gap.middle) // 2
    for middle in (gap.middle[:half], gap.middle[half:]):
        chosen = run(gap, middle, wall_s).passed
        whole = run(gap, middle, wall_s, traced.tests)
        counts["verdicts compared with all tests"] += 1
        counts["verdicts equal"] += chosen == whole.passed
        if chosen and not whole.passed:
            more = next((t for t, r in whole.tests.items() if r.end == "failed"), "")
            gap = replace(gap, tests=(*gap.tests, more)) if more else gap
    return gap


def _spread(found: Sequence[Gap], most: int) -> list[Gap]:
    """At most `most`, fill types in turn, each in its own order."""
    waiting = {kind: [g for g in found if g.fill_type == kind] for kind in masks.FILL_TYPES}
    out: list[Gap] = []
    while len(out) < most and any(waiting.values()):
        out += [queue.pop(0) for queue in waiting.values() if queue]
    return out[:most]


def _named(gap: Gap) -> list[Any]:
    """A gap as a recipe keeps it: place, kind and a hash of the middle; none of the text."""
    start = len(gap.prefix)
    digest = hashlib.sha256(gap.middle.encode()).hexdigest()[:16]
    fragment = gap.filled(gap.middle).find(gap.fragment) if gap.fragment else -1
    return [gap.path, start, start + len(gap.middle), gap.fill_type, digest, fragment, fragment + len(gap.fragment)]


def _named_gaps(project: Project, traced: Trace, named: Sequence[Sequence[Any]]) -> list[Gap]:
    out = []
    for path, start, end, kind, digest, first, last in named:
        text = project.source(path)
        if hashlib.sha256(text[start:end].encode()).hexdigest()[:16] != digest:
            raise InputError(
                f"{project}: {path} is not the file of the recipe.", "Use the recipe with its own archives."
            )
        fragment = text[first:last] if first >= 0 else ""
        out.append(_gap(project, traced, path, masks.Mask(kind, start, end), fragment))
    return out


def _recipe(name: str) -> dict[str, Any]:
    path = RECIPES / f"{name}.json" if (RECIPES / f"{name}.json").is_file() else Path(name)
    try:
        found = json.loads(path.read_text("utf-8"))
        if not isinstance(found, dict) or not {"name", "sources"} <= found.keys():
            raise ValueError("fields name and sources are needed")
    except (OSError, ValueError) as error:
        known = ", ".join(p.stem for p in sorted(RECIPES.glob("*.json"))) or "none"
        raise InputError(f"there is no recipe {name!r} ({error}).", f"Known: {known}; or give a slice.json.") from error
    return found


def _short(names: Sequence[str]) -> str:
    return hashlib.sha256(" ".join(sorted(names)).encode()).hexdigest()[:6]
