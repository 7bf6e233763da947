"""One sandbox for a whole process, with the isolation the user chose."""

from __future__ import annotations

import os
import threading

from steelyard.core.errors import InputError

from .pool import Sandbox

_VARIABLE = "STEELYARD_ISOLATION"  # an environment variable, so that worker processes keep the user's choice
_LOCK = threading.Lock()
_SHARED: dict[tuple[int, str], Sandbox] = {}


def set_isolation(chosen: str) -> None:
    """Choose `bubblewrap` or, knowingly, `none` for this process and the workers it starts."""
    if chosen not in ("bubblewrap", "none"):
        raise InputError(f"--isolation is {chosen!r}.", "It may be bubblewrap, or none (programs run unprotected).")
    os.environ[_VARIABLE] = chosen


def isolation() -> str:
    """The isolation the user chose."""
    return os.environ.get(_VARIABLE, "bubblewrap")


def shared() -> Sandbox:
    """The sandbox of this process, its jails kept warm. Raises MissingError where programs cannot be isolated."""
    with _LOCK:
        key = (os.getpid(), isolation())
        if key not in _SHARED:
            _SHARED[key] = Sandbox(isolation=isolation())
        return _SHARED[key]
