"""Progress of a run: done, failed, rate and time left, on a terminal or as plain lines in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol

from steelyard.core.words import Status


class Progress(Protocol):
    """What `weigh` tells of its progress. Counts are cells."""

    def over(self, what: str, total: int) -> AbstractContextManager[Any]: ...

    def skip(self, cells: int) -> None:
        """Cells that need no measuring."""
        ...

    def advance(self, contender: str, case: str, status: Status) -> None: ...


class Silent:
    """No display: for library use."""

    def over(self, what: str, total: int) -> AbstractContextManager[Any]:
        return nullcontext()

    def skip(self, cells: int) -> None: ...

    def advance(self, contender: str, case: str, status: Status) -> None: ...


class Bar:
    """A live line on a terminal; without one, a plain line at most every `every_s` seconds. Writes to stderr."""

    def __init__(self, every_s: float = 30.0) -> None:
        self.every_s = every_s
        self.failed = self.done = self.total = 0

    @contextmanager
    def over(self, what: str, total: int) -> Iterator[None]:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Rich

        self.failed, self.done, self.total, self.what = 0, 0, total, what
        self.measured, self.began, self.said = 0, time.monotonic(), time.monotonic()
        console = Console(stderr=True)
        self.rich: Any = None
        if not console.is_terminal:
            yield
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
        )
        with Rich(*columns, console=console, transient=True) as self.rich:
            self.task = self.rich.add_task(what, total=total, note="")
            yield

    def skip(self, cells: int) -> None:
        self.done += cells
        self._show("")

    def advance(self, contender: str, case: str, status: Status) -> None:
        self.done += 1
        self.measured += 1
        self.failed += status is not Status.OK
        self._show(f"{contender} on {case}")

    def _show(self, now: str) -> None:
        spent = time.monotonic() - self.began
        rate = self.measured / spent if spent > 0 else 0.0
        left = f", {_span((self.total - self.done) / rate)} left" if rate > 0 and self.total > self.done else ""
        failed = f", {self.failed} failed" if self.failed else ""
        note = f"{rate:.3g}/s{left}{failed}"
        if self.rich is not None:
            self.rich.update(self.task, completed=self.done, note=f"{note}  {now}"[:70])
        elif time.monotonic() - self.said > self.every_s:
            self.said = time.monotonic()
            print(f"{self.what}: {self.done} of {self.total}, {note}", file=sys.stderr, flush=True)


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
