"""The journal: what a writer appends to before anything else, so that `kill -9` loses nothing acknowledged.

One file a writer ("segment"). Each line is a checksum and one JSON list: first the column names, then one line for
every append, holding all its rows, so that the rows of an append stand or fall together. The writer holds a lock on its
file; a file that nobody locks belongs to a writer that died.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steelyard.pool.schema import COLUMNS, sound_text

SUFFIX = ".journal"


@dataclass(frozen=True, slots=True)
class Contents:
    """What a segment holds.

    rows: in the order of `columns`. torn_bytes: length of a last line cut short (never acknowledged).
    bad_lines: whole lines with a wrong checksum (acknowledged once, damaged since).
    """

    columns: tuple[str, ...]
    rows: list[list[Any]]
    torn_bytes: int
    bad_lines: int


class Segment:
    """The journal file of one living writer."""

    def __init__(self, folder: Path) -> None:
        """Make and lock a new segment in `folder`. Raises OSError."""
        while True:
            self.id = f"{time.time_ns():016x}-{os.urandom(4).hex()}"
            self.path = folder / (self.id + SUFFIX)
            self._file = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o644)
            fcntl.flock(self._file, fcntl.LOCK_EX)
            if _is_at(self._file, self.path):  # else: taken for an orphan between its making and its locking
                break
            os.close(self._file)
        self.size = 0
        self.rows = 0

    def append(self, rows: Sequence[list[Any]]) -> None:
        """Hand `rows` to the operating system as one line. What ends it early (OSError, Ctrl-C) takes the line back."""
        data = b"" if self.size else _line(list(COLUMNS))
        data += _line(rows)
        try:
            written = 0
            while written < len(data):
                written += os.write(self._file, data[written:])
            self.size += len(data)
        except BaseException:  # a full disk, or Ctrl-C between writing and knowing it: the two must go on agreeing
            os.ftruncate(self._file, self.size)
            raise
        self.rows += len(rows)

    def sync(self) -> None:
        """Force the segment to the disk."""
        os.fsync(self._file)

    def remove(self) -> None:
        """Delete the segment: its rows lie elsewhere, or there are none."""
        self.path.unlink(missing_ok=True)
        os.close(self._file)

    def abandon(self) -> None:
        """Let go of the file without deleting it (a forked child lets go of its parent's)."""
        os.close(self._file)


def _line(record: Sequence[Any]) -> bytes:
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    try:
        data = text.encode()
    except UnicodeEncodeError:
        clean = [[sound_text(v) if isinstance(v, str) else v for v in row] for row in record]
        data = json.dumps(clean, ensure_ascii=False, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(data), data)


def read(path: Path) -> Contents:
    """The rows of the segment at `path`; damaged lines are counted, not fatal. Raises FileNotFoundError."""
    *lines, tail = path.read_bytes().split(b"\n")
    columns: tuple[str, ...] = COLUMNS
    rows: list[list[Any]] = []
    bad = 0
    for number, line in enumerate(lines):
        if line[:8] != b"%08x" % zlib.crc32(line[9:]):
            bad += 1
            continue
        record = json.loads(line[9:])
        if number == 0:
            columns = tuple(record)
        else:
            rows.extend(record)
    return Contents(columns, rows, len(tail), bad)


@contextmanager
def orphans(folder: Path) -> Iterator[list[Path]]:
    """The segments in `folder` whose writers are dead, locked for as long as the context lasts."""
    held: list[int] = []
    found = []
    try:
        for path in sorted(folder.glob("*" + SUFFIX)):
            try:
                file = os.open(path, os.O_RDWR)
            except FileNotFoundError:
                continue
            held.append(file)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            if _is_at(file, path):
                found.append(path)
        yield found
    finally:
        for file in held:
            os.close(file)


@contextmanager
def sole(folder: Path, name: str) -> Iterator[bool]:
    """True where this process alone holds the lock called `name` while the context lasts, else False."""
    file = os.open(folder / f"{name}.lock", os.O_CREAT | os.O_RDWR, 0o644)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(file)


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False
