"""Which way a brought metric is better, in which unit, of which kind; and names that the pool can hold."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping

from steelyard.core.card import MetricFacts
from steelyard.core.errors import InputError
from steelyard.core.spec import parse_spec
from steelyard.core.words import Direction, Kind

HIGHER, LOWER, NONE = Direction.HIGHER, Direction.LOWER, Direction.NONE
_WIDTH = {Kind.BINARY: 0, Kind.FRACTION: 1, Kind.REAL: 2}


def known_direction(metric: str, table: Mapping[str, tuple[Direction, str]]) -> tuple[Direction, str] | None:
    """(direction, unit) of `metric` from a format's own table; the longest pattern that fits decides."""
    fits = [p for p in table if fnmatch.fnmatchcase(metric, p)]
    return table[max(fits, key=len)] if fits else None


def kind_of(unit: str, binary: bool, fraction: bool, known: MetricFacts | None) -> Kind:
    """The kind that holds the values at hand and those brought before.

    binary: all values are 0 or 1. fraction: all lie between 0 and 1.
    """
    if unit == "s":
        return Kind.DURATION
    if unit != "1":
        return Kind.COUNT if unit in ("token", "call") else Kind.REAL
    here = Kind.BINARY if binary else Kind.FRACTION if fraction else Kind.REAL
    if known is None or known.kind not in _WIDTH:
        return here
    return max(here, known.kind, key=_WIDTH.__getitem__)


def slug(name: str) -> str:
    """`name` as cards spell names: lower case, `@` as `_at_`, other marks as `-`. Raises InputError where nothing is left."""
    text = re.sub(r"[^a-z0-9._-]+", "-", name.strip().lower().replace("@", "_at_")).strip("-.")
    text = text.lstrip("_") or text
    if not re.match(r"[a-z0-9]", text):
        raise InputError(f"{name!r} makes no name: it holds no letter or digit of ASCII.", "Rename it in the file.")
    return text[:120]


def slugs(names: Iterable[str], what: str) -> dict[str, str]:
    """name -> slug. Raises InputError where two names make the same one."""
    made: dict[str, str] = {}
    for name in sorted(names):
        short = slug(name)
        if twin := next((other for other, taken in made.items() if taken == short), None):
            raise InputError(
                f"the {what}s {twin!r} and {name!r} would both be called {short!r}.", "Rename one of them in the file."
            )
        made[name] = short
    return made


def spec_names(names: Iterable[str]) -> dict[str, str]:
    """name -> contender as specs spell it, for the names that no spec can hold; two that look alike get a mark each."""
    import hashlib

    names = sorted(set(names))
    plain = {name for name in names if _is_spec(name)}
    made: dict[str, str] = {}
    for name in names:
        if name not in plain:
            made[name] = re.sub(r"[^A-Za-z0-9._/:@~-]+", "-", name).strip("-") or "unnamed"
            if not re.match(r"[A-Za-z0-9./~]", made[name]):
                made[name] = f"~{made[name]}"
    taken = [*plain, *made.values()]
    for name, short in made.items():
        if taken.count(short) > 1 or short == "unnamed":
            made[name] = f"{short}~{hashlib.sha256(name.encode()).hexdigest()[:6]}"
    return made


def _is_spec(name: str) -> bool:
    try:
        return str(parse_spec(name)) == name
    except InputError:
        return False
