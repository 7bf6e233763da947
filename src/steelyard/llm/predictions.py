"""Scores given outputs, without a model: lines of `id` and `solution` or `completion`, optional `trial`."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steelyard.core.errors import InputError, SteelyardError
from steelyard.core.interfaces import Outcome, join_outputs
from steelyard.core.words import Case, Status

ROUTES = {"solution": "chat", "completion": "completion", "output": ""}


@dataclass(frozen=True, slots=True)
class Prediction:
    """One given output. route: how it becomes a program (`chat`, `completion`), "" for the benchmark's default."""

    case: str
    trial: int
    output: str
    route: str

    @property
    def options(self) -> dict[str, str]:
        return {"route": self.route} if self.route else {}


def read_predictions(path: str | Path, skip_bad: Callable[[str], None] | None = None) -> list[Prediction]:
    """Read JSON lines (also gzipped). A bad line is an InputError naming file, line and field, or goes to `skip_bad`."""
    path = Path(path)
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError) as error:
        raise InputError(f"{path}: cannot be read ({error}).", "Give a .jsonl or .jsonl.gz file.") from error
    found: list[Prediction] = []
    seen: dict[tuple[str, int], int] = {}
    for number, line in enumerate(raw.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            prediction = _prediction(line)
            key = (prediction.case, prediction.trial)
            if key in seen:
                raise ValueError(f"id {prediction.case!r}, trial {prediction.trial} stands on line {seen[key]} too")
            seen[key] = number
            found.append(prediction)
        except (ValueError, UnicodeDecodeError) as error:
            message = f"{path}, line {number}: {error}."
            if skip_bad is None:
                cure = "Each line needs: id, and solution or completion (text); trial (a number) if there are several."
                raise InputError(message, f"{cure}\nMend the line or drop it with --skip-bad.") from error
            skip_bad(message)
    if not found:
        raise InputError(f"{path}: holds no predictions.", "One JSON object a line.")
    return found


def _prediction(line: bytes) -> Prediction:
    record = json.loads(line)
    if not isinstance(record, dict):
        raise ValueError("not a JSON object")
    name = next((k for k in ("id", "task_id", "case") if k in record), None)
    if name is None:
        raise ValueError('field "id" is missing')
    given = [k for k in ROUTES if k in record]
    if len(given) != 1:
        raise ValueError(
            'exactly one of "solution" and "completion" must be there, not ' + (" and ".join(given) or "none")
        )
    output = record[given[0]]
    if not isinstance(output, str):
        raise ValueError(f'field "{given[0]}" is not text')
    trial = record.get("trial", 0)
    if not isinstance(trial, int) or isinstance(trial, bool) or trial < 0:
        raise ValueError(f'field "trial" is {trial!r}, not a whole number')
    return Prediction(str(record[name]), trial, output, ROUTES[given[0]])


def match(cases: Sequence[Case], predictions: Sequence[Prediction], partial: bool) -> list[tuple[Case, Prediction]]:
    """Pair predictions with cases by id. Unknown ids, and missing ones unless `partial`, are an InputError naming them."""
    by_id = {case.id: case for case in cases}
    predictions = [*predictions, *_joint(cases, predictions)]
    strange = [p.case for p in predictions if p.case not in by_id]
    if strange:
        shown = ", ".join(map(repr, strange[:5])) + (" ..." if len(strange) > 5 else "")
        raise InputError(
            f"{len(strange)} predictions are for unknown cases: {shown}.", f"Ids look like {next(iter(by_id))!r}."
        )
    missing = sorted(set(by_id) - {p.case for p in predictions})
    if missing and not partial:
        shown = ", ".join(map(repr, missing[:5])) + (" ..." if len(missing) > 5 else "")
        raise InputError(
            f"{len(missing)} of {len(by_id)} cases have no prediction: {shown}.",
            "Add them, or score what is there with --partial.",
        )
    return [(by_id[p.case], p) for p in predictions]


def _joint(cases: Sequence[Case], predictions: Sequence[Prediction]) -> list[Prediction]:
    """For each case with parts and each trial: the joint output, where all of its parts have one."""
    given = {(p.case, p.trial): p.output for p in predictions}
    trials = sorted({p.trial for p in predictions})
    return [
        Prediction(case.id, trial, join_outputs({p.id: given[p.id, trial] for p in case.parts}), "")
        for case in cases
        for trial in trials
        if case.parts and all((p.id, trial) in given for p in case.parts)
    ]


def score(
    bench: Any, pairs: Sequence[tuple[Case, Prediction]], workers: int, told: Callable[[], None] | None = None
) -> list[dict[str, Any]]:
    """[{case, trial, status, error, metrics}] in the order given; `told` is called after each.

    A scorer that breaks on one output is that row's `failed`. Ctrl-C waits for the programs under way, no longer.
    """

    def one(pair: tuple[Case, Prediction]) -> dict[str, Any]:
        case, prediction = pair
        try:
            result = bench.score(case, prediction.output, **prediction.options)
        except SteelyardError:
            raise
        except Exception as error:
            result = Outcome({}, Status.FAILED, f"the scorer broke: {type(error).__name__}: {error}")
        outcome = result if isinstance(result, Outcome) else Outcome(dict(result))
        if told:
            told()
        return {"case": case.id, "trial": prediction.trial, "status": str(outcome.status), "error": outcome.error,
                "metrics": dict(outcome.metrics)}  # fmt: skip

    pool = ThreadPoolExecutor(workers)
    try:
        return list(pool.map(one, pairs))
    finally:
        pool.shutdown(cancel_futures=True)


def summary(rows: Sequence[Mapping[str, Any]], cases: Sequence[Case], kinds: Mapping[str, Any]) -> dict[str, Any]:
    """metric -> {value, low, high, n}: trials averaged within a case, groups kept together; what failed is left out."""
    import numpy as np

    from steelyard.core.words import Kind
    from steelyard.stats.estimates import estimate

    group = {case.id: case.group or case.id for case in cases}
    values: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        for metric, value in row["metrics"].items():
            values.setdefault(metric, {}).setdefault(row["case"], []).append(value)
    out = {}
    for metric, by_case in values.items():
        means = np.array([np.mean(v) for v in by_case.values()])
        kind = kinds.get(metric, Kind.REAL)
        if kind is Kind.BINARY and not np.isin(means, (0.0, 1.0)).all():
            kind = Kind.FRACTION
        e = estimate(means, kind, [group[c] for c in by_case])
        out[metric] = {"value": e.value, "low": e.low, "high": e.high, "n": e.n, "notes": e.notes}
    return out
