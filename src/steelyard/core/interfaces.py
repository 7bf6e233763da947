"""What contenders offer and what benchmarks are: the contracts at which the two meet."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from steelyard.core.spec import Value
from steelyard.core.words import Case, Provenance, Status

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one cell gave.

    metrics: metric name -> value. status and error: why values are missing or worthless, when they are.
    artifacts: role -> text the numbers were taken from (prompt, output, program, log).
    provenance: PUBLISHED where the values are what others printed, not what was measured here.
    """

    metrics: Mapping[str, float]
    status: Status = Status.OK
    error: str = ""
    artifacts: Mapping[str, str] = field(default_factory=dict)
    provenance: Provenance = Provenance.MEASURED


Result = Mapping[str, float] | Outcome


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a prompt; role is `system`, `user` or `assistant` (a last assistant turn is a prefix to continue)."""

    role: str
    content: str


@runtime_checkable
class Kernel(Protocol):
    """A row-wise array operation: reads float32 `x` (N,) or (B, N), writes `out` of the same shape."""

    def __call__(self, x: np.ndarray, out: np.ndarray) -> None: ...


@runtime_checkable
class Generator(Protocol):
    """Text for a case, without a language model: references, trivial answers, replayed outputs."""

    def answer(self, case: Case, trial: int) -> str: ...


@runtime_checkable
class Neighbours(Protocol):
    """A case's payload that knows what stands near it: what a contender without a model may look at and copy."""

    def query(self) -> str:
        """The case in words: a signature, a requirement, a question."""
        ...

    def neighbours(self) -> Sequence[tuple[str, str]]:
        """(the same kind of words, an output) of others near it, never of the case itself."""
        ...


@runtime_checkable
class Analysis(Protocol):
    """A procedure over tables of numbers that others measured: an aggregation, an agreement test, a rating, a score.

    The benchmark that asks for it says what it hands over and what it wants back.
    """

    def __call__(self, data: Any) -> Any: ...


@runtime_checkable
class Engine(Protocol):
    """Serves a job of language-model requests on a machine and says what it gave and took.

    `steelyard.lab.serving` has jobs, machines (a real model, a clock) and most of what a scheduler needs.
    """

    def serve(self, job: Any, machine: Any) -> Any: ...


@runtime_checkable
class Runtime(Protocol):
    """A way to train and to run a language model, opened in each of `ranks` new processes and stepped there.

    `steelyard.lab.runtime` has the works, the places, and what most runtimes give back.
    """

    @property
    def ranks(self) -> int: ...

    def open(self, work: Any, place: Any) -> Any: ...


@runtime_checkable
class Learner(Protocol):
    """Learns from what it is given, within a budget that is the same for all, and gives back what is then measured.

    The benchmark says what `given` and `training` are (a base model; data, budget, seed) and what it wants back. Every
    cache method is a learner too (`steelyard.lab.CachePolicy.fit`): most have nothing to learn.
    """

    def fit(self, given: Any, training: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class Replay:
    """`replay:NAME`: what was published under this name in the benchmark's data, scored again beside what runs here.

    A benchmark that measures finds the record itself, in the case's payload or its data. One of text has
    `replay(name, case, trial)`: the published output, to be scored, or an Outcome where only values were published.
    options: what is written behind the name (`replay:NAME[context=full]`), of those that the card lets contenders have;
    `replay` and `score` get them.
    """

    name: str
    options: Mapping[str, Value] = field(default_factory=dict, hash=False)

    def score_options(self, case: Case, trial: int) -> Mapping[str, Value]:
        return self.options


@dataclass(frozen=True, slots=True)
class Built:
    """What `build` of a benchmark made: new cases from real sources.

    folder: where the data are, to be given to `--data`. cases: how many. dropped: (what, why) of all that became no case.
    facts: what a reader must know of them (period, sources with their sha256, who wrote the texts), as JSON.
    """

    folder: Path
    cases: int
    dropped: Sequence[tuple[str, str]] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


def join_outputs(outputs: Mapping[str, str]) -> str:
    """The output of a case that has parts: case id -> output, as JSON."""
    return json.dumps(dict(outputs), ensure_ascii=False)


def split_outputs(output: str) -> dict[str, str]:
    """Case id -> output of a joint output; empty where it is none."""
    try:
        found = json.loads(output)
    except ValueError:
        return {}
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


class Benchmark(Protocol):
    """Cases and how they are measured. Options of the benchmark are keyword arguments of its constructor."""

    def cases(self, data: str | None) -> Iterable[Case]:
        """The cases, from `data` (a path or hub name) or, when None, from the benchmark's own small data."""
        ...


class Measuring(Benchmark, Protocol):
    """A benchmark that measures its contenders itself."""

    def measure(self, contender: Any, case: Case, trial: int) -> Result: ...


class Prompting(Benchmark, Protocol):
    """A benchmark of text: what to ask, and what the answer is worth. `score` needs no model."""

    def prompt(self, case: Case, **options: Any) -> list[Message]: ...

    def score(self, case: Case, output: str, **options: Any) -> Result: ...
