"""What the cache is filled with and what is fed afterwards: recall sessions, windows of prose, or a user's file."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from steelyard.core.errors import InputError, MissingError
from steelyard.lab import recall
from steelyard.lab.opening import LabModel
from steelyard.lab.texts import rows

SEED = 47
QUESTIONS = 8


@dataclass(frozen=True)
class Record:
    """Token ids. prompt fills the cache; continuation is fed; answers: (start, stop) of what is scored in it.

    group: the document it was cut from. exact: answers are right or wrong, not just likely.
    """

    id: str
    group: str
    prompt: list[int]
    continuation: list[int]
    answers: tuple[tuple[int, int], ...]
    exact: bool = False
    task: str = "text"


def sessions(lab: LabModel, count: int, length: int) -> list[Record]:
    """Of the recall language: a context of about `length` words, then questions with their answers."""
    made = []
    for index in range(count):
        task = recall.TASKS[index % len(recall.TASKS)]
        context, questions = recall.make(task, length, random.Random(f"{SEED} {index}"), QUESTIONS)
        fed: list[int] = []
        answers = []
        for question in questions:
            fed += lab.encode(question.input)
            answer = lab.encode(question.answer)
            answers.append((len(fed), len(fed) + len(answer)))
            fed += answer
        name = f"{task}/{index}"
        made.append(Record(name, name, lab.encode(context), fed, tuple(answers), True, task))
    return made


def windows(lab: LabModel, documents: dict[str, str], count: int, length: int, more: int) -> list[Record]:
    """Windows of `length + more` tokens that do not overlap, taken from the documents in turn."""
    size = length + more
    cut = {name: lab.encode(text) for name, text in documents.items()}
    found = [
        (at // size, name, ids[at : at + size])
        for name, ids in cut.items()
        for at in range(0, len(ids) - size + 1, size)
    ]
    found.sort(key=lambda item: item[0])
    whole = ((0, more),)
    return [Record(f"{name}/{i}", name, ids[:length], ids[length:], whole) for i, name, ids in found[:count]]


def read(lab: LabModel, path: str, count: int, length: int, more: int) -> tuple[list[Record], list[str]]:
    """A text file, or lines of JSON (.jsonl, .jsonl.gz) with `text`, with `question` and `answer`, or with `ctxs`.

    Records and what was passed over, with the reason. An answer that is empty is to be made with the full cache.
    Raises InputError for a file that holds nothing of use, MissingError for one that is not there.
    """
    place = Path(path)
    if not place.is_file():
        raise MissingError(f"there is no file {path}.", "Give a text file, or lines of JSON.")
    if place.suffix not in (".jsonl", ".gz", ".json"):
        made = windows(lab, {place.stem: place.read_text()}, count, length, more)
        notes: list[str] = []
    else:
        documents, asked, notes = {}, [], []
        for number, row in rows(place, notes):
            name = str(row.get("id", number))
            if isinstance(row.get("question"), str) and isinstance(row.get("answer"), str) and "ctxs" not in row:
                asked.append((name, row["question"], row["answer"]))
            elif "text" in row or "ctxs" in row:
                documents[name] = str(row["text"]) if "text" in row else "\n".join(c["text"] for c in row["ctxs"])
            else:
                notes.append(f"{path}, line {number}: neither text, question and answer, nor ctxs.")
        made = [_asked(lab, *row, more) for row in asked[:count]] or windows(lab, documents, count, length, more)
    if not made:
        raise InputError(
            f"{path}: no text is as long as {length + more} tokens.",
            "Write cache-fidelity[length=...,more=...] with smaller numbers.",
        )
    return made, notes


def _asked(lab: LabModel, name: str, question: str, answer: str, more: int) -> Record:
    messages = [{"role": "user", "content": question}]
    template = getattr(lab.tokenizer, "chat_template", None)
    text = (
        lab.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        if template
        else question
    )
    fed = lab.encode(answer)[:more]
    return Record(name, name, lab.encode(text), fed, ((0, len(fed)),) if fed else (), task="answer")
