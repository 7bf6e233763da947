"""Requests of a question about several passages: generated, or the published ones, and the pieces that a prompt is made of."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from steelyard.core.errors import InputError
from steelyard.lab import LabModel

SEED = 66
PEOPLE = ("Mira", "Anselm", "Odile", "Bruno", "Tamsin", "Rolf", "Ingrid", "Pavel", "Selma", "Otto", "Livia", "Casper")
THINGS = ("lantern", "ledger", "compass", "kettle", "violin", "ladder", "mirror", "basket", "hammer", "blanket")
PLACES = ("cellar", "attic", "stable", "chapel", "kitchen", "library", "garden", "harbour", "bakery", "mill")
MOST = len(PEOPLE) * len(THINGS)  # facts
ASIDES = ("It rained all morning.", "Nobody spoke of it again.", "The bells rang twice.", "The road was empty.")
INTRODUCTION = "Read the passages and answer the question about them directly, within 5 words.\nPassages:\n"
REMINDER = "\n\nAnswer the question about the passages directly, within 5 words.\nQuestion: "
MARK = "\N{LEFT WHITE TORTOISE SHELL BRACKET}"


@dataclass(frozen=True)
class Request:
    """asked: all that stands behind the passages. answers: right ones, none where nobody knows any."""

    id: str
    source: str
    introduction: str
    passages: tuple[str, ...]
    asked: str
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Prompt:
    """chunks: ids of the introduction and of each passage. question: ids of the rest. dropped: passages left out."""

    chunks: list[list[int]]
    question: list[int]
    dropped: int

    @property
    def ids(self) -> list[int]:
        return [*chain.from_iterable(self.chunks), *self.question]

    @property
    def lengths(self) -> list[int]:
        return [len(c) for c in self.chunks]

    def turned(self) -> Prompt:
        """Another request that shares the passages: the last one stands first, and the question is another."""
        first, *rest = self.chunks
        return Prompt([first, *rest[-1:], *rest[:-1]], self.question[::-1], self.dropped)


def question_of(text: str) -> str:
    """As published: the first letter small, a question mark at the end."""
    text = text.strip()
    return f"{text[:1].lower()}{text[1:]}{'' if text.endswith('?') else '?'}"


def generate(count: int, passages: int, words: int) -> list[Request]:
    """Passages of about `words` words in which people put things in places; what is asked stands in one, once."""
    made = []
    for index in range(count):
        rng = random.Random(f"{SEED} {index}")
        facts = rng.sample([(p, t) for p in PEOPLE for t in THINGS], min(MOST, passages * max(1, words // 11)))
        told = [(p, t, rng.choice(PLACES)) for p, t in facts]
        # where there are not enough facts, more is said beside each: a fact has 7 words, an aside 4
        asides = 1 if len(facts) < MOST else max(1, round((passages * words / MOST - 7) / 4))
        lines = [
            " ".join([f"{p} put the {t} in the {place}.", *(rng.choice(ASIDES) for _ in range(asides))])
            for p, t, place in told
        ]
        person, thing, place = rng.choice(told)
        asked = f"{REMINDER}{question_of(f'Where did {person} put the {thing}?')}\nAnswer:"
        texts = tuple(" ".join(lines[i::passages]) + "\n\n" for i in range(passages))
        made.append(Request(f"own/{index}", "own", INTRODUCTION, texts, asked, (place,)))
    return made


def read(data: str) -> list[Request]:
    """The published records: a file, or a folder that holds musique_s and example_inputs as .jsonl or .jsonl.gz.

    Raises InputError that names file and line.
    """
    path = Path(data)
    files = [path] if path.is_file() else sorted(p for p in path.glob("*.jsonl*"))
    if not files:
        raise InputError(f"{data} holds no .jsonl or .jsonl.gz.", "Give the folder with musique_s.jsonl.gz, or a file.")
    return [request for file in files for request in _records(file)]


def _records(file: Path) -> Iterator[Request]:
    opened = gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else file.open(encoding="utf-8")
    name = file.name.partition(".")[0]
    with opened as lines:
        for number, line in enumerate(lines, 1):
            try:
                record = json.loads(line)
                yield _musique(name, record) if "ctxs" in record else _example(name, record)
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise InputError(
                    f"{file}, line {number}: {type(error).__name__} {error}.",
                    "A record has question, answers and ctxs (title, text), or chunks and query.",
                ) from error


def _musique(name: str, record: dict[str, Any]) -> Request:
    passages = tuple(f"{c['title']}\n\n{c['text']}\n\n" for c in record["ctxs"])
    asked = f"{REMINDER}{question_of(record['question'])}\nAnswer:"
    if not passages:
        raise ValueError("there is no passage")
    return Request(
        f"{name}/{record.get('index', record['question'][:40])}", name, INTRODUCTION, passages, asked,
        tuple(map(str, record["answers"])),
    )  # fmt: skip


def _example(name: str, record: dict[str, Any]) -> Request:
    return Request(f"{name}/{record['id']}", name, INTRODUCTION, tuple(record["chunks"]), record["query"], ())


def prompt_of(lab: LabModel, request: Request, passages: int, room: int) -> Prompt:
    """Ids within the model's chat template. passages: the first so many, 0 for all. room: tokens it may have.

    Passages that do not fit are dropped from the end. Raises InputError where not even one fits.
    """
    head, tail = "", ""
    if getattr(lab.tokenizer, "chat_template", None):
        turn = [{"role": "user", "content": MARK}]
        head, tail = lab.tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True).split(MARK)
    chunks = [lab.encode(head + request.introduction), *map(lab.encode, request.passages[: passages or None])]
    question, wanted = lab.encode(request.asked + tail), len(chunks)
    while len(chunks) > 1 and sum(map(len, chunks)) + len(question) > room:
        chunks.pop()
    if len(chunks) == 1:
        raise InputError(f"{request.id}: no passage fits into {room} tokens.", "Take a model with a longer window.")
    return Prompt(chunks, question, wanted - len(chunks))
