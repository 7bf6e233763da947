"""What an address asks for, and what it gets: the state of every page is its query string."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlencode

from markupsafe import Markup

from steelyard.core.errors import InputError
from steelyard.report.viewer.keeping import Keep
from steelyard.report.viewer.queries import Store

T = TypeVar("T")
PATIENCE_S = 0.4  # how long a page waits for what it shows; the rest follows when it is there


class NotThereError(InputError):
    """Something that the address names and the pool lacks: status 404."""


class EmptyPoolError(NotThereError):
    """The page needs a measurement, any, and the pool holds none yet."""


class PendingError(Exception):
    """What the page is about is still being computed."""


@dataclass
class Page:
    """What a page shows. tables: name -> rows (mappings), the first one is what CSV gives; drawings: name -> SVG.

    pending: what is still being computed, with the seconds so far; the page is asked again soon.
    """

    title: str
    template: str = ""
    context: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, Any] = field(default_factory=dict)
    drawings: dict[str, Markup] = field(default_factory=dict)
    pending: list[tuple[str, float]] = field(default_factory=list)


@dataclass
class Ask:
    """One request. path: without format ending. query: every value of every name. whole: wait for everything."""

    store: Store
    keep: Keep
    path: str
    query: dict[str, list[str]]
    whole: bool = False
    began: float = field(default_factory=time.monotonic)
    pending: list[tuple[str, float]] = field(default_factory=list)

    def one(self, name: str, default: str = "") -> str:
        return (self.query.get(name) or [default])[-1].strip() or default

    def many(self, name: str) -> list[str]:
        return list(dict.fromkeys(v for v in self.query.get(name, []) if v))

    def choice(self, name: str, choices: Sequence[str]) -> str:
        """One of `choices`, the first by default. Raises InputError for another word."""
        found = self.one(name, choices[0])
        if found not in choices:
            raise InputError(f"{name} is {found!r}.", f"It may be {', '.join(choices)}.")
        return found

    def number(self, name: str, default: int, low: int, high: int) -> int:
        text = self.one(name, str(default))
        if not text.isdecimal() or not text.isascii() or len(text) > 9:
            raise InputError(f"{name} is {text!r}.", f"It must be a whole number from {low} to {high}.")
        return min(high, max(low, int(text)))

    def url(self, path: str = "", /, **changes: Any) -> str:
        """The address of `path` with only `changes`; without a path this page with some of its state changed."""
        state: dict[str, Any] = {} if path else dict(self.query)
        state |= changes
        kept = {k: v for k, v in state.items() if v not in (None, "", [])}
        return (path or self.path) + (f"?{urlencode(kept, doseq=True)}" if kept else "")

    def as_format(self, ending: str, **more: Any) -> str:
        return self.url(**more).replace(self.path, f"{'/papers' if self.path == '/' else self.path}.{ending}", 1)

    def get(self, what: str, key: Hashable, stamp: str, compute: Callable[[], T], *, slow: bool = False) -> T | None:
        """What `compute` gives, kept until `stamp` changes; None while it is being computed (the page says so)."""
        wait = 600.0 if self.whole else self.began + PATIENCE_S - time.monotonic()
        entry = self.keep.get(key, stamp, compute, wait, slow=slow)
        if not entry.done.is_set():
            self.pending.append((what, time.monotonic() - entry.began))
            return None
        if entry.error is not None:
            raise entry.error
        found: T = entry.value
        return found

    def need(self, what: str, key: Hashable, stamp: str, compute: Callable[[], T]) -> T:
        """As `get`; raises PendingError where the page can show nothing without it."""
        found = self.get(what, key, stamp, compute)
        if found is None:
            raise PendingError(what)
        return found
