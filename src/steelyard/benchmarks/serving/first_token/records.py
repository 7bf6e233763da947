"""What is asked after a prompt: facts, look-ups, windows of prose, or records of a user's file; and what is learnt from."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from steelyard.benchmarks.serving.first_token import tiny, trivia
from steelyard.core.errors import InputError, MissingError
from steelyard.lab import LabModel, recall, recall_training, texts
from steelyard.lab.training import IGNORED, Batch

SEED = 8391
HELD_OUT = 4  # every so many documents one is measured, and the others are learnt from
QUESTIONS = 8
WINDOWS = 2  # in a batch of text
# model -> steps, rate. Tiny: a tenth of the base's steps, about the published share; of 3e-4, 1e-3 and 3e-3 the rate at which
# the smaller models that answer alone do best: with a higher one they forget what they do not meet.
DEFAULTS = {"tiny": (tiny.STEPS // 10, 3e-4), "recall": (60, 1e-3), "": (16, 3e-4)}


@dataclass(frozen=True)
class Record:
    """Token ids. prompt: what is read first. fed: what follows it. answers: (start, stop) of what is scored in it.

    group: the document it was cut from. exact: answers are right or wrong. aliases: right answers in words, where the
    answer is generated and not fed.
    """

    id: str
    group: str
    prompt: list[int]
    fed: list[int]
    answers: tuple[tuple[int, int], ...]
    task: str
    exact: bool = False
    aliases: tuple[str, ...] = ()


def facts(lab: LabModel, count: int, length: int) -> list[Record]:
    """Of the tiny language: a context with subjects held out, and questions of which the first stands in the prompt.

    Raises InputError where the subjects do not fit.
    """
    if length < len(tiny.KINDS):
        raise InputError(f"{length} words do not hold {len(tiny.KINDS)} subjects.", "Give a larger length.")
    made = []
    for index in range(count):
        words, questions = tiny.document(random.Random(f"{SEED} {index}"), length, QUESTIONS, tiny.HELD_OUT)
        said = [word for pair in questions for word in pair]
        answers = tuple((2 * i, 2 * i + 1) for i in range(QUESTIONS))
        prompt, fed = lab.encode(" ".join([*words, said[0]])), lab.encode(" ".join(said[1:]))
        made.append(Record(f"facts/{index}", f"facts/{index}", prompt, fed, answers, "facts", True))
    return made


def lookups(lab: LabModel, count: int, length: int) -> list[Record]:
    """Of the recall language: keys and the words behind them, and questions of which the first stands in the prompt."""
    made = []
    for index in range(count):
        context, questions = recall.make("kv", length, random.Random(f"{SEED} {index}"), QUESTIONS)
        fed: list[int] = []
        answers = []
        for question in questions:
            fed += lab.encode(question.input)
            answers.append((len(fed), len(fed) + len(lab.encode(question.answer))))
            fed += lab.encode(question.answer)
        first = answers[0][0]
        spans = tuple((start - first, stop - first) for start, stop in answers)
        prompt = lab.encode(context) + fed[:first]
        made.append(Record(f"recall/{index}", f"recall/{index}", prompt, fed[first:], spans, "recall", True))
    return made


def recall_batch(seed: int, step: int) -> Batch:
    """Sessions of all its tasks, padded on the right."""
    rng = random.Random(f"{seed} {step}")
    length = rng.randint(recall_training.SHORTEST, recall_training.LONGEST)
    ids, labels = recall_training.batch(rng, length, recall.WordTokenizer())
    after = (labels != IGNORED).flip(1).cumsum(1).flip(1) > 0  # an answer ends every session
    return Batch(ids, labels, after)


def windows(lab: LabModel, documents: Mapping[str, str], count: int, length: int, more: int) -> list[Record]:
    """Windows of `length + more` tokens that do not overlap, taken from the documents in turn."""
    size = length + more
    found = []
    for name, text in documents.items():
        ids = lab.encode(text)
        found += [(at // size, name, ids[at : at + size]) for at in range(0, len(ids) - size + 1, size)]
    found.sort(key=lambda item: item[0])
    return [
        Record(f"{name}/{i}", name, ids[:length], ids[length:], ((0, more),), "text") for i, name, ids in found[:count]
    ]


def text_batches(lab: LabModel, documents: Mapping[str, str], length: int) -> tuple[str, Callable[[int, int], Batch]]:
    """A key, and (seed, step) to windows at random places of the documents, which are as likely as they are long.

    Raises InputError where none fits.
    """
    ids = [torch.tensor(each) for each in map(lab.encode, documents.values()) if len(each) >= length]
    if not ids:
        raise InputError(f"no text to learn from has {length} tokens.", "Give longer texts, or a smaller length.")

    def batch(seed: int, step: int) -> Batch:
        rng = random.Random(f"{seed} {step}")
        chosen = rng.choices(ids, [len(each) for each in ids], k=WINDOWS)
        starts = [rng.randrange(len(each) - length + 1) for each in chosen]
        rows = torch.stack([each[at : at + length] for each, at in zip(chosen, starts, strict=True)])
        return Batch(rows, rows, torch.ones_like(rows, dtype=torch.bool))

    digest = hashlib.sha256("\0".join(documents.values()).encode()).hexdigest()[:16]
    return f"text {digest} {length} {WINDOWS}", batch


def split(documents: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Those to learn from and those held out, whole documents each. Raises InputError where there are too few."""
    names = list(documents)
    if len(names) < 2:
        raise InputError("one document cannot be both learnt from and held out.", "Give two or more.")
    held = set(names[::HELD_OUT])
    learn = {n: t for n, t in documents.items() if n not in held}
    return learn, {n: documents[n] for n in names if n in held}


def read(lab: LabModel, data: str, count: int, more: int) -> tuple[dict[str, str], list[Record], list[str]]:
    """Documents, records that ask something, and what was passed over, from a text file, JSON lines, or a folder of them.

    A line has `text`, `content` or `ctxs` (a document), `question` and `answer` (TriviaQA), `prompt` and `answer`, or `context`
    and `continuation`. Raises MissingError where nothing is there, InputError for a file without anything of use.
    """
    path = Path(data)
    files = [path] if path.is_file() else sorted(p for p in path.glob("*") if p.name.endswith((".jsonl", ".jsonl.gz", ".json", ".txt")))  # fmt: skip
    if not files:
        raise MissingError(f"{data} holds no text.", "Give a .txt, .json or .jsonl(.gz) file, or a folder of them.")
    documents: dict[str, str] = {}
    records: list[Record] = []
    asked: list[trivia.Question] = []
    notes: list[str] = []
    for file in files:
        if file.suffix == ".txt":
            documents[file.stem] = file.read_text(encoding="utf-8")
            continue
        for number, row in texts.rows(file, notes):
            name = f"{file.name.partition('.')[0]}/{row.get('id', number)}"
            if isinstance(row.get("ctxs"), list):
                documents[name] = "\n\n".join(f"{c.get('title', '')}\n{c['text']}" for c in row["ctxs"])
            elif text := row.get("text") or row.get("content"):
                documents[name] = str(text)
            elif "question" in row and "answer" in row:
                asked.append(trivia.question(name, row))
            elif "prompt" in row and "answer" in row:
                fed = lab.encode(str(row["answer"]))
                records.append(Record(name, name, lab.encode(row["prompt"]), fed, ((0, len(fed)),), "answer", True))
            elif "context" in row and "continuation" in row:
                fed = lab.encode(row["continuation"])[:more]
                records.append(Record(name, name, lab.encode(row["context"]), fed, ((0, len(fed)),), "text"))
            else:
                notes.append(f"{file}, line {number}: neither text, question and answer, prompt and answer, nor context and continuation.")  # fmt: skip
    for item in asked[trivia.SHOTS :][:count]:
        fed = lab.encode(f" {item.answers[0]}")
        prompt = lab.encode(trivia.prompt(item, asked[: trivia.SHOTS]))
        records.append(Record(item.id, item.id, prompt, fed, ((0, len(fed)),), "trivia", False, item.answers))
    if not documents and not records:
        raise InputError(f"{data} holds nothing to measure.", (notes or ["It is empty."])[0])
    return documents, records[:count], notes
