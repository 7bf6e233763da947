"""A small language of look-ups, and the recall model that speaks it: with the full cache it is nearly always right.

On a weak general model accuracy says nothing about a cache, because there is none to lose. Here there is. The language
has a few hundred words; a text is words with blanks between. Four tasks, each a context and questions about it:

    kv             w007 w301 w011 ; w044 w009 ...    ? w007       ->  w301 w011   the words behind a key
    prefix_suffix  w007 w301 w044 ; ...              ? w044 ? w007 -> w301 w044  the rest of the string with both ends
    vt             w301 w007 ; w007 w012 ; ...       ? w301       ->  w007 w012   the chain of names that a value has
    many_shot      w007 w301 ; w044 w301 ; ...       ? w007       ->  w301        a label that many shots agree on

An answer ends with the word `;`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from steelyard.core.errors import InputError

WORDS = 512
MARKS = ("?", ";")
TASKS = ("kv", "prefix_suffix", "vt", "many_shot")
LABELS = 8


@dataclass(frozen=True)
class Question:
    """input: the question. answer: what is to be said. at: where in the context the answer stands, in [0, 1)."""

    input: str
    answer: str
    at: float


def make(task: str, length: int, rng: random.Random, turns: int = 5) -> tuple[str, list[Question]]:
    """A context of about `length` words and questions about it. No word is used for two things, so answers are unique.

    Raises InputError for a task or a length that cannot be.
    """
    if task not in TASKS:
        raise InputError(f"the recall model knows no task {task!r}.", f"It knows {', '.join(TASKS)}.")
    most = 960 if task in ("vt", "many_shot") else WORDS * 5 // 4
    if not 16 <= length <= most:
        raise InputError(f"{task}: {length} words do not fit its vocabulary.", f"Give 16 to {most}.")
    words = [f"w{i:03}" for i in rng.sample(range(WORDS), WORDS)]
    return _MAKERS[task](words, length, rng, turns)


def _kv(words: list[str], length: int, rng: random.Random, turns: int) -> tuple[str, list[Question]]:
    pairs = [(words[3 * i], " ".join(words[3 * i + 1 : 3 * i + 3])) for i in range(length // 4)]
    asked = rng.sample(range(len(pairs)), min(turns, len(pairs)))
    return " ".join(f"{k} {v} ;" for k, v in pairs), [
        Question(f"? {pairs[i][0]}", f"{pairs[i][1]} ;", i / len(pairs)) for i in asked
    ]


def _prefix_suffix(words: list[str], length: int, rng: random.Random, turns: int) -> tuple[str, list[Question]]:
    strings = [words[3 * i : 3 * i + 3] for i in range(length // 4)]
    asked = rng.sample(range(len(strings)), min(turns, len(strings)))
    return " ".join(" ".join([*s, ";"]) for s in strings), [
        Question(f"? {strings[i][2]} ? {strings[i][0]}", f"{' '.join(strings[i][1:])} ;", i / len(strings))
        for i in asked
    ]


def _vt(words: list[str], length: int, rng: random.Random, turns: int) -> tuple[str, list[Question]]:
    """Chains of two names: that of the value is told first, then that of the name, with other chains between."""
    chains = [words[3 * i : 3 * i + 3] for i in range(length // 6)]
    lines = [(i, hop) for i in range(len(chains)) for hop in (0, 1)]
    rng.shuffle(lines)
    told: set[int] = set()
    text, at = [], {}
    for place, (i, _) in enumerate(lines):
        value, first, second = chains[i]
        at.setdefault(i, place / len(lines))
        text.append(f"{first} {second} ;" if i in told else f"{value} {first} ;")
        told.add(i)
    asked = rng.sample(range(len(chains)), min(turns, len(chains)))
    return " ".join(text), [Question(f"? {chains[i][0]}", f"{chains[i][1]} {chains[i][2]} ;", at[i]) for i in asked]


def _many_shot(words: list[str], length: int, rng: random.Random, turns: int) -> tuple[str, list[Question]]:
    """Each item is shown about five times."""
    labels, items = words[:LABELS], words[LABELS : LABELS + max(5, length // 16)]
    label = {item: rng.choice(labels) for item in items}
    shots = [items[i % len(items)] for i in range(length // 3)]
    rng.shuffle(shots)
    asked = rng.sample(items, min(turns, len(items)))
    return " ".join(f"{s} {label[s]} ;" for s in shots), [
        Question(f"? {item}", f"{label[item]} ;", shots.index(item) / len(shots)) for item in asked
    ]


_MAKERS = {"kv": _kv, "prefix_suffix": _prefix_suffix, "vt": _vt, "many_shot": _many_shot}


class WordTokenizer:
    """Words to ids and back. A word that is not in the language is an InputError."""

    eos_token_id = 1
    ends = ";"
    chat_template = None

    def __init__(self) -> None:
        self.words = [*MARKS, *(f"w{i:03}" for i in range(WORDS))]
        self.ids = {word: i for i, word in enumerate(self.words)}

    def __call__(self, text: str, **_: Any) -> dict[str, list[int]]:
        try:
            return {"input_ids": [self.ids[word] for word in text.split()]}
        except KeyError as error:
            raise InputError(
                f"the recall model has no word {error}.", "It speaks w000 to w511 and a few marks."
            ) from None

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = False, **_: Any) -> str:
        return " ".join(self.words[i] for i in ids if not (skip_special_tokens and i == self.eos_token_id))
