"""Fills a gap with the likeliest tokens of an n-gram model trained on the repository."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass

from steelyard.contenders.generators.gaps import begun, gap_of
from steelyard.core.contender import contender
from steelyard.core.words import Case

_TOKEN = re.compile(r"\w+|[^\w\s]|[ \t]+|\n")


@contender("ngram", interface="generator", source="stupid backoff: Brants et al. (2007)")
@dataclass(frozen=True)
class NGram:
    """Greedy tokens until the line ends. order: tokens of an n-gram; longest: tokens of an answer."""

    order: int = 5
    longest: int = 40

    def answer(self, case: Case, trial: int) -> str:
        gap = gap_of(case)
        counts: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
        for text in (*(text for _, text in gap.files), gap.prefix, gap.suffix):
            tokens = _TOKEN.findall(text)
            for at, token in enumerate(tokens):
                for size in range(min(self.order - 1, at) + 1):
                    counts[tuple(tokens[at - size : at])][token] += 1
        history = _TOKEN.findall(gap.prefix)
        made: list[str] = []
        while len(made) < self.longest:
            token = self._next(counts, history + made)
            if token == "\n" and (made or begun(gap).strip()):
                break
            if not token:
                break
            made.append(token)
        return "".join(made)

    def _next(self, counts: dict[tuple[str, ...], Counter[str]], history: list[str]) -> str:
        """The token seen most often after the longest history that was seen at all."""
        for size in range(min(self.order - 1, len(history)), -1, -1):
            seen = counts.get(tuple(history[len(history) - size :]))
            if seen:
                return seen.most_common(1)[0][0]
        return ""
