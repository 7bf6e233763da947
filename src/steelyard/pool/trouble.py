"""What can go wrong with a pool, as errors and warnings for the person who reads them."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from steelyard.core.errors import MissingError


class PoolWarning(UserWarning):
    """Something in the pool is damaged; the rest is still read."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding: its kind ("torn part", "torn record", "left over", "blob", "row" ...), the file, what it means."""

    kind: str
    file: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.file}: {self.detail}"


_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EROFS, errno.EACCES, errno.EPERM}


@contextmanager
def told(place: str, doing: str) -> Iterator[None]:
    """Turn an operating-system error while `doing` something at `place` into a MissingError with a cure."""
    try:
        yield
    except OSError as error:
        kept = "Everything acknowledged so far is kept; the run resumes where it stopped."
        if error.errno in _FULL:
            raise MissingError(
                f"pool {place}: no space left while {doing} ({error.strerror}).",
                f"Free some space (or raise the quota or file-size limit) and run again. {kept}",
            ) from error
        if error.errno in _FORBIDDEN or isinstance(error, PermissionError):
            raise MissingError(
                f"pool {place}: not writable while {doing} ({error.strerror or error}).",
                "Make the folder writable, or name another pool with --pool or STEELYARD_POOL.",
            ) from error
        raise MissingError(
            f"pool {place}: {error.strerror or error} while {doing}.", f"Check that the place is reachable. {kept}"
        ) from error
