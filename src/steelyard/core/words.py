"""The words of the design as small frozen types: metric, case, measurement."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
GATES = ("gold", "empty")  # contenders that try the cases themselves, and are not to be ranked


class Direction(StrEnum):
    HIGHER = "higher"
    LOWER = "lower"
    NONE = "none"  # a fact, not a virtue: never ranked


class Kind(StrEnum):
    """What a metric's values are, which decides the statistics they get."""

    BINARY = "binary"
    FRACTION = "fraction"
    REAL = "real"
    COUNT = "count"
    DURATION = "duration"
    RATE = "rate"


class Status(StrEnum):
    OK = "ok"
    FAILED = "failed"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    UNSUPPORTED = "unsupported"


class Provenance(StrEnum):
    MEASURED = "measured"
    PUBLISHED = "published"
    SIMULATED = "simulated"


@dataclass(frozen=True, slots=True)
class Metric:
    """One quantity a benchmark reports.

    unit: SI symbol or noun ("s", "B", "token", "1" for a pure number).
    primary: the metric that tables and rankings show first.
    """

    name: str
    unit: str = "1"
    direction: Direction = Direction.HIGHER
    kind: Kind = Kind.REAL
    primary: bool = False
    help: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """One unit of evaluation.

    id: stable and unique within a benchmark.
    payload: whatever the benchmark needs to measure or to prompt and score.
    attributes: JSON scalars one can filter by (`--where`).
    group: what the case shares with others (template, document, family); intervals resample groups.
    parts: of a benchmark of text: cases whose outputs, of the same contender and trial, are together the output that is
        scored here (interfaces.join_outputs). Nobody is asked for it a second time.
    """

    id: str
    payload: Any = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    group: str = ""
    parts: tuple[Case, ...] = ()


@dataclass(frozen=True, slots=True)
class Measurement:
    """One number, or the failure that stands where it would be: one row of the pool.

    value is NaN exactly when status is not `ok`; `error` then says why.
    case_attributes, contender_config and artifacts are JSON objects; artifacts maps a role (prompt, output, program,
    log) to the content hash of a blob kept beside the table.
    duration_s: wall time spent on the cell (seconds). started_at: seconds since the epoch (UTC).
    """

    benchmark: str
    benchmark_version: str
    case: str
    contender: str
    metric: str
    value: float
    unit: str = "1"
    trial: int = 0
    seed: int = 0
    status: Status = Status.OK
    error: str = ""
    duration_s: float = math.nan
    case_attributes: str = "{}"
    case_group: str = ""
    contender_config: str = "{}"
    provenance: Provenance = Provenance.MEASURED
    run: str = ""
    started_at: float = 0.0
    machine: str = ""
    code_version: str = ""
    artifacts: str = "{}"
