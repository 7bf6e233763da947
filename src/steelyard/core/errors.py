"""Errors for the person who reads them: what was wrong, where, and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

OK, MEASURED_FAILURE, BAD_INPUT, BAD_ENVIRONMENT, STOPPED = 0, 1, 2, 3, 130


class SteelyardError(Exception):
    """An error with a cure. `exit_code` is what the command line returns for it.

    what: one line saying what was wrong and where (file, line, field).
    cure: what to do about it; may have several lines, printed indented under `what`.
    """

    exit_code = BAD_INPUT

    def __init__(self, what: str, cure: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.cure = cure

    def __str__(self) -> str:
        return "\n  ".join([self.what, *self.cure.splitlines()])


class InputError(SteelyardError):
    """Bad usage, a bad name, malformed data: the user can mend it (exit code 2)."""


class MissingError(SteelyardError):
    """A tool, a model, hardware or data that is not here (exit code 3)."""

    exit_code = BAD_ENVIRONMENT


def not_installed(who: str, library: str) -> MissingError:
    """The error for a library that `who` needs, by the name it is imported by."""
    cure = f"pip install {library}   or the extra that holds it: pip install 'steelyard[lab,models,science]'"
    return MissingError(f"{who} needs the library {library!r}, which is not installed.", cure)


def unknown(kind: str, name: str, known: Iterable[str], where: str = "") -> InputError:
    """The error for a name that does not exist, with the nearest names that do."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        cure = f"Did you mean {' or '.join(near)}?"
    elif len(known) <= 20:
        cure = f"Known: {', '.join(known) or 'none'}."
    else:
        cure = "`steelyard list` shows what there is."
    return InputError(f"unknown {kind} {name!r}{f' in {where}' if where else ''}.", cure)
