"""Reads problems and the seed programs that models wrote for them, in the format of LDB's released files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from steelyard.benchmarks.code.records import Record, read_records
from steelyard.core.errors import InputError, MissingError
from steelyard.core.words import Case

PROBLEM = ("task_id", "entry_point", "prompt", "given_tests", "test", "canonical_solution")
SEED = ("task_id", "solution", "is_solved")


@dataclass(frozen=True, slots=True)
class Repair:
    """One seed program and its problem.

    visible: asserts a repairer may see. test: defines `check(candidate)`, hidden. source: the code to be translated,
    "" where the task is a signature with a docstring. solved: the published verdict on the seed.
    """

    entry_point: str
    prompt: str
    visible: tuple[str, ...]
    test: str
    reference: str
    source: str = ""
    seed: str = ""
    solved: bool = False


def read_cases(folder: Path) -> Iterator[Case]:
    """A case for each seed of `seeds_<set>_<model>.jsonl[.gz]`; its problem stands in `problems_<set>.jsonl[.gz]`.

    Raises MissingError where there are no such files, InputError naming file, line and field.
    """
    problems = {_set_of(p, "problems_"): _problems(p) for p in _files(folder, "problems_")}
    seeds = _files(folder, "seeds_")
    if not (problems and seeds):
        raise MissingError(
            f"{folder}: holds no problems_<set>.jsonl and seeds_<set>_<model>.jsonl (or .jsonl.gz).",
            "Give --data the folder of LDB's released files, or leave --data out.",
        )
    for path in seeds:
        name, _, model = _set_of(path, "seeds_").partition("_")
        if name not in problems:
            raise InputError(f"{path}: there is no problems_{name}.jsonl beside it.", "Seeds need their problems.")
        if not model:
            raise InputError(f"{path}: the name says no model.", "Write seeds_<set>_<model>.jsonl.")
        yield from _of_one_model(path, name, model, problems[name])


def _of_one_model(path: Path, name: str, model: str, problems: dict[str, Repair]) -> Iterator[Case]:
    found = []
    for record in read_records(path, SEED, "task_id"):
        task, solved = record.text("task_id"), record.fields["is_solved"]
        if task not in problems:
            raise InputError(f"{record.where}: task_id {task!r} is no problem of {name}.")
        if not isinstance(solved, bool):
            raise InputError(f"{record.where}: field 'is_solved' is {solved!r}.", "It is true or false.")
        found.append((task, replace(problems[task], seed=record.text("solution"), solved=solved)))
    places = _places([(f"{model}:{task}", problem.solved) for task, problem in found])
    for task, problem in found:
        identity = f"{model}:{task}"
        facts = {
            "dataset": name, "model": model, "problem": task, "solved": problem.solved, "place": places[identity],
            "seed_chars": len(problem.seed), "visible_tests": len(problem.visible),
        }  # fmt: skip
        if problem.source:
            facts["source_language"] = "C++"
        yield Case(identity, problem, facts, group=task)


def _places(seeds: list[tuple[str, bool]]) -> dict[str, int]:
    """Where each seed stands, by the hash of its id, among those of its model with the same published verdict.

    place < n is a fixed sample of n right and n wrong seeds of each model on each data set.
    """
    ordered = sorted(seeds, key=lambda seed: hashlib.sha256(seed[0].encode()).hexdigest())
    count = {True: 0, False: 0}
    places = {}
    for identity, solved in ordered:
        places[identity] = count[solved]
        count[solved] += 1
    return places


def _problems(path: Path) -> dict[str, Repair]:
    return {r.text("task_id"): _problem(r) for r in read_records(path, PROBLEM, "task_id")}


def _problem(record: Record) -> Repair:
    entry, prompt, test, reference = (record.text(n) for n in ("entry_point", "prompt", "test", "canonical_solution"))
    given = record.fields["given_tests"]
    if not (isinstance(given, list) and all(isinstance(t, str) for t in given)):
        raise InputError(f"{record.where}: field 'given_tests' is no list of asserts.")
    if "def check(" not in test:
        raise InputError(f"{record.where}: field 'test' defines no check(candidate).")
    visible = tuple(t for t in given if entry in t and "assert False" not in t)
    return Repair(entry, prompt, visible, test, reference, _source(prompt))


def _source(prompt: str) -> str:
    """The C++ function of a translation prompt: worked examples come first, the last pair lacks its Python."""
    if not prompt.startswith("[code]"):
        return ""
    return prompt.rpartition("[c++]")[2].partition("[python]")[0].strip()


def _files(folder: Path, begin: str) -> list[Path]:
    if not folder.is_dir():
        raise MissingError(f"{folder}: no such folder.", "Give --data the folder that holds the published files.")
    return sorted(p for p in folder.iterdir() if p.name.startswith(begin) and ".jsonl" in p.suffixes)


def _set_of(path: Path, begin: str) -> str:
    return path.name.removeprefix(begin).partition(".jsonl")[0]
