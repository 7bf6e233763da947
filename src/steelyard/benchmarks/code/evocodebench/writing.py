"""Writes the folder of a slice: sources, samples in the official schema, and what it says of itself; from a recipe, too."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from steelyard.benchmarks.code.evocodebench import slices, texts
from steelyard.benchmarks.code.repositories import environment, gates, index, project
from steelyard.benchmarks.code.repositories.functions import Function, functions
from steelyard.benchmarks.code.repositories.project import Project
from steelyard.core.errors import InputError
from steelyard.core.interfaces import Built
from steelyard.core.words import Status

Dropped = list[tuple[str, str]]


def rebuild(recipe: str, out: Path | None, progress: Any) -> Built:
    """Make a known slice again from its recipe: the same files by their sha256, the same versions of what they need.

    Each sample is gated again here (its own body passes, a stub fails); one that no longer passes is dropped and listed.
    """
    known = slices.recipe(recipe)
    home = out or slices.folder(known["name"])
    return written(known, home, [], gated=False, progress=progress)


def path_of(case: Mapping[str, Any]) -> str:
    """The file of a sample, below its project."""
    return str(case["completion_path"]).partition("/")[2]


def written(whole: dict[str, Any], home: Path, dropped: Dropped, *, gated: bool, progress: Any) -> Built:
    """Write the slice's folder: sources, samples, and the recipe. What is not gated yet is gated here."""
    projects: dict[str, Project] = {}
    for source in whole["sources"]:
        release = index.Release(
            source["name"], source["version"], source["file"], source["sha256"], date.fromisoformat(source["uploaded"])
        )
        found = environment.equipped(project.unpacked(release), source["needs"])
        place = home / "Source_Code" / source["folder"]
        if not place.is_dir():
            shutil.copytree(found.root, place, ignore=shutil.ignore_patterns("__pycache__"))
        projects[source["folder"]] = found
    kept = []
    with progress.over(f"making {home.name} again", len(whole["cases"])):
        for case in whole["cases"]:
            of = projects[case["completion_path"].partition("/")[0]]
            function = next(
                (
                    f
                    for f in functions(path_of(case), of.source(path_of(case)))
                    if list(f.body) == case["body_position"]
                ),
                None,
            )
            why = "its lines are not a function's body" if function is None else ""
            if function is not None and not gated:
                why = gates.gate(
                    of, function, {test: set() for test in case["tests"]}, most=len(case["tests"]), tried=0
                ).why
            if function is None or why:
                dropped.append((case["namespace"], f"gate: {why}"))
            else:
                kept.append((case, function))
            progress.advance(of.name, case["namespace"], Status.OK if not why else Status.FAILED)
    if not kept:
        raise InputError(f"{home}: no sample passes its gate here.", "; ".join(f"{w}: {y}" for w, y in dropped[:3]))
    lines = [json.dumps(_official(case, function), ensure_ascii=False) for case, function in kept]
    (home / "data.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    (home / "slice.json").write_text(_by_line(whole), "utf-8")
    return Built(home, len(kept), dropped, facts_of(whole, [case for case, _ in kept]))


def _official(case: Mapping[str, Any], function: Function) -> dict[str, Any]:
    requirement = case.get("requirement") or texts.requirement_of(function.docstring)
    return {**{k: v for k, v in case.items() if k != "facts"}, "requirement": requirement, "facts": case["facts"]}


def facts_of(whole: Mapping[str, Any], cases: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What a reader must know of a slice, with its statement on leakage."""
    days = sorted(source["uploaded"] for source in whole["sources"])
    unchanged = [case["facts"]["unchanged"] for case in cases if "unchanged" in case["facts"]]
    compared, added = (sum(case["facts"][key] for case in cases) for key in ("compared", "added"))
    leak = f"uploaded {days[0]} to {days[-1]}: no release of them existed before"
    if unchanged:
        leak += f"; {sum(unchanged)} of {len(unchanged)} bodies stood in a release before {whole['since']}, {len(unchanged) - sum(unchanged)} did not"
    return {
        "slice": whole["name"], "packages": len(whole["sources"]), "period": f"{days[0]} to {days[-1]}", "leakage": leak,
        "requirements": f"from {whole['requirement']}", "domains": f"by {whole['domain']}",
        "mutants": f"{sum(c['facts']['killed'] for c in cases)} of {sum(c['facts']['mutants'] for c in cases)} noticed",
        "test selection": f"compared with all tests on {compared} mutants; {added} tests added because only they noticed one",
        "standalone": f"{sum(not any(c['dependency'].values()) for c in cases)} of {len(cases)}",
        "sources": list(whole["sources"]),
    }  # fmt: skip


def _by_line(whole: Mapping[str, Any]) -> str:
    """JSON with one sample, source or dropped function a line."""
    parts = []
    for key, value in whole.items():
        text = json.dumps(value, ensure_ascii=False)
        if isinstance(value, list):
            text = "[\n" + ",\n".join(f"  {json.dumps(item, ensure_ascii=False)}" for item in value) + "\n ]"
        parts.append(f" {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"
