"""Plans the grid: which cells there are, which the pool already has, and in which order the rest is measured."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from steelyard import catalog
from steelyard.core.card import Card
from steelyard.core.contender import code_version, config_of, source_hash
from steelyard.core.errors import InputError, not_installed, unknown
from steelyard.core.spec import Spec, parse_spec, print_value
from steelyard.core.words import GATES, Case

Key = tuple[str, str, str, str, str, int, str]
_DATA = re.compile(r"[\[,]data=[^\[\],]+\]$")


@dataclass(frozen=True)
class Weighed:
    """One contender as this benchmark will see it.

    maker: `card` (from the catalog or the user's file), `model` (through Inspect), or `object` (handed over in Python).
    config: the JSON of the options it runs with. source: hash of the code or checkpoint behind it, and of whatever
        else the contender says its numbers come from (`depends_on`: modules, classes, functions, texts).
    """

    spec: Spec
    maker: str
    config: str
    source: str
    thing: Any = None

    @property
    def name(self) -> str:
        return str(self.spec)


@dataclass(frozen=True, slots=True)
class Cell:
    """One measurement to take: a case, a contender (by name) and a trial. output: where it is known already."""

    case: Case
    contender: str
    trial: int
    output: str | None = None


@dataclass
class Plan:
    """A benchmark, what is weighed on it, and the cells.

    cells: still to be measured, in order. done: how many of the grid the pool has already.
    notes: what the benchmark has to say about its data (`notes`, where it has any): what was skipped, and why.
    """

    card: Card
    spec: Spec
    version: str
    data: str | None
    cases: list[Case]
    contenders: dict[str, Weighed]
    trials: int
    cells: list[Cell] = field(default_factory=list)
    done: int = 0
    notes: list[str] = field(default_factory=list)

    def key(self, cell: Cell) -> Key:
        """What makes two measurements the same one, so that neither is taken twice."""
        who = self.contenders[cell.contender]
        return (self.card.name, self.version, cell.case.id, who.name, who.config, cell.trial, self.code_version(who))

    def code_version(self, who: Weighed) -> str:
        return code_version(self.card.name, self.version, who.spec, who.source)


def load_benchmark(spec: Spec) -> tuple[Card, Any]:
    """The card and an instance of the benchmark a spec names.

    InputError names a wrong option and the right ones, MissingError a library among the card's needs that is not installed.
    """
    entry = catalog.benchmark(spec.name)
    known = {o.name for o in entry.card.options if o.scope == "benchmark"}
    others = {o.name for o in entry.card.options} - known
    for option, value in spec.options.items():
        if option in others:
            cure = f'--with "smollm2[{option}={print_value(value)}]"'
            raise InputError(f"option {option!r} of {spec.name} is one of its contenders.", f"Write it there: {cure}.")
        if option not in known:
            raise unknown("option", option, known, where=spec.name)
    for name in entry.card.needs:
        if name.isidentifier() and importlib.util.find_spec(name) is None:  # else it would be missed at its first use
            raise not_installed(spec.name, name)
    try:
        return entry.card, entry.load()(**spec.options)
    except TypeError as error:
        raise InputError(f"{spec}: {error}.", f"`steelyard show {spec.name}` lists its options.") from error


def version_of(card: Card, spec: Spec, data: str | None) -> str:
    """The benchmark's version with whatever else shapes its numbers: options that are not defaults, and the data."""
    defaults = {o.name: o.default for o in card.options}
    selects = {o.name for o in card.options if o.selects}
    extra = [f"{k}={print_value(v)}" for k, v in spec.options.items() if k not in selects and v != defaults.get(k)]
    if data is not None:
        extra.append(f"data={data_name(data)}")
    return card.version + (f"[{','.join(extra)}]" if extra else "")


def without_data(version: str) -> str:
    """A version as `version_of` gives it, less the name of the data it was measured on."""
    return _DATA.sub(lambda found: "]" if found[0][0] == "," else "", version)


def data_name(data: str) -> str:
    """`file-name@hash` of a file or folder of data; a hub name as it is."""
    path = Path(data)
    if not path.exists():
        return data
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file() and "__pycache__" not in file.parts:
            digest.update(file.name.encode() + file.read_bytes())
    return f"{path.name}@{digest.hexdigest()[:8]}"


def weighed(given: str | Spec, card: Card, bench: Any) -> Weighed:
    """Resolve one contender of a benchmark. A generator that is no card of ours is a model for Inspect."""
    spec = parse_spec(given) if isinstance(given, str) else given
    entry = catalog.entries().get(spec.name)
    is_ours = entry is not None and entry.kind == "contender" and entry.interface != "model"
    if card.interface == "generator" and (
        spec.solvers or not (is_ours or spec.name.startswith("replay:") or ".py:" in spec.name)
    ):
        from steelyard import llm

        source, config = llm.identity(spec, card, bench)
        return Weighed(spec, "model", _json(config), source)
    if card.interface == "generator" and spec.name.startswith("replay:"):
        _check_replay(spec, card)
    thing = catalog.make_contender(spec, card.interface)
    return Weighed(spec, "card", _json(config_of(thing)), source_hash(thing, *getattr(thing, "depends_on", ())))


def _check_replay(spec: Spec, card: Card) -> None:
    """InputError for an option of a replay that the card does not let contenders have, or a value it cannot take."""
    known = {o.name: o for o in card.options if o.scope == "contender"}
    for option, value in spec.options.items():
        if option not in known:
            raise unknown("option", option, known, where=str(spec))
        if known[option].values and value not in known[option].values:
            raise InputError(
                f"{spec}: {option} is {value!r}.", f"It may be {', '.join(map(str, known[option].values))}."
            )


def own(name: str, thing: Any) -> Weighed:
    """A contender handed over as a Python object; it can be run in this process only."""
    return Weighed(Spec(name), "object", _json(config_of(thing)), source_hash(thing), thing)


def select(
    cases: Iterable[Case], where: Callable[[Mapping[str, Any]], bool] | None = None, limit: int | None = None
) -> list[Case]:
    """The cases kept by `where` (over id and attributes), the first `limit` of them. Repeated ids are refused."""
    kept: list[Case] = []
    seen: set[str] = set()
    for case in cases:
        if case.id in seen:
            raise InputError(f"case id {case.id!r} stands twice in the data.", "Every case needs an id of its own.")
        seen.add(case.id)
        if where is None or where({"case": case.id, "id": case.id, **case.attributes}):
            kept.append(case)
            if limit is not None and len(kept) >= limit:
                break
    if not kept:
        raise InputError("no case is left to measure.", "Loosen --where, raise --limit or look at the data.")
    return kept


def order(plan: Plan, who: Sequence[str], cases: Iterable[Case]) -> Iterator[Cell]:
    """Every cell of `who` on `cases`, those of one comparison side by side in time, so that drift hits all alike.

    Timings finish one case before the next (buffers are large) and start each round with another contender.
    """
    if plan.card.timing:
        for case in cases:
            for trial in range(plan.trials):
                shift = trial % len(who)
                for name in [*who[shift:], *who[:shift]]:
                    yield Cell(case, name, trial)
    else:
        cases = list(cases)
        for trial in range(plan.trials):
            for case in cases:
                for name in who:
                    yield Cell(case, name, trial)


def make_plan(
    benchmark: str | Spec,
    contenders: Sequence[str | Spec | Weighed] = (),
    *,
    data: str | None = None,
    where: Callable[[Mapping[str, Any]], bool] | None = None,
    limit: int | None = None,
    trials: int | None = None,
) -> tuple[Plan, Any]:
    """The plan and the benchmark's instance. Contenders default to those that the data bring (`contenders_in(data)` of
    the benchmark, where it has that), else to the card's own list."""
    spec = parse_spec(benchmark) if isinstance(benchmark, str) else benchmark
    card, bench = load_benchmark(spec)
    given = list(contenders) or getattr(bench, "contenders_in", lambda _: list(card.contenders))(data)
    if not given:
        raise InputError(f"{card.name} names no contenders of its own.", "Say whom to weigh: --with NAME.")
    if card.interface == "generator" and hasattr(bench, "reference"):
        given = [*(g for g in GATES if g not in map(str, given)), *given]
    resolved = [g if isinstance(g, Weighed) else weighed(g, card, bench) for g in given]
    plan = Plan(
        card=card,
        spec=spec,
        version=version_of(card, spec, data),
        data=data,
        cases=select(bench.cases(data), where, limit),
        contenders={w.name: w for w in resolved},
        trials=trials if trials is not None else card.trials,
    )
    plan.notes = list(getattr(bench, "notes", []))
    return plan, bench


def _json(config: Mapping[str, Any]) -> str:
    return json.dumps(config, sort_keys=True, default=str)
