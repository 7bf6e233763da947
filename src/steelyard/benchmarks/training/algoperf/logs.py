"""Reads training logs: one table of evaluations (Parquet or CSV), or the official tree of eval_measurements.csv files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from steelyard.core.errors import InputError, MissingError

if TYPE_CHECKING:
    import pyarrow as pa

KEY = ("ruleset", "submission", "study", "workload", "trial", "eval_index")
COLUMNS = (*KEY, "score_s", "validation_metric")
HIGHER = {"accuracy", "ssim", "bleu", "mean_average_precision"}
LOWER = {"loss", "ce_loss", "error_rate", "ctc_loss", "wer", "l1_loss", "ppl"}
_TRIAL = re.compile(r"study_(\d+)/([^/]+?)(?:_(jax|pytorch))?/trial_(\d+)/eval_measurements\.csv$")
RULESETS = ("external_tuning", "self_tuning")
# seconds a run may take, external tuning (AlgoPerf v0.5 for speed-ups; card); self-tuning may take three times as long
BUDGETS = {
    "criteo1tb": 7703, "fastmri": 8859, "imagenet_resnet": 63008, "imagenet_vit": 77520,
    "librispeech_conformer": 61068, "librispeech_deepspeech": 55506, "ogbg": 18477, "wmt": 48151,
}  # fmt: skip


@dataclass(frozen=True)
class Targets:
    """The workloads of one version of the benchmark. goal: workload -> (target value, whether higher is better)."""

    version: str
    base: tuple[str, ...]
    held_out: tuple[str, ...]
    goal: Mapping[str, tuple[float, bool]]
    metric: Mapping[str, str]
    budgets: Mapping[str, float]

    def base_of(self, variant: str) -> str:
        """The base workload of a variant, whose name begins with it."""
        found = [b for b in self.base if variant.startswith(f"{b}_")]
        if not found:
            raise InputError(f"held-out workload {variant!r} is a variant of no base workload.")
        return max(found, key=len)


@dataclass
class Logs:
    """table: evaluations with COLUMNS. notes: what was left out, and why."""

    table: pa.Table
    targets: Targets
    notes: list[str] = field(default_factory=list)


def read_logs(data: str, version: str = "") -> Logs:
    """The logs of a folder and its workload_targets*.json. version: which benchmark_version, the first file's if empty.

    Raises InputError naming file and column; MissingError where folder, targets or logs are not there.
    """
    folder = Path(data)
    if not folder.is_dir():
        raise MissingError(f"{data} is no folder.", "Give the folder with the logs and workload_targets*.json.")
    targets = _targets(folder, version)
    import pyarrow as pa

    tables = [_table(path) for path in sorted(folder.iterdir()) if path.suffix in (".parquet", ".csv")]
    notes: list[str] = []
    rows = list(_tree(folder, targets, notes))
    if rows:
        tables.append(pa.Table.from_pylist(rows))
    if not tables:
        cure = (
            "A Parquet or CSV table of evaluations, or SUBMISSION/study_0/WORKLOAD_jax/trial_1/eval_measurements.csv."
        )
        raise MissingError(f"{folder} has no logs.", cure)
    return Logs(pa.concat_tables([_cast(t) for t in tables]), targets, notes)


def read_targets(record: Mapping[str, Any], where: str) -> Targets:
    """Check one file of targets; workloads may carry max_runtime (seconds)."""
    for name in ("base_workloads", "workloads"):
        if name not in record:
            raise InputError(f"{where}: field {name!r} is missing.", "Targets need base_workloads and workloads.")
    known = record["workloads"]
    used = [*record["base_workloads"], *record.get("held_out_workloads", ())]
    for workload in used:
        fact = known.get(workload, {})
        if not {"target_metric_name", "validation_target_value"} <= set(fact):
            raise InputError(
                f"{where}: workload {workload!r} has no target.",
                "Each needs target_metric_name and validation_target_value.",
            )
        if fact["target_metric_name"] not in HIGHER | LOWER:
            raise InputError(
                f"{where}: metric {fact['target_metric_name']!r} of {workload} is unknown.",
                f"Higher is better: {', '.join(sorted(HIGHER))}. Lower: {', '.join(sorted(LOWER))}.",
            )
    metric = {w: known[w]["target_metric_name"] for w in used}
    return Targets(
        str(record.get("benchmark_version", "")), tuple(record["base_workloads"]), tuple(used[len(record["base_workloads"]) :]),
        {w: (float(known[w]["validation_target_value"]), metric[w] in HIGHER) for w in used}, metric,
        {w: float(known[w].get("max_runtime", BUDGETS.get(w, np.nan))) for w in used},
    )  # fmt: skip


def _targets(folder: Path, version: str) -> Targets:
    files = sorted(folder.glob("workload_targets*.json"))
    if not files:
        raise MissingError(f"{folder} has no workload_targets*.json.", "It says which metric must reach what.")
    found = []
    for path in files:
        try:
            found.append(read_targets(json.loads(path.read_text(encoding="utf-8")), str(path)))
        except ValueError as error:
            raise InputError(f"{path}: not readable JSON ({error}).") from error
    wanted = [t for t in found if version in ("", t.version)]
    if not wanted:
        raise InputError(f"no targets of version {version!r}.", f"Known: {', '.join(t.version for t in found)}.")
    return wanted[0]


def _table(path: Path) -> pa.Table:
    try:
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            table = pq.read_table(path)
        else:
            from pyarrow import csv

            table = csv.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable table ({error}).") from error
    for name in COLUMNS:
        if name not in table.column_names:
            raise InputError(f"{path}: column {name!r} is missing.", f"Evaluations need {', '.join(COLUMNS)}.")
    return table.select(COLUMNS)


def _cast(table: pa.Table) -> pa.Table:
    import pyarrow as pa

    kinds = dict.fromkeys(("ruleset", "submission", "workload"), pa.string())
    kinds |= dict.fromkeys(("study", "trial", "eval_index"), pa.int64())
    kinds |= dict.fromkeys(("score_s", "validation_metric"), pa.float64())
    try:
        return table.cast(pa.schema([(name, kinds[name]) for name in COLUMNS]))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(f"the logs hold a value of the wrong kind: {error}.") from error


def _tree(folder: Path, targets: Targets, notes: list[str]) -> Iterator[dict[str, Any]]:
    """Rows of every eval_measurements.csv that stands where it should; the others are noted."""
    import csv

    stray = 0
    for path in sorted(folder.rglob("eval_measurements.csv")):
        parts = path.relative_to(folder).as_posix()
        found = _TRIAL.search(parts)
        above = parts[: found.start()].strip("/").split("/") if found else []
        if not found or not above[0]:
            stray += 1
            continue
        ruleset = next((part for part in above if part in RULESETS), RULESETS[0])
        metric = targets.metric.get(found[2])
        with path.open(encoding="utf-8", newline="") as file:
            for index, line in enumerate(csv.DictReader(file)):
                time = line.get("score") or line.get("accumulated_submission_time")
                value = line.get(f"validation/{metric}") if metric else None
                try:
                    if time is None or (metric and value is None):
                        raise ValueError
                    yield {
                        "ruleset": ruleset, "submission": above[-1], "study": int(found[1]), "workload": found[2],
                        "trial": int(found[4]), "eval_index": index, "score_s": float(time),
                        "validation_metric": float(value or "nan"),
                    }  # fmt: skip
                except ValueError:
                    needed = f"score and validation/{metric}"
                    raise InputError(f"{path}, line {index + 2}: no number in {needed}.", "Mend or drop it.") from None
    if stray:
        notes.append(f"{stray} eval_measurements.csv stand in no study_N/WORKLOAD/trial_N and were skipped")
