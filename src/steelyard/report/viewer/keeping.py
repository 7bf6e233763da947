"""What was computed from the pool, kept while the pool stands as it was; long work goes on behind the page."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

ENTRIES = 400


@dataclass
class Entry:
    """One thing computed or under way. stamp: of what it was computed from."""

    stamp: str
    began: float = field(default_factory=time.monotonic)
    done: threading.Event = field(default_factory=threading.Event)
    value: Any = None
    error: Exception | None = None


class Keep:
    """Computes each thing once, in threads that end with the process; what was asked for last goes first.

    Slow work has a thread of its own: a comparison that takes minutes must not hold up the other pages.
    """

    def __init__(self) -> None:
        self._entries: OrderedDict[Hashable, Entry] = OrderedDict()
        self._waiting: dict[bool, list[tuple[Entry, Callable[[], Any]]]] = {False: [], True: []}
        self._changed = threading.Condition()
        for slow in (False, False, True):
            threading.Thread(target=self._work, args=(slow,), daemon=True).start()

    def get(self, key: Hashable, stamp: str, compute: Callable[[], Any], wait_s: float, *, slow: bool = False) -> Entry:
        """The entry of `key`, computed again where `stamp` has changed; done, unless it takes longer than `wait_s`."""
        with self._changed:
            entry = self._entries.get(key)
            if entry is None or entry.stamp != stamp:
                entry = Entry(stamp)
                self._entries[key] = entry
                self._waiting[slow].append((entry, compute))
                self._changed.notify_all()
            self._entries.move_to_end(key)
            while len(self._entries) > ENTRIES:
                self._entries.popitem(last=False)
        entry.done.wait(max(0.0, wait_s))
        return entry

    def _work(self, slow: bool) -> None:
        while True:
            with self._changed:
                while not self._waiting[slow]:
                    self._changed.wait()
                entry, compute = self._waiting[slow].pop()
            try:
                entry.value = compute()
            except Exception as error:  # told to whoever asks for the entry
                entry.error = error
            entry.done.set()
