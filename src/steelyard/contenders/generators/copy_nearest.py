"""Copies what stands nearest to a case: how far one comes by looking beside, without any model."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass

from steelyard.core.contender import contender
from steelyard.core.errors import InputError
from steelyard.core.interfaces import Neighbours
from steelyard.core.words import Case

_WORD = re.compile(r"[A-Za-z][a-z]+|[A-Z]+(?![a-z])|\d+")


@contender("copy-nearest", interface="generator")
@dataclass(frozen=True)
class CopyNearest:
    """The output of the neighbour whose words are most like the case's (cosine of word counts, rare words weigh more)."""

    def answer(self, case: Case, trial: int) -> str:
        """The nearest neighbour's output, the first of equals; "" where there is none. InputError where cases have no neighbours."""
        if not isinstance(case.payload, Neighbours):
            raise InputError("copy-nearest has nothing to copy: the cases of this benchmark know no neighbours.")
        near = case.payload.neighbours()
        bags = [_words(about) for about, _ in near]
        seen = Counter(word for bag in bags for word in bag)
        weight = {word: math.log((1 + len(bags)) / (1 + n)) + 1 for word, n in seen.items()}
        wanted = _words(case.payload.query())
        scores = [_cosine(wanted, bag, weight) for bag in bags]
        return near[max(range(len(near)), key=lambda i: scores[i])][1] if near else ""


def _words(text: str) -> Counter[str]:
    return Counter(word.lower() for word in _WORD.findall(text))


def _cosine(a: Counter[str], b: Counter[str], weight: dict[str, float]) -> float:
    def product(x: Counter[str], y: Counter[str]) -> float:
        return sum(n * y[word] * weight.get(word, 1.0) ** 2 for word, n in x.items() if word in y)

    return product(a, b) / math.sqrt(product(a, a) * product(b, b) or 1.0)
