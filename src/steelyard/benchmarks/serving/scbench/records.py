"""What a session is: one context and several questions about it; and how the official files say it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steelyard.core.errors import InputError


@dataclass(frozen=True)
class Task:
    """paper: its name there. ability: the group it is reported in. most: new tokens of an answer."""

    paper: str
    ability: str
    most: int
    second: str = ""  # of a task that alternates: the task of its other turns
    second_most: int = 0


TASKS = {
    "scbench_kv": Task("Retr.KV", "string retrieval", 150),
    "scbench_prefix_suffix": Task("Retr.Prefix-Suffix", "string retrieval", 150),
    "scbench_vt": Task("Retr.MultiHop", "string retrieval", 30),
    "scbench_repoqa": Task("Code.RepoQA", "semantic retrieval", 1024),
    "scbench_qa_eng": Task("En.QA", "semantic retrieval", 40),
    "scbench_qa_chn": Task("Zh.QA", "semantic retrieval", 40),
    "scbench_choice_eng": Task("En.MultiChoice", "semantic retrieval", 40),
    "scbench_mf": Task("Math.Find", "global information", 5),
    "scbench_many_shot": Task("ICL.ManyShot", "global information", 10),
    "scbench_summary": Task("En.Sum", "global information", 200),
    "scbench_summary_with_needles": Task("Mix.Sum+NIAH", "multi-tasking", 800, "scbench_passkey", 15),
    "scbench_repoqa_and_kv": Task("Mix.RepoQA+KV", "multi-tasking", 1024, "scbench_kv", 80),
}
MODES = ("multi-turn", "multi-request")
Answer = str | int | float | list[str]


@dataclass(frozen=True)
class Turn:
    """task: how it is scored. name: the function asked for (RepoQA). options: of a choice. depth: where the answer
    stands in the context, in [0, 1), -1 where it stands nowhere or everywhere."""

    input: str
    answer: Answer
    task: str
    name: str = ""
    options: tuple[str, ...] = ()
    depth: float = -1.0


@dataclass(frozen=True)
class Record:
    """lang: of its functions. needles: name -> source of every function that an answer may be taken for."""

    id: str
    task: str
    context: str
    turns: tuple[Turn, ...]
    lang: str = "python"
    needles: tuple[tuple[str, str], ...] = ()


def read(data: str) -> tuple[list[Record], list[str]]:
    """Official records from a folder of `scbench_TASK.jsonl` or one such file, and notes on what is odd in them.

    Raises InputError naming file, line and field.
    """
    place = Path(data)
    files = sorted(place.glob("scbench_*.jsonl")) if place.is_dir() else [place]
    if not files or not all(f.is_file() for f in files):
        raise InputError(f"{data}: there is no scbench_TASK.jsonl.", f"Known tasks: {', '.join(TASKS)}.")
    records, notes = [], []
    for file in files:
        if file.stem not in TASKS:
            raise InputError(f"{file}: {file.stem!r} is no task.", f"Known: {', '.join(TASKS)}.")
        found = [_record(raw, file.stem, f"{file.name}, line {n}") for n, raw in _lines(file)]
        counts = {len(r.turns) for r in found}
        if len(counts) > 1:
            notes.append(f"{file.name}: records have {min(counts)} to {max(counts)} turns")
        records += _with_needles(found) if "repoqa" in file.stem else found
    return records, notes


def _lines(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip():
            try:
                raw = json.loads(line)
            except json.JSONDecodeError as error:
                raise InputError(f"{file.name}, line {number}: not JSON ({error}).") from error
            if not isinstance(raw, dict):
                raise InputError(f"{file.name}, line {number}: a record is an object, not {type(raw).__name__}.")
            yield number, raw


def _record(raw: dict[str, Any], task: str, where: str) -> Record:
    for field in ("id", "context", "multi_turns"):
        if field not in raw:
            raise InputError(f"{where}: field {field!r} is missing.", "A record has id, context, multi_turns.")
    context = raw["context"]
    text = context if isinstance(context, str) else ", ".join(map(str, context))
    turns = []
    for index, turn in enumerate(raw["multi_turns"]):
        at = f"{where}, turn {index + 1}"
        if not {"input", "answer"} <= set(turn):
            raise InputError(f"{at}: field 'input' or 'answer' is missing.", "A turn has both.")
        answer, options = turn["answer"], tuple(turn.get("options", ()))
        if answer in ("", []) or not isinstance(answer, str | int | float | list):
            raise InputError(f"{at}: field 'answer' is {answer!r}.", "It is a text, a number or a list of texts.")
        if task == "scbench_choice_eng" and answer not in options:
            raise InputError(f"{at}: field 'answer' is none of its options.", f"{answer!r} against {list(options)}.")
        kind = turn.get("task", task) if TASKS[task].second else task
        if TASKS[task].second and "task" not in turn:
            raise InputError(f"{at}: field 'task' is missing.", "In a mixed task every turn names its own.")
        depth = text.find(answer) / len(text) if isinstance(answer, str) and answer in text else -1.0
        turns.append(Turn(str(turn["input"]), answer, kind, str(turn.get("name", "")), options, depth))
    return Record(f"{task}/{raw['id']}", task, text, tuple(turns), str(raw.get("lang", "python")))


def _with_needles(records: list[Record]) -> list[Record]:
    """Every function asked for about the same context is a needle that an answer may be taken for."""
    needles: dict[str, dict[str, str]] = {}
    for record in records:
        own = {t.name: str(t.answer) for t in record.turns if t.task == "scbench_repoqa"}
        needles.setdefault(record.context, {}).update(own)
    return [Record(r.id, r.task, r.context, r.turns, r.lang, tuple(needles[r.context].items())) for r in records]
