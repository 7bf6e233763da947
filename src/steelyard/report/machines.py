"""Machines in a few words, from the fingerprints kept with the measurements."""

from __future__ import annotations

import json
from collections.abc import Sequence


def describe(machines: Sequence[str]) -> str:
    """One machine in words, or how many there are."""
    words = sorted({_summary(m) for m in machines if m})
    if len(words) == 1:
        return words[0]
    return f"{len(words)} machines" if words else "machine not recorded"


def _summary(text: str) -> str:
    """The fingerprint's own summary; imported rows may hold any text, which then is the name."""
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return str(found.get("summary", text)) if isinstance(found, dict) else text
