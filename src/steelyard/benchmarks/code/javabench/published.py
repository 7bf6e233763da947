"""The published outputs of models, and the published verdicts on them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from steelyard.benchmarks.code.javabench.verdicts import Board, Verdict, read_verdicts
from steelyard.benchmarks.code.records import read_records
from steelyard.core.errors import InputError

SETTING = "holistic-selective"  # of the outputs that were published
DIFFERENCES = ("as_published", "differs_in_completion", "differs_in_compilation", "differs_in_tests")


@lru_cache(maxsize=4)
def read_outputs(folder: Path) -> dict[str, dict[tuple[str, int], str]]:
    """Model -> (task id, sample) -> its answer, from samples_holistic-selective.jsonl(.gz); empty without such a file."""
    path = _file(folder, f"samples_{SETTING}.jsonl")
    found: dict[str, dict[tuple[str, int], str]] = {}
    for record in read_records(path, ("model", "sample", "task_id", "completion"), "") if path else []:
        outputs = found.setdefault(record.text("model"), {})
        key = (record.text("task_id"), int(record.fields["sample"]))
        if key in outputs:
            raise InputError(f"{record.where}: sample {key[1]} of {key[0]} stands twice.")
        outputs[key] = record.text("completion")
    return found


@lru_cache(maxsize=4)
def _board(folder: Path) -> Board:
    path = _file(folder, "scores.jsonl")
    return read_verdicts(path) if path else {}


def _file(folder: Path, name: str) -> Path | None:
    return next((p for p in (folder / f"{name}.gz", folder / name) if p.is_file()), None)


def verdict_of(folder: Path, model: str, granularity: str, case: str, sample: int) -> Verdict | None:
    """The published verdict on one sample; None where there is none."""
    samples = _board(folder).get((SETTING, model), {}).get(granularity, {}).get((case.partition("/")[0], case), [])
    return samples[sample] if sample < len(samples) else None


def agreement(here: Mapping[str, float], published: Verdict) -> dict[str, float]:
    """as_published, and the first thing in which a sample's metrics differ from the published verdict on it."""
    pairs = zip(("completion", "compilation", "pass_at_1"), DIFFERENCES[1:], strict=True)
    wrong = next((kind for name, kind in pairs if abs(here[name] - published.scores[name]) > 1e-9), "as_published")
    return {kind: float(kind == wrong) for kind in DIFFERENCES}
