"""What the fifteen languages call their comments, calls, imports and assignments: languages.conf, read once."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from steelyard.core.errors import unknown

Sides = Mapping[str, tuple[str, str]]


@dataclass(frozen=True, eq=False)
class Language:
    """One language. comments, strings, ...: node types of its grammar (languages.conf says what each list is for).

    declare, assign, each: node type -> (receiver, giver), each a field or the number of a named child.
    names: composite nodes that are one name (`$x` of PHP). keywords: reserved words. builtins: names that need no import.
    """

    name: str
    comments: frozenset[str]
    strings: frozenset[str]
    calls: Mapping[str, str]
    receiver: Mapping[str, str]
    imports: frozenset[str]
    names: frozenset[str]
    declare: Sides
    assign: Sides
    each: Sides
    split: bool
    update: frozenset[str]
    branch: frozenset[str]
    loop: frozenset[str]
    counted: frozenset[str]
    first: frozenset[str]
    keywords: frozenset[str]
    builtins: frozenset[str]


@cache
def language(name: str) -> Language:
    """The language of this name, in any case (`CSharp` is `csharp`). Raises InputError for one that is not known."""
    tables = _tables()
    if name.lower() not in tables:
        raise unknown("language", name, tables)
    table = tables[name.lower()]
    if "like" in table:
        table = tables[str(table["like"])] | table
    names = {key: frozenset(table.get(key, ())) for key in ("comments", "strings", "imports", "names", "update")}
    names |= {key: frozenset(table.get(key, ())) for key in ("branch", "loop", "first")}
    return Language(
        name=name.lower(), **names, counted=frozenset(table.get("for", ())), split=bool(table.get("split")),
        calls=_fields(table["calls"]), receiver=_fields(table.get("receiver", ())),
        **{key: _sides(table.get(key, ())) for key in ("declare", "assign", "each")},
        keywords=frozenset(table["keywords"].split()), builtins=frozenset(table["builtins"].split()),
    )  # fmt: skip


def known() -> tuple[str, ...]:
    """The names of the fifteen languages."""
    return tuple(_tables())


@cache
def _tables() -> dict[str, dict[str, object]]:
    return tomllib.loads((Path(__file__).parent / "languages.conf").read_text(encoding="utf-8"))


def _fields(rules: list[str]) -> dict[str, str]:
    return {node: field for node, _, field in (rule.partition(".") for rule in rules)}


def _sides(rules: list[str]) -> dict[str, tuple[str, str]]:
    return {node: (left, right) for node, left, right in map(str.split, rules)}
