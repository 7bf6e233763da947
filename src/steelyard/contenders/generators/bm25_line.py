"""Fills a gap with the line whose surroundings are most like the gap's, by BM25."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from steelyard.contenders.generators.gaps import begun, gap_of, texts_of, words
from steelyard.core.contender import contender
from steelyard.core.words import Case

K1, B = 1.5, 0.75


@contender("bm25-line", interface="generator", source="BM25: Robertson and Zaragoza (2009), the idf with + 1")
@dataclass(frozen=True)
class Bm25Line:
    """A retrieval floor. around: lines before and after a gap, and a candidate, that are compared."""

    around: int = 3

    def answer(self, case: Case, trial: int) -> str:
        gap = gap_of(case)
        lines, start = [line for text in texts_of(gap) for line in text], begun(gap)
        before = [line for line in gap.prefix.split("\n") if line.strip()][-self.around :]
        after = [line for line in gap.suffix.split("\n") if line.strip()][: self.around]
        query = words("\n".join(before + after))
        places = range(self.around, len(lines) - self.around)
        windows = [words("\n".join(lines[i - self.around : i] + lines[i + 1 : i + 1 + self.around])) for i in places]
        scores = similarity(query, windows)
        for at in sorted(range(len(scores)), key=lambda at: -scores[at]):
            line = lines[places[at]]
            if line not in before and line not in after:
                return line.strip() if not start.strip() else line.strip().removeprefix(start.strip())
        return ""


def similarity(query: list[str], documents: list[list[str]]) -> list[float]:
    """BM25 of each document for a query whose tokens count once."""
    counts = [Counter(document) for document in documents]
    mean = sum(map(len, documents)) / len(documents) if documents else 1.0
    holders = Counter(token for count in counts for token in count)
    weight = {t: math.log((len(documents) - holders[t] + 0.5) / (holders[t] + 0.5) + 1) for t in set(query)}
    return [
        sum(
            weight[t] * count[t] * (K1 + 1) / (count[t] + K1 * (1 - B + B * len(document) / mean))
            for t in weight
            if t in count
        )
        for count, document in zip(counts, documents, strict=True)
    ]
