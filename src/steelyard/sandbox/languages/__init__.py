"""The languages whose programs are compiled and tested here, one small adapter each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...core.errors import unknown

if TYPE_CHECKING:
    from .adapters import Language


def get(name: str) -> Language:
    """The adapter of a language: c, cpp, go, javascript, rust, shell, typescript. (Java has its own: `languages.java`.)"""
    from .adapters import LANGUAGES

    if name not in LANGUAGES:
        raise unknown("language", name, LANGUAGES)
    return LANGUAGES[name]


def missing() -> dict[str, str]:
    """language -> why its programs cannot be judged here, "" where they can."""
    from . import java
    from .adapters import LANGUAGES

    return {name: one.missing() for name, one in LANGUAGES.items()} | {"java": java.missing()}
