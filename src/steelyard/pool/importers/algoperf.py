"""Logs of AlgoPerf training runs: trees of `eval_measurements.csv`, or the same evaluations in one Parquet file.

A run (submission, study, workload, trial) gives what it is judged by: when it first reached the workload's target, and its
best validation result with the test result beside it. All its evaluations are kept as an artifact.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steelyard.core.errors import InputError
from steelyard.core.words import Direction
from steelyard.pool.importers.asked import Asked, Row, Source, Told
from steelyard.pool.importers.jsonlines import document
from steelyard.pool.importers.metrics import HIGHER, LOWER, NONE
from steelyard.pool.importers.staging import Staging, number

LOG = "eval_measurements.csv"
TARGETS = "workload_targets*.json"
COLUMNS = ("ruleset", "submission", "study", "workload", "framework", "trial", "global_step", "score_s",
           "validation_metric", "test_metric")  # fmt: skip
LOWER_METRICS = ("loss", "ce_loss", "error_rate", "ctc_loss", "wer", "l1_loss", "ppl")
HIGHER_METRICS = ("accuracy", "ssim", "bleu", "mean_average_precision")
WORKLOADS = {"criteo1tb": "loss", "fastmri": "ssim", "imagenet": "accuracy", "librispeech": "wer",
             "ogbg": "mean_average_precision", "wmt": "bleu", "cifar": "accuracy", "mnist": "accuracy",
             "finewebedu": "ppl"}  # fmt: skip
TRIALS = 5  # tuning trials of a study, by the rules


@dataclass(frozen=True)
class Run:
    """One training run. evaluations: (step, seconds of the submission, validation, test), in the order of the log."""

    ruleset: str
    submission: str
    study: int
    workload: str
    framework: str
    trial: int
    evaluations: list[tuple[Any, float | None, float | None, float | None]]


class AlgoPerf:
    NAME = "algoperf"
    SAYS = "AlgoPerf logs"
    METRICS: Mapping[str, tuple[Direction, str]] = {
        "time_to_target": (LOWER, "s"),
        "submission_time": (NONE, "s"),
        **{f"{split}_{m}": (LOWER, "1") for m in LOWER_METRICS for split in ("validation", "test")},
        **{f"{split}_{m}": (HIGHER, "1") for m in HIGHER_METRICS for split in ("validation", "test")},
    }

    def together(self, root: Path, files: Sequence[Path]) -> Iterator[Source]:
        logs = [path for path in files if path.name == LOG]
        if logs:
            yield Source(self.NAME, root, (*logs, *_targets(root, files)))
        for path in files:
            if path.suffix == ".parquet" and self.recognises(path, ""):
                yield Source(self.NAME, path, (path, *_targets(path, files)))

    def recognises(self, path: Path, head: str) -> bool:
        if path.suffix == ".parquet":
            import pyarrow as pa
            import pyarrow.parquet as pq

            try:
                return set(COLUMNS) <= set(pq.read_schema(path).names)
            except (pa.ArrowException, OSError):
                return False
        return path.name == LOG

    def read(self, source: Source, asked: Asked, into: Staging) -> None:
        targets: dict[str, Any] = {}
        for path in source.files:
            if path.suffix == ".json":
                targets = document(path).get("workloads") or {}
                into.told.mapped["target"] = path.name
        into.told.mapped |= {
            "case": "workload",
            "contender": "submission[ruleset]",
            "trial": f"study * {TRIALS} + trial - 1",
        }
        if not targets:
            into.told.notes.append(f"no time to target: there is no {TARGETS} beside the logs")
        parquet = [path for path in source.files if path.suffix == ".parquet"]
        found = _runs_of_table(parquet[0], into) if parquet else _runs_of_tree(source, targets, into.told)
        into.add(row for run in found for row in _rows(run, targets, asked, into))


def _rows(run: Run, targets: Mapping[str, Any], asked: Asked, into: Staging) -> Iterator[Row]:
    metric = _metric(run.workload, targets)
    better = max if metric in HIGHER_METRICS else min
    options = f"[ruleset={run.ruleset}]" if run.ruleset else ""
    shared: dict[str, Any] = {
        "benchmark": asked.benchmark or "algoperf-logs",
        "case": run.workload,
        "contender": asked.contender or f"{run.submission}{options}",
        "contender_config": {"framework": run.framework, **({"ruleset": run.ruleset} if run.ruleset else {})},
        "trial": run.study * TRIALS + run.trial - 1,
        "seed": run.study,
        "artifacts": into.keep(log=_csv(run)),
    }
    seen = [e for e in run.evaluations if e[2] is not None and e[1] is not None]
    into.told.drop("evaluation without a number", len(run.evaluations) - len(seen))
    if not seen:
        yield Row(
            **shared, metric=f"validation_{metric}", value=None, status="failed", error="no evaluation has a number"
        )
        return
    goal = (targets.get(run.workload) or {}).get("validation_target_value")
    best = better(seen, key=lambda e: e[2])
    if goal is not None:
        reached = next((e for e in seen if e[2] == goal or better(e[2], goal) == e[2]), None)
        if reached:
            yield Row(**shared, metric="time_to_target", value=reached[1])
        else:
            why = f"{metric} {goal} was not reached in {len(seen)} evaluations (best {best[2]:.6g})"
            yield Row(**shared, metric="time_to_target", value=None, status="failed", error=why)
    yield Row(**shared, metric=f"validation_{metric}", value=best[2])
    if best[3] is not None:
        yield Row(**shared, metric=f"test_{metric}", value=best[3])
    yield Row(**shared, metric="submission_time", value=seen[-1][1])


def _runs_of_table(path: Path, into: Staging) -> Iterator[Run]:
    into.con.execute("CREATE VIEW logs AS SELECT * FROM read_parquet('" + str(path).replace("'", "''") + "')")
    order = "eval_index" if "eval_index" in {n for n, *_ in into.rows("DESCRIBE logs")} else "global_step"
    names = ", ".join(COLUMNS)
    reader = into.con.cursor().execute(f"SELECT {names} FROM logs ORDER BY 1, 2, 3, 4, 5, 6, {order}")
    rows = itertools.chain.from_iterable(iter(lambda: reader.fetchmany(10_000), []))
    for key, own in itertools.groupby(rows, key=lambda row: row[:6]):
        evaluations = [(step, _real(s), _real(v), _real(t)) for *_, step, s, v, t in own]
        yield Run(str(key[0]), str(key[1]), int(key[2]), str(key[3]), str(key[4]), int(key[5]), evaluations)


def _runs_of_tree(source: Source, targets: Mapping[str, Any], told: Told) -> Iterator[Run]:
    """.../[RULESET/.../]SUBMISSION/study_N/WORKLOAD_FRAMEWORK/trial_K/eval_measurements.csv; what is laid out otherwise is told."""
    for path in source.files:
        if path.name != LOG:
            continue
        parts = path.parts[:-1]
        trial = re.fullmatch(r"trial_(\d+)", parts[-1])
        place = re.fullmatch(r"(.+)_(jax|pytorch)", parts[-2]) if len(parts) > 2 else None
        study = re.fullmatch(r"study_(\d+)", parts[-3]) if len(parts) > 3 else None
        if not trial or not place or not _metric(place[1], targets):
            told.drop("stray log", 1, str(path))
            continue
        metric = _metric(place[1], targets)
        try:
            with path.open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{path}: cannot be read ({error}).") from error
        evaluations = [
            (row.get("global_step"), _real(row.get("score") or row.get("accumulated_submission_time")),
             _real(row.get(f"validation/{metric}")), _real(row.get(f"test/{metric}")))
            for row in rows
        ]  # fmt: skip
        ruleset = next((p for p in parts if p in ("external_tuning", "self_tuning")), "")
        submission = parts[-4] if study else parts[-3]
        yield Run(ruleset, submission, int(study[1]) if study else 0, place[1], place[2], int(trial[1]), evaluations)


def _metric(workload: str, targets: Mapping[str, Any]) -> str:
    named = (targets.get(workload) or {}).get("target_metric_name")
    return str(named or next((m for w, m in WORKLOADS.items() if workload.startswith(w)), ""))


def _targets(near: Path, files: Sequence[Path]) -> tuple[Path, ...]:
    """The targets of the benchmark's version that `near` names, or the only ones there are."""
    found = [path for path in files if path.match(TARGETS)]
    version = re.search(r"v\d+", near.name)
    fits = [path for path in found if version and path.stem.endswith(version[0])] or found
    return tuple(fits) if len(fits) == 1 else ()


def _real(value: Any) -> float | None:
    made = number(value)
    return None if made is None or made != made else made


def _csv(run: Run) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("global_step", "score_s", "validation", "test"))
    writer.writerows(run.evaluations)
    return out.getvalue()
