"""Joins a base benchmark with the self-invoking one built on it, and counts who passes which of the two."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from steelyard.core.errors import InputError
from steelyard.core.words import Case

OWN_FROM = 1000  # ids of the problems written for this project begin here; the official ones end before


def humaneval_pair(identity: object) -> str:
    """The key that case i of HumanEval Pro shares with HumanEval/i (our own problems: own/i)."""
    number = str(identity).rpartition("/")[2]
    return f"own/{number}" if number.isdigit() and int(number) >= OWN_FROM else f"HumanEval/{number}"


def by_entry_point(problems: Sequence[tuple[str, str]]) -> list[str]:
    """The key of each (function name, sentence): the name; where problems share it, with a hash of the sentence.

    Problems that share both cannot be told apart by anything both benchmarks have: their key is empty.
    """
    names = Counter(name for name, _ in problems)
    keys = [name if names[name] == 1 else f"{name}:{_digest(sentence)}" for name, sentence in problems]
    often = Counter(keys)
    return [key if often[key] == 1 else "" for key in keys]


def sentence_of_comment(source: str) -> str:
    """The first comment line of a problem written as `# sentence` and `def name(...):`."""
    return next((line.lstrip("# ") for line in source.splitlines() if line.startswith("#")), "")


def _digest(sentence: str) -> str:
    return hashlib.sha256(re.sub(r"\W+", " ", sentence).strip().lower().encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class TwoByTwo:
    """How many problems pass as base problem and as self-invoking problem, and which have no partner.

    fail_fail and so on name the base outcome first; the paper's figure 5 names the Pro outcome first.
    """

    pass_pass: int
    pass_fail: int
    fail_pass: int
    fail_fail: int
    only_base: tuple[str, ...] = ()
    only_pro: tuple[str, ...] = ()

    @property
    def joined(self) -> int:
        return self.pass_pass + self.pass_fail + self.fail_pass + self.fail_fail


def pair_keys(cases: Sequence[Case]) -> dict[str, str]:
    """Case id -> the key its partner has too. InputError where two cases have one key, naming both."""
    out: dict[str, str] = {}
    first: dict[str, str] = {}
    for case in cases:
        key = str(case.attributes.get("pair", ""))
        if not key:
            continue
        if key in first:
            raise InputError(f"cases {first[key]!r} and {case.id!r} have the same pair {key!r}.")
        out[case.id] = key
        first[key] = case.id
    return out


def two_by_two(base: Mapping[str, float], pro: Mapping[str, float]) -> TwoByTwo:
    """The table of one contender. base, pro: pair key -> 1 (passes) or 0.

    Raises InputError where a value is neither.
    """
    for name, values in (("base", base), ("Pro", pro)):
        if odd := [key for key, value in values.items() if value not in (0, 1)]:
            raise InputError(f"{name}: {odd[0]!r} is {values[odd[0]]!r}.", "A 2 x 2 table counts passes: 0 or 1.")
    both = [(int(base[key]), int(pro[key])) for key in base if key in pro]
    return TwoByTwo(
        both.count((1, 1)),
        both.count((1, 0)),
        both.count((0, 1)),
        both.count((0, 0)),
        tuple(sorted(set(base) - set(pro))),
        tuple(sorted(set(pro) - set(base))),
    )
