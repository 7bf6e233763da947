"""Contender specs: `name`, `name[option=value,...]`, `model+solver[...]`; benchmarks are named the same way.

two-pass[isa=avx512,stores=streaming]
openai/gpt-4o[temperature=0.2]+self-debug[turns=3]
replay:published-outputs
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from steelyard.core.errors import InputError

Value = bool | int | float | str

_NAME = re.compile(r"[A-Za-z0-9_./~][A-Za-z0-9._/:@~-]*")
_KEY = re.compile(r"[a-z][a-z0-9_-]*")
_BARE = re.compile(r"[^\s,\[\]\"']+")
_QUOTED = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True, slots=True)
class Spec:
    """A parsed spec. `options` keeps its names sorted, so equal specs print alike; `solvers` apply left to right."""

    name: str
    options: Mapping[str, Value] = field(default_factory=dict)
    solvers: tuple[Spec, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", MappingProxyType(dict(sorted(self.options.items()))))

    def __hash__(self) -> int:
        return hash(str(self))

    def __reduce__(self) -> tuple[object, ...]:
        return Spec, (self.name, dict(self.options), self.solvers)

    def __str__(self) -> str:
        head = self.name
        if self.options:
            head += "[" + ",".join(f"{k}={print_value(v)}" for k, v in self.options.items()) + "]"
        return "+".join([head, *map(str, self.solvers)])


def parse_spec(text: str) -> Spec:
    """Parse one spec; InputError names the text, the column and what was expected there."""
    parts = []
    at = 0
    while True:
        part, at = _part(text, at)
        parts.append(part)
        if at == len(text):
            return Spec(parts[0].name, parts[0].options, tuple(parts[1:]))
        if text[at] != "+":
            raise _wrong(text, at, "'+', '[' or the end")
        at += 1


def split_specs(text: str) -> list[str]:
    """Split `a[x=1,y=2],b` at the commas outside brackets and quotes."""
    depth, quote, start, out = 0, "", 0, []
    for at, char in enumerate(text):
        if quote:
            quote = "" if char == quote and text[at - 1] != "\\" else quote
        elif char in "\"'":
            quote = char
        elif char in "[{":
            depth += 1
        elif char in "]}":
            depth -= 1
        elif char == "," and depth == 0:
            out.append(text[start:at].strip())
            start = at + 1
    return [part for part in [*out, text[start:].strip()] if part]


def parse_value(text: str) -> Value:
    """true/false, an int, a float, else the string itself."""
    if text in ("true", "false"):
        return text == "true"
    if _NUMBER.fullmatch(text):
        return float(text) if set(text) & set(".eE") else int(text)
    return text


def print_value(value: Value) -> str:
    """The shortest text that parses back to `value`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        plain = _BARE.fullmatch(value) and "+" not in value and parse_value(value) == value
        return value if plain else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)


def _part(text: str, at: int) -> tuple[Spec, int]:
    name = _NAME.match(text, at)
    if not name:
        raise _wrong(text, at, "a name")
    at = name.end()
    if at == len(text) or text[at] != "[":
        return Spec(name[0]), at
    options: dict[str, Value] = {}
    at += 1
    while True:
        at = _space(text, at)
        if at < len(text) and text[at] == "]" and not options:
            return Spec(name[0]), at + 1
        key = _KEY.match(text, at)
        if not key:
            raise _wrong(text, at, "an option name")
        at = _space(text, key.end())
        if at == len(text) or text[at] != "=":
            raise _wrong(text, at, f"'=' and a value for option {key[0]!r}")
        if key[0] in options:
            raise _wrong(text, key.start(), f"each option once, but {key[0]!r} stands twice")
        options[key[0]], at = _value(text, _space(text, at + 1))
        at = _space(text, at)
        if at < len(text) and text[at] == "]":
            return Spec(name[0], options), at + 1
        if at == len(text) or text[at] != ",":
            raise _wrong(text, at, "',' or ']'")
        at += 1


def _value(text: str, at: int) -> tuple[Value, int]:
    if quoted := _QUOTED.match(text, at):
        inner = quoted[1] if quoted[1] is not None else quoted[2]
        return re.sub(r"\\(.)", r"\1", inner), quoted.end()
    if bare := _BARE.match(text, at):
        return parse_value(bare[0]), bare.end()
    raise _wrong(text, at, "a value")


def _space(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _wrong(text: str, at: int, expected: str) -> InputError:
    return InputError(
        f"cannot read {text!r} at column {at + 1}: expected {expected}.",
        "Write name, name[option=value,...] or model+solver[option=value,...]; quote values that hold , [ ] or spaces.",
    )


def walk(spec: Spec) -> Iterator[Spec]:
    """The spec itself without its solvers, then each solver."""
    yield Spec(spec.name, spec.options)
    yield from spec.solvers
