"""Logs of Inspect (`.eval`, `.json`): every score of every sample and epoch; a sample that broke is a failure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from steelyard.core.errors import InputError
from steelyard.core.spec import Spec, print_value
from steelyard.core.words import Direction
from steelyard.pool.importers.asked import Asked, Row, Source
from steelyard.pool.importers.jsonlines import items
from steelyard.pool.importers.metrics import HIGHER, LOWER
from steelyard.pool.importers.staging import Staging, scalars

LETTERS = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}  # inspect_ai.scorer: correct, incorrect, partial, no answer
SAMPLING = ("temperature", "top_p", "top_k", "max_tokens", "seed", "frequency_penalty", "presence_penalty", "num_choices",
            "reasoning_effort", "reasoning_tokens")  # fmt: skip


class InspectLogs:
    NAME = "inspect"
    SAYS = "Inspect log"
    METRICS: Mapping[str, tuple[Direction, str]] = {
        **dict.fromkeys(("match", "includes", "exact", "f1", "pattern", "answer", "choice", "math", "accuracy",
                         "model_graded_qa", "model_graded_fact", "verify"), (HIGHER, "1")),
        "input_tokens": (LOWER, "token"),
        "output_tokens": (LOWER, "token"),
    }  # fmt: skip

    def together(self, root: Path, files: Sequence[Path]) -> Iterator[Source]:
        return iter(())

    def recognises(self, path: Path, head: str) -> bool:
        return path.suffix == ".eval" or (
            path.suffix == ".json" and '"eval_id"' in head and re.match(r'\s*{\s*"version"', head) is not None
        )

    def read(self, source: Source, asked: Asked, into: Staging) -> None:
        [path] = source.files
        header, samples = _zipped(path) if path.suffix == ".eval" else _json(path)
        spec, plan = header.get("eval") or {}, header.get("plan") or {}
        if not spec.get("task") or not spec.get("model"):
            raise InputError(f"{path}: is no Inspect log: it names no task and no model.")
        config = {**(plan.get("config") or {}), **(spec.get("model_generate_config") or {})}
        options = {k: v for k, v in config.items() if k in SAMPLING and isinstance(v, int | float | str)}
        solvers = tuple(Spec(s, scalars(spec.get("solver_args_passed"))) for s in [spec.get("solver")] if s)
        arguments = ",".join(f"{k}={print_value(v)}" for k, v in sorted(scalars(spec.get("task_args_passed")).items()))
        about = {
            "benchmark": asked.benchmark or spec["task"].rsplit("/", 1)[-1],
            "benchmark_version": f"inspect-{spec.get('task_version', 0)}" + (f"[{arguments}]" if arguments else ""),
            "contender": asked.contender or str(Spec(spec["model"], options, solvers)),
            "contender_config": options,
        }
        into.told.mapped = {
            "benchmark": f"task {spec['task']}", "contender": "model, sampling options, solver", "case": "sample id",
            "trial": "epoch", "metric": "scorer", "attribute text": "input", "attribute target": "target",
            "attributes": "metadata",
        }  # fmt: skip
        if header.get("status") != "success":
            into.told.notes.append(f"the log's own status is {header.get('status')!r}: samples may be missing")
        created = _seconds(spec.get("created"))
        main = next((s["name"] for s in spec.get("scorers") or []), "score")
        into.add(row for sample in samples for row in _rows(sample, about, created, main, into))
        count = len((spec.get("dataset") or {}).get("sample_ids") or ()) * (
            (spec.get("config") or {}).get("epochs") or 1
        )
        (here,) = into.rows('SELECT count(*) FROM (SELECT DISTINCT "case", trial FROM staged)')[0]
        if count > here:
            into.told.notes.append(f"{count - here} of {count} samples are not in the log")


def _rows(
    sample: Mapping[str, Any], about: Mapping[str, Any], created: float, main: str, into: Staging
) -> Iterator[Row]:
    target = sample.get("target")
    attributes = {"text": _text(sample), **({"target": target} if isinstance(target, str) else {})}
    output = sample.get("output") or {}
    shared = {
        **about,
        "case": str(sample.get("id")),
        "trial": int(sample.get("epoch", 1)) - 1,
        "started_at": _seconds(sample.get("started_at")) or created,
        "duration_s": sample.get("total_time"),
        "case_attributes": attributes | scalars(sample.get("metadata")),
        "artifacts": into.keep(output=_completion(output)),
    }
    if error := sample.get("error"):
        message = str(error.get("message", error) if isinstance(error, Mapping) else error)
        yield Row(**shared, metric=main, value=None, status="failed", error=message[:2000])
    for scorer, score in (sample.get("scores") or {}).items():
        value = score.get("value") if isinstance(score, Mapping) else score
        parts = {f"{scorer}.{k}": v for k, v in value.items()} if isinstance(value, Mapping) else {scorer: value}
        for metric, one in parts.items():
            if error and metric == main:
                continue
            if one in LETTERS and isinstance(one, str):
                into.directions[metric] = Direction.HIGHER
                one = LETTERS[one]
            yield Row(**shared, metric=metric, value=one)
    usage = output.get("usage") or {}
    for metric in ("input_tokens", "output_tokens"):
        if isinstance(usage.get(metric), int):
            yield Row(**shared, metric=metric, value=usage[metric])


def _text(sample: Mapping[str, Any]) -> str:
    """The question: the input, of a conversation its last turn of the user."""
    given = sample.get("input")
    if isinstance(given, list):
        turns = [m.get("content") for m in given if m.get("role") == "user"] or [None]
        content = turns[-1]
        given = content if isinstance(content, str) else " ".join(
            str(part.get("text", "")) for part in content or () if isinstance(part, Mapping)
        )  # fmt: skip
    found = str(given or "")
    return str((sample.get("attachments") or {}).get(found.removeprefix("attachment://"), found))


def _completion(output: Mapping[str, Any]) -> str:
    if isinstance(output.get("completion"), str):
        return str(output["completion"])
    content = next((c["message"].get("content") for c in output.get("choices") or ()), "")
    return content if isinstance(content, str) else "".join(str(p.get("text", "")) for p in content or ())


def _zipped(path: Path) -> tuple[Mapping[str, Any], Iterator[Mapping[str, Any]]]:
    """(header, samples) of a `.eval` file by Inspect's own reader: its packing changes with its versions."""
    from inspect_ai.log import read_eval_log, read_eval_log_samples

    try:
        header = read_eval_log(str(path), header_only=True).model_dump(exclude_none=True)
        found = read_eval_log_samples(
            str(path), all_samples_required=False, exclude_fields={"events", "store", "messages"}
        )
    except Exception as error:
        raise InputError(f"{path}: Inspect cannot read it ({type(error).__name__}: {error}).") from error
    return header, (sample.model_dump(exclude_none=True) for sample in found)


def _json(path: Path) -> tuple[Mapping[str, Any], Iterator[Mapping[str, Any]]]:
    header = {}
    for key in ("eval", "plan", "status"):
        header[key] = next(items(path, key), None)
    return header, items(path, "samples.item")


def _seconds(text: Any) -> float:
    if isinstance(text, datetime):
        return text.timestamp()
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return 0.0
