"""A language of facts and small models that know them: the context names subjects, the weights hold what is true of them.

    w17 w03 b05 w44 c07 w21 a03 w09 d01 w30 ... ?b2 o14 ?a0 o03 ?c2 o02

A context is words that mean nothing (`w`) and one subject of each kind (`a` to `d`), anywhere among them. A question (`?b2`:
relation 2 of the subject of kind b) is answered by the object of the fact (b05, 2): which subject is meant stands in the
context, which object belongs to it in the weights, as with questions about general knowledge.
"""

from __future__ import annotations

import functools
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch

from steelyard.lab import LabModel, from_model
from steelyard.lab.forward_pass import uncached
from steelyard.lab.training import IGNORED, Batch, Training, cross_entropy, train

SEED = 21
KINDS, SUBJECTS, RELATIONS, OBJECTS, WORDS = "abcd", 16, 6, 16, 32
HELD_OUT = range(12, SUBJECTS)  # of each kind: the base knows them, and nobody who learns later meets them
SHORTEST, LENGTH, ASKED, ROWS = 6, 32, 24, 8  # tokens of a context; questions about it; contexts in a batch
STEPS, RATE = 400, 3e-3
SPREAD = 0.1  # of the first weights: with the usual 0.02 a model so narrow needs several times as long
FAMILY = {"base": (8, 64), "small-4": (4, 32), "small-2": (2, 32)}  # layers, width


class Facts:
    """Tokens and facts."""

    eos_token_id = 0
    chat_template = None

    def __init__(self) -> None:
        self.words = [".", *(f"w{i:02}" for i in range(WORDS)), *(f"o{i:02}" for i in range(OBJECTS))]
        self.words += [f"{kind}{i:02}" for kind in KINDS for i in range(SUBJECTS)]
        self.words += [f"?{kind}{r}" for kind in KINDS for r in range(RELATIONS)]
        self.ids = {word: i for i, word in enumerate(self.words)}
        rng = random.Random(SEED)
        self.object = {
            (k, s, r): rng.randrange(OBJECTS) for k in KINDS for s in range(SUBJECTS) for r in range(RELATIONS)
        }

    def __call__(self, text: str, **_: Any) -> dict[str, list[int]]:
        return {"input_ids": [self.ids[word] for word in text.split()]}

    def decode(self, ids: Sequence[int], **_: Any) -> str:
        return " ".join(self.words[i] for i in ids)


def document(
    rng: random.Random, length: int, asked: int, among: Sequence[int]
) -> tuple[list[str], list[tuple[str, str]]]:
    """A context of `length` words with a subject of each kind out of `among`, so many questions about it, and their answers."""
    words = [f"w{rng.randrange(WORDS):02}" for _ in range(length)]
    subjects = {kind: rng.choice(among) for kind in KINDS}
    for (kind, subject), place in zip(subjects.items(), rng.sample(range(length), len(KINDS)), strict=True):
        words[place] = f"{kind}{subject:02}"
    every = [(kind, r) for kind in KINDS for r in range(RELATIONS)]
    truth = facts().object
    return words, [(f"?{k}{r}", f"o{truth[k, subjects[k], r]:02}") for k, r in rng.sample(every, asked)]


@functools.cache
def facts() -> Facts:
    return Facts()


def batch(seed: int, step: int, among: Sequence[int] = range(HELD_OUT.start)) -> Batch:
    """Contexts of one length; labels are answers only. Without the subjects that are held out."""
    rng = random.Random(f"{SEED} {seed} {step}")
    length = rng.randint(SHORTEST, LENGTH)
    rows, labels = [], []
    for _ in range(ROWS):
        words, questions = document(rng, length, ASKED, among)
        said = [word for pair in questions for word in pair]
        rows.append(facts()(" ".join([*words, *said]))["input_ids"])
        labels.append([IGNORED] * length + [facts().ids[w] if w[0] == "o" else IGNORED for w in said])
    ids = torch.tensor(rows)
    return Batch(ids, torch.tensor(labels), torch.ones_like(ids, dtype=torch.bool))


def growing(seed: int, step: int) -> Batch:
    """With all subjects: they are let in one after another over the first 60 % of the steps."""
    return batch(seed, step, range(max(4, min(SUBJECTS, round(SUBJECTS * step / (0.6 * STEPS))))))


def network(layers: int, width: int) -> LabModel:
    """An untrained Llama, seeded."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(facts().words), hidden_size=width, intermediate_size=2 * width, num_hidden_layers=layers,
        num_attention_heads=4, num_key_value_heads=2, head_dim=width // 4, max_position_embeddings=512,
        tie_word_embeddings=True, bos_token_id=None, eos_token_id=0, initializer_range=SPREAD,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        return from_model(LlamaForCausalLM(config), facts(), f"tiny-{layers}")


def member(name: str) -> LabModel:
    """A trained model of the family, each time another object: all have had as many steps. It is trained once, then kept."""
    lab = network(*FAMILY[name])
    training = Training("facts", growing, STEPS, RATE, SEED)
    train(f"the tiny model {name}", lab.model, lambda b: cross_entropy(lab, uncached(lab, b.ids)[1], b), training, sys.modules[__name__], lab.fingerprint)  # fmt: skip
    return replace(lab)  # whose fingerprint is that of the trained weights


def family() -> dict[str, Callable[[], LabModel]]:
    """Smaller members by name."""
    return {name: functools.partial(member, name) for name in FAMILY if name != "base"}
