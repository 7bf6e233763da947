"""What CoderEval's tasks of both languages share: their files, the recall of context, and what is recorded of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from steelyard.benchmarks.code.codereval.published import LEVELS
from steelyard.benchmarks.code.records import Record
from steelyard.core.errors import InputError
from steelyard.core.interfaces import Outcome
from steelyard.core.words import Status

FIELDS = ("_id", "name", "docstring", "human_label", "level", "oracle_context", "project", "file_path", "tests")
KINDS = ("apis", "classes", "vars")


def read(path: Path) -> list[Record]:
    """The records of {"RECORDS": [...]}, each with all fields and an _id of its own. Raises InputError naming record and field."""
    try:
        records = json.loads(path.read_text("utf-8"))["RECORDS"]
        if not isinstance(records, list) or not all(isinstance(r, dict) for r in records):
            raise TypeError("RECORDS is no list of objects")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: cannot be read ({error}).", 'It holds {"RECORDS": [...]}.') from error
    found: dict[Any, Record] = {}
    for at, fields in enumerate(records):
        record = Record(f"{path}, record {at}", fields)
        record.need(FIELDS)
        if fields["_id"] in found:
            raise InputError(f"{record.where}: _id {fields['_id']!r} stands twice.")
        found[fields["_id"]] = record
    return list(found.values())


def described(record: Record) -> dict[str, Any]:
    """level, descriptions, oracle and tests of a record. Raises InputError naming the field."""
    level = record.text("level")
    if level not in LEVELS:
        raise InputError(f"{record.where}: level is {level!r}.", f"Known: {', '.join(LEVELS)}.")
    tests, oracle = record.fields["tests"], record.fields["oracle_context"]
    if not isinstance(tests, list) or not tests:
        raise InputError(f"{record.where}: tests is no list of test ids.", "A task without tests has no verdict.")
    if not isinstance(oracle, dict) or not all(isinstance(oracle.get(k), list) for k in KINDS):
        raise InputError(f"{record.where}: oracle_context needs the lists {', '.join(KINDS)}.")
    descriptions = {"raw_docstring": record.text("docstring"), "human_label": record.text("human_label")}
    kinds = {kind: tuple(map(str, oracle[kind])) for kind in KINDS}
    return {"level": level, "descriptions": descriptions, "oracle": kinds, "tests": tuple(map(str, tests))}


def recall(oracle: Mapping[str, tuple[str, ...]], used: set[str]) -> dict[str, float]:
    """Of the names of its context that a reference uses, the share that is used: by kind, and of all together.

    Nothing where the reference uses none.
    """
    out = {f"recall_{kind}": sum(n in used for n in names) / len(names) for kind, names in oracle.items() if names}
    together = [name for names in oracle.values() for name in names]
    return out | ({"context_recall": sum(n in used for n in together) / len(together)} if together else {})


def about(task: Any, metrics: Mapping[str, float], passed: bool, error: str, artifacts: Mapping[str, str]) -> Outcome:
    """The outcome of one sample: the verdict, also by standalone or not, and whether it failed in spite of all names."""
    side = "standalone" if task.standalone else "non_standalone"
    out = {**metrics, "pass_at_1": float(passed), f"pass_at_1_{side}": float(passed)}
    if "context_recall" in metrics:
        out["knew_and_failed"] = float(metrics["context_recall"] == 1.0 and not passed)
    return Outcome(out, Status.OK, error, artifacts)
