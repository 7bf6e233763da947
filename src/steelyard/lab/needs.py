"""Libraries of the extra `lab`, asked for before anything is measured."""

from __future__ import annotations

import importlib.util

from steelyard.core.errors import MissingError


def require(*names: str) -> None:
    """Raises MissingError for the first that is not installed."""
    for name in names:
        if importlib.util.find_spec(name) is None:
            raise MissingError(f"the library {name!r} is not installed.", "pip install 'steelyard[lab]'")
