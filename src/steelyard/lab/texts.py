"""Prose that every Python brings along: its documentation topics, some for measuring, one held apart for calibration."""

from __future__ import annotations

HELD_APART = "compound"
SHORTEST = 4000  # characters: about a thousand tokens


def topics() -> dict[str, str]:
    """Topic -> text of those long enough to make a window, without the one for calibration and without repetitions."""
    from pydoc_data.topics import topics as everything

    chosen: dict[str, str] = {}
    for name, text in sorted(everything.items(), key=lambda item: -len(item[1])):
        if name == HELD_APART or len(text) < SHORTEST:
            continue
        if not any(text[500:700] in other for other in (*chosen.values(), everything[HELD_APART])):
            chosen[name] = text
    return dict(sorted(chosen.items()))


def calibration() -> str:
    """The text that a method may look at before anything is measured."""
    from pydoc_data.topics import topics as everything

    return everything[HELD_APART]
