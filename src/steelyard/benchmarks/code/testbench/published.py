"""Released answers of models and the released verdicts on them, joined to the methods."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from steelyard.benchmarks.code.records import Record, read_records
from steelyard.benchmarks.code.testbench.methods import Method
from steelyard.core.errors import InputError

CONTEXTS = {"only": "SourceCodeOnly", "full": "SourceCode&Full", "simple": "SourceCode&Simple"}
STAGES = ("Syntax Error", "Compile Error", "Test Error", "Accept")
# the word for a model in the released files -> its name here
MODELS = {"gpt4": "gpt-4", "codellama": "codellama-13b"}
ANSWERS = ("model", "project", "case", "context", "class_name", "method_name", "generate_test")
STATUSES = ("model", "repair", "project", "class_name", "method_name", "context", "status")

Key = tuple[str, str]  # a context and the id of a method


@dataclass
class Released:
    """What was released of one model. answers: key -> its answers after extraction. before, after: key -> a stage of each,
    before and after the repair.
    """

    answers: dict[Key, Sequence[str]] = field(default_factory=dict)
    before: dict[Key, Sequence[str]] = field(default_factory=dict)
    after: dict[Key, Sequence[str]] = field(default_factory=dict)


def read_released(folder: Path, methods: Sequence[Method]) -> tuple[dict[str, Released], list[str]]:
    """Model -> what the files `generated_*.jsonl` and `status_*.jsonl` (gzipped or not) of a folder hold, and notes on what
    was joined by another rule than project, class and method.

    Overloads share those three. The numbers in `case` order their answers. Verdicts of overloads stand in the reverse
    order of the methods: the released accepted tests, which can be matched to answers by their text, say so. A class that
    the methods do not have is joined by project and method where there is one such method.

    Raises InputError naming line and field.
    """
    found: dict[str, Released] = defaultdict(Released)
    notes: dict[str, None] = {}
    seen: dict[tuple[str, ...], int] = defaultdict(int)
    for record in sorted(_records(folder, "generated_*.jsonl*", ANSWERS), key=_number):
        candidates, note = _candidates(record, methods)
        notes |= {note: None} if note else {}
        context, model = _context(record), _model(record)
        turn = (model, context, record.text("project"), *_names(record))
        if seen[turn] >= len(candidates):
            raise InputError(f"{record.where}: more answers for {'.'.join(_names(record))} than methods of that name.")
        found[model].answers[context, candidates[seen[turn]].id] = _texts(record, "generate_test")
        seen[turn] += 1
    for record in _records(folder, "status_*.jsonl*", STATUSES):
        candidates, note = _candidates(record, methods)
        notes |= {note: None} if note else {}
        repair = record.text("repair")
        if repair not in ("before", "after"):
            raise InputError(f"{record.where}: repair is {repair!r}.", "Known: before, after.")
        context, model = _context(record), _model(record)
        turn = (model, repair, context, record.text("project"), *_names(record))
        if seen[turn] >= len(candidates):
            raise InputError(f"{record.where}: more verdicts of {'.'.join(_names(record))} than methods of that name.")
        method = candidates[-1 - seen[turn]]
        seen[turn] += 1
        stages = _texts(record, "status")
        if odd := sorted(set(stages) - set(STAGES)):
            raise InputError(f"{record.where}: status is {odd[0]!r}.", f"Known: {', '.join(STAGES)}.")
        getattr(found[model], repair)[context, method.id] = stages
    return dict(found), list(notes)


def _number(record: Record) -> int:
    """Of a method within its project."""
    number = record.text("case").rpartition("_")[2]
    if not number.isdigit():
        raise InputError(f"{record.where}: case {record.fields['case']!r} does not end in a number.")
    return int(number)


def _candidates(record: Record, methods: Sequence[Method]) -> tuple[list[Method], str]:
    project, (owner, name) = record.text("project"), _names(record)
    named = [m for m in methods if (m.project, m.name) == (project, name)]
    exact = [m for m in named if m.class_name == owner]
    if exact:
        return exact, ""
    if len(named) == 1:
        other = f"{project}/{named[0].class_name}.{name}"
        return named, f"records of {owner}.{name} are for {other}, the only method of that name"
    raise InputError(f"{record.where}: {project} has no method {owner}.{name}.")


def _records(folder: Path, pattern: str, fields: Sequence[str]) -> Iterator[Record]:
    for path in sorted(folder.glob(pattern)):
        yield from read_records(path, fields, key="")


def _names(record: Record) -> tuple[str, str]:
    return record.text("class_name"), record.text("method_name")


def _model(record: Record) -> str:
    name = record.text("model")
    return MODELS.get(name, name)


def _context(record: Record) -> str:
    by_label: Mapping[str, str] = {label: name for name, label in CONTEXTS.items()}
    label = record.text("context")
    if label not in by_label:
        raise InputError(f"{record.where}: context is {label!r}.", f"Known: {', '.join(by_label)}.")
    return by_label[label]


def _texts(record: Record, name: str) -> list[str]:
    values = record.fields[name]
    if not isinstance(values, list) or not all(isinstance(v, str) for v in values):
        raise InputError(f"{record.where}: {name} is no list of texts.", "One for each answer.")
    return values
