"""What a user asks of an import, what a format found on disk, and what came of it."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from steelyard.core.words import Direction

if TYPE_CHECKING:
    from steelyard.pool.importers.staging import Staging


@dataclass(frozen=True)
class Asked:
    """The options of one import.

    benchmark, contender: names to use instead of the files' own. mapping: field of a measurement, or the name of a case
    attribute, -> column. directions: (pattern, direction) as declared by the user. cases: a table with one row a case,
    whose columns become case attributes. measured: the numbers were taken here, not published. artifacts: keep outputs.
    """

    benchmark: str = ""
    contender: str = ""
    mapping: Mapping[str, str] = field(default_factory=dict)
    directions: Sequence[tuple[str, Direction]] = ()
    cases: Path | None = None
    measured: bool = False
    artifacts: bool = True

    def direction(self, metric: str) -> Direction | None:
        """What the user declared of `metric`; the longest pattern that fits decides."""
        fits = [(len(pattern), way) for pattern, way in self.directions if fnmatch.fnmatchcase(metric, pattern)]
        return max(fits, key=lambda fit: fit[0])[1] if fits else None


@dataclass(frozen=True)
class Source:
    """Files that are imported together. name: the file or folder they are called by. files: all that is read."""

    format: str
    name: Path
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Row:
    """One number as a format gives it; named like the columns of the pool. value: a number, a truth value or text."""

    benchmark: str
    case: str
    contender: str
    metric: str
    value: Any
    benchmark_version: str = "imported"
    trial: int = 0
    seed: int = 0
    status: str = "ok"
    error: str = ""
    duration_s: float | None = None
    started_at: float | None = None
    case_attributes: Mapping[str, Any] = field(default_factory=dict)
    case_group: str = ""
    contender_config: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, str] = field(default_factory=dict)


class Format(Protocol):
    """One file format. METRICS: pattern -> (direction, unit) of the metrics it names itself."""

    NAME: str
    SAYS: str
    METRICS: Mapping[str, tuple[Direction, str]]

    def together(self, root: Path, files: Sequence[Path]) -> Iterator[Source]:
        """Those of `files`, all below the folder `root`, that only make sense together."""
        ...

    def recognises(self, path: Path, head: str) -> bool:
        """Whether a single file, that begins with `head`, is of this format."""
        ...

    def read(self, source: Source, asked: Asked, into: Staging) -> None:
        """Put everything into `into`. Raises InputError for a file that is not what it seems."""
        ...


@dataclass
class Told:
    """What became of one source: every row that was read is added, merged, or dropped with its reason.

    mapped: field -> where it came from. metrics: {benchmark, metric, column, unit, direction, kind, known} each.
    merged: repeats of a number that stands earlier in the same file. conflicts: repeats with another value, of which
    the first is kept. known: everything is in the pool already.
    """

    source: str
    format: str
    read: int = 0
    added: int = 0
    merged: int = 0
    conflicts: int = 0
    known: bool = False
    benchmarks: list[dict[str, Any]] = field(default_factory=list)
    mapped: dict[str, str] = field(default_factory=dict)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def drop(self, reason: str, count: int = 1, example: str = "") -> None:
        """Count `count` rows as dropped for `reason`; the first three examples are kept."""
        if count:
            self.dropped[reason] = self.dropped.get(reason, 0) + count
            if example and sum(e.startswith(reason) for e in self.examples) < 3:
                self.examples.append(f"{reason}: {example}")
