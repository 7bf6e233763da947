"""From logged evaluations to runs: which reached its target when, and what is missing in the logs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from steelyard.benchmarks.training.algoperf.logs import KEY, Logs
from steelyard.core.errors import InputError
from steelyard.stats.time_to_result import Runs, first_hits


def gather(logs: Logs, *, strict: bool = False) -> tuple[dict[str, Runs], list[str]]:
    """ruleset -> runs, and notes. strict: a missing study or trial is an InputError instead of a note."""
    notes = list(logs.notes)
    rows = _once(_known(_Rows.of(logs), logs, notes), notes)
    logged = {rows.names["workload"][w] for w in np.unique(rows.codes["workload"])}
    base = [w for w in logs.targets.base if w in logged]
    if lacking := [w for w in logs.targets.base if w not in base]:
        notes.append(f"scored on {len(base)} of {len(logs.targets.base)} workloads: no log of {', '.join(lacking)}")
    held = [w for w in logs.targets.held_out if w in logged and logs.targets.base_of(w) in base]
    if lacking := [w for w in logs.targets.held_out if w not in held]:
        notes.append(f"held-out variants without logs, not coupled: {', '.join(lacking)}")
    found = {}
    for at in np.unique(rows.codes["ruleset"]):
        ruleset = rows.names["ruleset"][at]
        part = rows.kept(rows.codes["ruleset"] == at)
        found[ruleset] = _runs(part, ruleset, [*base, *held], len(base), logs, notes, strict)
    return found, notes


@dataclass(frozen=True)
class _Rows:
    """Evaluations as numbers. codes: column of KEY -> its place among `names` (sorted), for each row."""

    names: dict[str, list[Any]]
    codes: dict[str, np.ndarray]
    time: np.ndarray
    value: np.ndarray

    @classmethod
    def of(cls, logs: Logs) -> _Rows:
        names, codes = {}, {}
        for name in KEY:
            column = logs.table.column(name).combine_chunks().dictionary_encode()
            seen = column.dictionary.to_pylist()
            names[name] = sorted(seen)
            place = np.array([names[name].index(v) for v in seen])
            codes[name] = place[column.indices.to_numpy(zero_copy_only=False)]
        time, value = (logs.table.column(n).to_numpy() for n in ("score_s", "validation_metric"))
        return cls(names, codes, time, value)

    def kept(self, keep: np.ndarray) -> _Rows:
        codes = {name: code[keep] for name, code in self.codes.items()}
        return _Rows(self.names, codes, self.time[keep], self.value[keep])


def _known(rows: _Rows, logs: Logs, notes: list[str]) -> _Rows:
    """Evaluations of workloads that count; the others are noted."""
    used = {*logs.targets.base, *logs.targets.held_out}
    counts = np.array([name in used for name in rows.names["workload"]])
    if not counts.all():
        names = [name for name in rows.names["workload"] if name not in used]
        notes.append(f"workloads that are not scored were left out: {', '.join(names)}")
    if not counts.any():
        raise InputError("no log is of a workload that the targets name.", f"Targets: {', '.join(sorted(used))}.")
    return rows.kept(counts[rows.codes["workload"]])


def _once(rows: _Rows, notes: list[str]) -> _Rows:
    """Each evaluation once, the first of its repeats, in order of run and evaluation."""
    codes = [rows.codes[name] for name in KEY]
    order = np.lexsort(codes[::-1])
    same = np.all([code[order][1:] == code[order][:-1] for code in codes], axis=0)
    if same.any():
        notes.append(f"{int(same.sum())} evaluations stand twice; the first of each counts")
    rows = rows.kept(order[np.concatenate([[True], ~same])])
    if lost := int((~np.isfinite(rows.time)).sum()):
        raise InputError(f"{lost} evaluations have no time (score_s).", "Mend or drop these rows.")
    return rows


def _runs(
    rows: _Rows, ruleset: str, workloads: list[str], base: int, logs: Logs, notes: list[str], strict: bool
) -> Runs:
    place = np.array([workloads.index(w) if w in workloads else -1 for w in rows.names["workload"]])
    rows = rows.kept(place[rows.codes["workload"]] >= 0)
    what = place[rows.codes["workload"]]
    (names, who), (studies, study), (trials, trial) = (
        np.unique(rows.codes[name], return_inverse=True) for name in ("submission", "study", "trial")
    )
    submissions = tuple(rows.names["submission"][n] for n in names)
    shape = (names.size, len(workloads), studies.size, trials.size)
    run = np.ravel_multi_index((who, what, study, trial), shape)
    goal = np.array([logs.targets.goal[w] for w in workloads])  # (W, 2): target, whether higher is better
    reached = np.where(goal[what, 1] > 0, rows.value >= goal[what, 0], rows.value <= goal[what, 0])
    if back := len(set(run[1:][(run[1:] == run[:-1]) & (np.diff(rows.time) < 0)])):
        notes.append(f"{ruleset}: time runs backwards in {back} runs; evaluations count in their order")
    index = np.array(rows.names["eval_index"], float)[rows.codes["eval_index"]]
    times, evals = first_hits(run, index, rows.time, reached, int(np.prod(shape)))
    there = np.zeros(times.size, bool)
    there[run] = True
    times, evals = (np.where(there, x, np.nan).reshape(shape) for x in (times, evals))
    _complain(ruleset, submissions, workloads, there.reshape(shape), notes, strict)
    variants = np.arange(base, len(workloads))
    of = np.array([workloads.index(logs.targets.base_of(workloads[v])) for v in variants], int)
    budgets = np.array([logs.targets.budgets[w] for w in workloads]) * (3 if ruleset == "self_tuning" else 1)
    return Runs(submissions, tuple(workloads), times, evals, np.arange(base), variants, of, budgets)


def _complain(
    ruleset: str, names: Sequence[str], workloads: list[str], there: np.ndarray, notes: list[str], strict: bool
) -> None:
    """Say which pairs lack studies, trials or everything; with `strict` that is an error."""
    studies, trials = there.any(axis=3).sum(axis=2), there.sum(axis=3)
    full = (int(studies.max()), int(trials.max()))
    wrong = []
    for s, w in np.argwhere(studies < full[0]):
        found = f"{studies[s, w]} of {full[0]} studies" if studies[s, w] else "no run"
        wrong.append(f"{names[s]} on {workloads[w]}: {found}")
    for s, w, k in np.argwhere((trials > 0) & (trials < full[1])):
        wrong.append(f"{names[s]} on {workloads[w]}, study {k}: {trials[s, w, k]} of {full[1]} trials")
    if not wrong:
        return
    listed = "; ".join(wrong[:5]) + (f"; and {len(wrong) - 5} more" if len(wrong) > 5 else "")
    if strict:
        raise InputError(f"{ruleset}: logs are incomplete: {listed}.", "Leave strict out to score what there is.")
    notes.append(f"{ruleset}: incomplete, scored as they are: {listed}")
