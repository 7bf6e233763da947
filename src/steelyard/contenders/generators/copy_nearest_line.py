"""Fills a gap with the line that follows the line most like the one before the gap."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from rapidfuzz.fuzz import ratio

from steelyard.contenders.generators.gaps import begun, gap_of, texts_of
from steelyard.core.contender import contender
from steelyard.core.words import Case


@contender("copy-nearest-line", interface="generator")
@dataclass(frozen=True)
class CopyNearestLine:
    """A floor that needs no model: code repeats itself.

    Where the gap begins within a line, the rest of the most similar line that begins alike is taken, else of any.
    """

    def answer(self, case: Case, trial: int) -> str:
        gap = gap_of(case)
        texts, start = texts_of(gap), begun(gap)
        if start.strip():
            found = [line for lines in texts for line in lines if line != start]
            best = max(found, key=lambda line: ratio(line[: len(start)], start), default="")
            return best[len(start) :]
        before = next((line for line in reversed(gap.prefix.split("\n")[:-1]) if line.strip()), "").strip()
        pairs = [pair for lines in texts for pair in pairwise(lines)]
        _, following = max(pairs, key=lambda pair: ratio(pair[0].strip(), before), default=("", ""))
        return following.removeprefix(start) if following.startswith(start) else following.strip()
