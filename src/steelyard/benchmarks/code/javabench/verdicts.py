"""Verdicts on samples of classes and test classes, as published or as measured here, and what they add up to."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np

from steelyard.benchmarks.code.records import Record, read_records
from steelyard.core.errors import InputError
from steelyard.stats.estimates import pass_at_k

KINDS = {"class_wise": ("class", "task_id", "test_result"), "test_wise": ("test", "test_id", "n_pass")}
FIELDS = ("kind", "setting", "project", "model", "sample", "has_todo", "can_replace")
SAMPLES = 5  # of more, the published tables use the first five
METRICS = {  # of the released plot data -> granularity and metric here
    "completion": ("class", "completion"), "compilation_class_wise": ("class", "compilation"),
    "compilation_test_wise": ("test", "compilation"), "pass_class_wise": ("class", "pass_at_1"),
    "pass_test_wise": ("test", "pass_at_1"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one sample. completed: it could be put into the project and leaves no TODO undone."""

    completed: bool
    compiled: bool
    passed: int
    total: int

    @property
    def fraction(self) -> float:
        """Share of tests passed; 0 where the sample is not complete, does not compile or no test ran."""
        return self.passed / self.total if self.completed and self.compiled and self.total else 0.0

    @property
    def scores(self) -> dict[str, float]:
        """completion, compilation, pass_at_1 (a fraction), pass_at_1_strict (every test), of this sample alone."""
        return {
            "completion": float(self.completed), "compilation": float(self.completed and self.compiled),
            "pass_at_1": self.fraction, "pass_at_1_strict": float(self.fraction == 1.0),
        }  # fmt: skip


# (setting, model) -> granularity -> (project, id) -> the verdicts on its samples, in their order
Board = dict[tuple[str, str], dict[str, dict[tuple[str, str], list[Verdict]]]]


def read_verdicts(path: Path) -> Board:
    """The released verdicts (scores.jsonl). InputError names line and field."""
    found: dict[tuple[str, str], dict[str, dict[tuple[str, str], dict[int, Verdict]]]] = {}
    for record in read_records(path, FIELDS, key=""):
        f = record.fields
        if f["kind"] not in KINDS:
            raise InputError(f"{record.where}: kind is {f['kind']!r}.", f"It may be {' or '.join(KINDS)}.")
        granularity, key, result = KINDS[f["kind"]]
        compiles = "compile_errors" if granularity == "class" else "compilable"
        record.need((key, result, compiles))
        passed, total = _counts(record, result)
        compiled = f[compiles] == 0 if granularity == "class" else bool(f[compiles])
        samples = (
            found.setdefault((record.text("setting"), record.text("model")), {"class": {}, "test": {}})[granularity]
            .setdefault((record.text("project"), record.text(key)), {})
        )  # fmt: skip
        if f["sample"] in samples:
            raise InputError(f"{record.where}: sample {f['sample']} of {f[key]} stands twice.")
        samples[f["sample"]] = Verdict(bool(f["can_replace"]) and not f["has_todo"], compiled, passed, total)
    return {
        who: {g: {of: [s[j] for j in sorted(s)] for of, s in each.items()} for g, each in kinds.items()}
        for who, kinds in found.items()
    }


def _counts(record: Record, name: str) -> tuple[int, int]:
    match record.fields[name]:
        case [int(passed), int(total)] if 0 <= passed <= total:
            return passed, total
    raise InputError(f"{record.where}: {name} is {record.fields[name]!r}.", "Write [tests passed, tests in all].")


def read_aggregates(folder: Path) -> dict[tuple[str, str], dict[str, dict[str, float]]]:
    """(setting, model) -> granularity -> metric -> the value in the released plot data; empty where there are none.

    Both files are read (paper_plot_data_*.json), and must agree where they say the same.
    """
    found: dict[tuple[str, str], dict[str, dict[str, float]]] = {}
    for path in sorted(folder.glob("paper_plot_data_*.json")):
        for name, entries in json.loads(path.read_text(encoding="utf-8")).items():
            granularity, metric = METRICS[name]
            for e in entries:
                values = found.setdefault((f"{e['Method']}-{e['Context']}", e["Model"]), {})
                if values.setdefault(granularity, {}).setdefault(metric, e["Pass_at_1"]) != e["Pass_at_1"]:
                    raise InputError(f"{path}: {name} of {e['Model']} stands twice with different values.")
    return found


def published_estimate(scores: Sequence[float], k: int) -> float | None:
    """The product formula of pass@k as released, fed with the sum of the scores for the number of passes.

    The sum c may be a fraction, which the formula is not meant for: 1 - prod(1 - k/i) over i = n - c + 1, n - c + 2, ... below
    n + 1, and 1 where n - c < k. For k = 1 that is ceil(c) / (n - c + ceil(c)), at least c/n. None for fewer than k scores.
    """
    n, c = len(scores), math.fsum(scores)
    if n < k:
        return None
    if n - c < k:
        return 1.0
    return float(1.0 - np.prod(1.0 - k / np.arange(n - c + 1, n + 1)))


def best_of(scores: Sequence[float], k: int) -> float | None:
    """The expected highest score of k of the n samples: pass@k where scores are 0 or 1. None for fewer than k scores."""
    n = len(scores)
    if n < k:
        return None
    return math.fsum(s * math.comb(i, k - 1) for i, s in enumerate(sorted(scores))) / math.comb(n, k)


def overall(board: Mapping[tuple[str, str], Sequence[Verdict]], *, published: bool) -> dict[str, float]:
    """The mean over projects of the means over their cases (the four projects weigh the same, whatever their size).

    board: (project, id) -> verdicts. Of more than five samples the first five count. published: the released formula for
    completion, compilation, pass_at_1 and pass_at_5; else means, and for pass@5 the expected best of five.
    """
    found: dict[str, float] = {}
    estimate = published_estimate if published else best_of
    for metric in ("completion", "compilation", "pass_at_1"):
        for k in (1, SAMPLES) if metric == "pass_at_1" else (1,):
            each = {of: estimate([v.scores[metric] for v in s[:SAMPLES]], k) for of, s in board.items()}
            _add(found, metric.replace("_1", f"_{k}"), each)
    for k in (1, SAMPLES):
        strict = {}
        for of, s in board.items():
            value = pass_at_k([len(s[:SAMPLES])], [sum(v.fraction == 1.0 for v in s[:SAMPLES])], k)
            strict[of] = None if value is None else float(value[0])
        _add(found, f"pass_at_{k}_strict", strict)
    return found


def _add(found: dict[str, float], name: str, each: Mapping[tuple[str, str], float | None]) -> None:
    """The mean over projects, unless some case has too few samples for the estimate."""
    values = {of: v for of, v in each.items() if v is not None}
    if len(values) == len(each):
        found[name] = mean_of_projects(values)


def mean_of_projects(values: Mapping[tuple[str, str], float]) -> float:
    """(project, id) -> value to the plain mean of the projects' plain means."""
    projects = sorted({project for project, _ in values})
    return fmean(fmean(v for (p, _), v in values.items() if p == project) for project in projects)


def most_passed(board: Mapping[tuple[str, str], Sequence[Verdict]]) -> tuple[int, float]:
    """Projects all of whose cases one sample index passes in full, and the highest share of cases that any does."""
    completed, most = 0, 0.0
    for project in {p for p, _ in board}:
        cases = [s for (p, _), s in board.items() if p == project]
        shares = [fmean(s[j].fraction == 1.0 for s in cases) for j in range(min(map(len, cases)))]
        completed += max(shares, default=0.0) == 1.0
        most = max([most, *shares])
    return completed, most


def largest_difference(found: Mapping[str, float], printed: Iterable[tuple[str, float]]) -> float:
    """The largest distance between a value here and the one printed for it."""
    return max((abs(found[name] - value) for name, value in printed), default=0.0)
