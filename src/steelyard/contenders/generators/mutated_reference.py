"""The reference of a gap with one small change: text that is nearly right and mostly wrong."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from steelyard.contenders.generators.gaps import gap_of
from steelyard.core.contender import contender
from steelyard.core.words import Case

_SWAPS = {
    "==": "!=", "!=": "==", "<=": ">", ">=": "<", "<": ">=", ">": "<=", "+": "-", "-": "+", "*": "+", "and": "or",
    "or": "and", "True": "False", "False": "True", "in": "not in", "if": "if not", "return": "return not",
}  # fmt: skip
_PLACE = re.compile(r"==|!=|<=|>=|[<>+*]|-(?!>)|\b(?:and|or|True|False|in|if|return|\d+|[a-z_]\w{2,})\b")


@contender("mutated-reference", interface="generator")
@dataclass(frozen=True)
class MutatedReference:
    """Changes one operator, keyword, number or name of the middle that was taken out; the trial chooses which."""

    seed: int = 0

    def answer(self, case: Case, trial: int) -> str:
        middle: str = gap_of(case).middle
        places = list(_PLACE.finditer(middle))
        if not places:
            return middle[1:]
        chosen = random.Random(f"{self.seed}/{trial}/{case.id}").choice(places)
        old = chosen[0]
        new = _SWAPS.get(old) or (str(int(old) + 1) if old.isdigit() else f"{old}_")
        return middle[: chosen.start()] + new + middle[chosen.end() :]
