"""Cards: the metadata of a benchmark or a contender, as written in TOML, checked field by field."""

from __future__ import annotations

import re
import tomllib
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from steelyard.core.errors import InputError
from steelyard.core.words import Direction, Kind, Metric

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
_CLAIMS = "\n[[claims]]"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Paper(_Strict):
    """Where the system was published, and under which terms its code stands."""

    title: str
    arxiv: str = ""
    year: int
    authors: str = ""
    venue: str = ""
    code: str = ""
    code_licence: str = ""


class MetricFacts(_Strict):
    """One metric of a benchmark; see core.words.Metric."""

    name: Name
    unit: str = "1"
    direction: Direction = Direction.HIGHER
    kind: Kind = Kind.REAL
    primary: bool = False
    help: str = ""

    def metric(self) -> Metric:
        return Metric(self.name, self.unit, self.direction, self.kind, self.primary, self.help)


class OptionFacts(_Strict):
    """One option. scope `contender`: a benchmark's option that is written on a generator (`smollm2[prompt=1shot]`).

    selects: the option only chooses among cases and changes no number, so it is no part of the benchmark's version.
    """

    name: str
    default: bool | int | float | str = ""
    values: list[bool | int | float | str] = []
    help: str = ""
    scope: Literal["benchmark", "contender"] = "benchmark"
    selects: bool = False


class Claim(_Strict):
    """A published statement made testable. docs/claims.md explains the grammar of each field.

    where: over case attributes. expect: over `contender`, `baseline`, `value`, `margin`, `rank`.
    benchmark: which benchmark measures it, when it is not the card's own. trials: repetitions, when not the card's own.
    unit: what is a sample, when it is not the cases: `trials` (seeds, on the cases that were asked for) or `draws`
        (trial 0 is the value, the others are its resamples).
    """

    id: Name
    says: str
    source: str
    metric: str
    statistic: Literal["ratio", "difference", "equivalence", "value", "order", "share"]
    over: Literal["mean", "median", "max", "min", "geomean"] = "mean"
    contender: str
    baseline: str = ""
    where: str = ""
    expect: str
    margin: float | None = None
    needs: list[str] = []
    scale: str
    check: str = ""
    benchmark: str = ""
    unit: Literal["", "cases", "trials", "draws"] = ""
    trials: int | None = None

    @model_validator(mode="after")
    def _scale_is_said(self) -> Claim:
        if self.scale.split(":")[0] not in ("as published", "scaled down", "out of reach"):
            raise ValueError("scale must begin with 'as published', 'scaled down: ' or 'out of reach: '")
        return self


class Card(_Strict):
    """The facts of one benchmark or contender.

    row: its number among the seventy systems, 0 when it is not one of them.
    entry: `module:attribute` that is imported when the thing is used, never before; none where interface is `imported`
        (such a card is kept in the pool beside the measurements that an importer brought).
    data: the name of the official data's folder or file, where it is not the benchmark's own name.
    contenders, baseline: what a benchmark weighs, and against what, when the user names nothing else.
    """

    name: Name
    kind: Literal["benchmark", "contender"]
    title: str
    summary: str
    version: str = "1"
    row: int = 0
    track: str = ""
    family: str = ""
    interface: Literal[
        "generator", "kernel", "engine", "cache", "transform", "learner", "estimator", "translator", "solver", "analysis",
        "model", "runtime", "imported",
    ]  # fmt: skip
    entry: Annotated[str, Field(pattern=r"^([\w.]+:\w+)?$")] = ""
    paper: Paper | None = None
    licence: str = "Apache-2.0"
    protocol: str = ""
    metrics: list[MetricFacts] = []
    options: list[OptionFacts] = []
    needs: list[str] = []
    data: str = ""
    contenders: list[str] = []
    baseline: str = ""
    timing: bool = False
    trials: int = 1
    deviations: list[str] = []
    claims: list[Claim] = []

    @model_validator(mode="after")
    def _kind_fits(self) -> Card:
        if self.kind == "benchmark" and not (self.track and self.metrics):
            raise ValueError("a benchmark's card needs track and at least one [[metrics]]")
        if self.kind == "contender" and not self.family:
            raise ValueError("a contender's card needs family")
        if (self.interface == "imported") == bool(self.entry):
            raise ValueError("a card needs entry, `module:attribute`, unless its interface is 'imported'")
        ids = [claim.id for claim in self.claims]
        if twice := {i for i in ids if ids.count(i) > 1}:
            raise ValueError(f"claim id {sorted(twice)[0]!r} stands twice")
        return self

    @cached_property
    def primary(self) -> Metric:
        """The metric shown first: the one marked primary, else the first."""
        return next((m for m in self.metrics if m.primary), self.metrics[0]).metric()

    @cached_property
    def metric(self) -> dict[str, Metric]:
        return {m.name: m.metric() for m in self.metrics}


def read_card(path: Path, *, claims: bool = True) -> Card:
    """Read and check one card. `claims=False` stops before the first [[claims]], which stand last: listing is fast.

    Raises InputError naming file, line and field.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}).", "A card is a UTF-8 TOML file.") from error
    if not claims:
        text = text.partition(_CLAIMS)[0] + "\n"
    try:
        return Card.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not valid TOML: {error}.") from error
    except ValidationError as error:
        raise _explain(path, text, error) from error


def _explain(path: Path, text: str, error: ValidationError) -> InputError:
    """One line for each fault: where it stands and what the field may be."""
    faults = error.errors()
    lines = []
    for fault in faults[:5]:
        loc = fault["loc"]
        field = ".".join(map(str, loc)) or "card"
        message = {
            "missing": "is missing",
            "extra_forbidden": "is not a field of a card",
        }.get(fault["type"], fault["msg"].removeprefix("Value error, "))
        lines.append(f"line {_line(text, loc)}, field {field!r}: {message}.")
    more = f" (and {len(faults) - 5} more)" if len(faults) > 5 else ""
    cure = "docs/cards.md lists the fields of a card."
    return InputError(f"{path}, {lines[0]}{more}", "\n".join([*lines[1:], cure]))


def _line(text: str, loc: tuple[Any, ...]) -> int:
    """The line a pydantic location stands on: the n-th [[table]], then the key in it."""
    lines = text.splitlines()
    at = 0
    for part, following in zip(loc, [*loc[1:], None], strict=True):
        if isinstance(part, int):
            continue
        if isinstance(following, int):
            heads = [i for i, line in enumerate(lines) if line.strip() == f"[[{part}]]"]
            at = heads[following] if following < len(heads) else at
        pattern = re.compile(rf"\s*(\[{re.escape(str(part))}\]|{re.escape(str(part))}\s*=)")
        at = next((i for i in range(at, len(lines)) if pattern.match(lines[i])), at)
    return at + 1
