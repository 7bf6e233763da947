"""Who a claim is about: one contender, a set, the best of a set, several alternatives, or the data itself.

two-pass[isa=avx512]                one contender spec
{minference, tri-shape}[turn=2]     a set: its members are pooled (options behind the brace go to each)
replay:{gpt-4, llama3}              the same with a common prefix
simulated[format={e8m7, e8m5}]      a set over the values of an option
best of {a, b}, best-of(a, b)       the best in the metric's direction (re-chosen in every draw)
worst of {a, b}
a | b                               alternatives: the claim must hold against (or for) each of them
data, gold, audit (with options)    statements about the data, the references, the scorer: nothing is sampled
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product
from typing import Literal

from steelyard.core.errors import InputError

SideKind = Literal["one", "set", "best", "worst", "each", "data", "audit", "gold"]
CENSUS = ("data", "audit", "gold")
_CHOICE = re.compile(r"(best|worst)(?:\s+of\s+|-of\s*(?=\())")
_SOLE = re.compile(r"(data|audit|gold)(?=\[|$)")
_NAME = r"[A-Za-z0-9_][A-Za-z0-9._/:@-]*(?:\+\+)?"
_WORD = r"(?:\"[^\"]*\"|'[^']*'|[^\s,\[\]\"'{}=]+)"
_OPTION = rf"\s*[A-Za-z0-9][A-Za-z0-9._-]*\s*(?:=\s*{_WORD})?\s*"
_OPTIONS = rf"\[{_OPTION}(?:,{_OPTION})*\]"
_MEMBER = re.compile(rf"{_NAME}(?:{_OPTIONS})?(?:\+{_NAME}(?:{_OPTIONS})?)*")
HELP = (
    "Write name[option=value,...], model+solver, {a, b}, best of {a, b}, worst of {a, b}, a | b, "
    "published:NAME, replay:NAME, data, gold or audit; quote option values that hold spaces or commas."
)


@dataclass(frozen=True, slots=True)
class Side:
    """kind: how the members are put together. members: spec strings, in the order written."""

    kind: SideKind
    members: tuple[str, ...]


def parse_side(text: str) -> Side:
    """Parse a claim's `contender` or `baseline`. Raises InputError naming the text, the place and what is allowed."""
    stripped = text.strip()
    if not stripped:
        raise InputError("a claim's side is empty.", HELP)
    if sole := _SOLE.match(stripped):
        _member(stripped, text)
        kind: SideKind = "data" if sole[1] == "data" else "audit" if sole[1] == "audit" else "gold"
        return Side(kind, (stripped,))
    alternatives = _split(stripped, "|", text)
    if len(alternatives) > 1:
        return Side("each", tuple(_member(m, text) for part in alternatives for m in _expand(part, text)))
    if choice := _CHOICE.match(stripped):
        body = stripped[choice.end() :].strip()
        if body.startswith("(") and body.endswith(")"):
            body = body[1:-1]
        members = [m for part in _split(body, ",", text) for m in _expand(part, text)]
        return Side("best" if choice[1] == "best" else "worst", tuple(_member(m, text) for m in members))
    members = _expand(stripped, text)
    return Side("one" if "{" not in stripped else "set", tuple(_member(m, text) for m in members))


def _split(text: str, mark: str, whole: str) -> list[str]:
    """Split at `mark` outside brackets, braces, parentheses and quotes."""
    depth, quote, parts = 0, "", [""]
    for at, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char in "[{(":
            depth += 1
        elif char in "]})":
            depth -= 1
            if depth < 0:
                raise InputError(f"cannot read {whole!r} at column {at + 1}: {char!r} closes nothing.", HELP)
        if char == mark and depth == 0 and not quote:
            parts.append("")
        else:
            parts[-1] += char
    if depth or quote:
        raise InputError(f"cannot read {whole!r}: a bracket or quote is not closed.", HELP)
    if not all(part.strip() for part in parts):
        raise InputError(f"cannot read {whole!r}: nothing stands beside a {mark!r}.", HELP)
    return [part.strip() for part in parts]


def _expand(text: str, whole: str) -> list[str]:
    """Write out braces: replay:{a, b}[k={1, 2}] gives four members, the leftmost brace turning slowest."""
    pieces: list[list[str]] = []
    rest = text
    while "{" in rest:
        start = rest.index("{")
        stop = rest.find("}", start)
        if stop < 0 or "{" in rest[start + 1 : stop]:
            raise InputError(f"cannot read {whole!r}: braces are open or nested.", HELP)
        pieces += [[rest[:start]], _split(rest[start + 1 : stop], ",", whole)]
        rest = rest[stop + 1 :]
    pieces.append([rest])
    return ["".join(choice).strip() for choice in product(*pieces)]


def _member(text: str, whole: str) -> str:
    found = _MEMBER.match(text)
    if not found or found.end() != len(text):
        at = found.end() if found else 0
        stop = text[at : at + 12]
        place = f"before {stop!r}" if found else f"at {stop!r}"
        raise InputError(f"cannot read {whole!r} as a contender: stopped {place} in {text!r}.", HELP)
    return text
