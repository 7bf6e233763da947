"""F1 of short answers, as released and as it should be."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

Tokens = Callable[[str], Sequence[object]]


def normal(text: str) -> str:
    """Small letters, no ASCII punctuation, no articles, single blanks."""
    text = "".join(c for c in text.lower() if c not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def said_first(output: str, profile: str = "sound") -> str:
    """The part of an output that is scored: its first line, or a yes or no that it begins with.

    published: any first word that begins with No counts as "No", Normandy too.
    """
    line = output.lstrip("\n").partition("\n")[0]
    first = (line.split() or [""])[0]
    if profile == "published":
        if line.startswith(("Yes", "yes")):
            return "Yes"
        return "No" if first.startswith(("No", "no")) else line
    word = first.strip(string.punctuation).lower()
    return word if word in ("yes", "no") else line


def f1(output: str, answers: Sequence[str], profile: str = "sound", tokens: Tokens = str.split) -> float:
    """The best over the answers of 2PR / (P + R) over tokens, words by default. Empty and empty agree."""
    said = tokens(normal(said_first(output, profile)))
    return max(_f1(said, tokens(normal(answer))) for answer in answers)


def _f1(said: Sequence[object], right: Sequence[object]) -> float:
    if not said or not right:
        return float(len(said) == len(right))
    common = sum((Counter(said) & Counter(right)).values())
    return 2 * common / (len(said) + len(right))
