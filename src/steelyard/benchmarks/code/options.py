"""Options that the code benchmarks share, and their check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from steelyard.core.errors import InputError

Route = Literal["chat", "completion"]
Profile = Literal["sound", "published"]
VARIANTS = ("0shot", "1shot", "cot")


def check_options(
    *,
    route: str = "chat",
    prompt: str = "0shot",
    profile: str = "sound",
    timeout: float = 1.0,
    variants: Sequence[str] = VARIANTS,
) -> None:
    """Raises InputError naming the option, its value and what it may be."""
    for name, value, known in (
        ("route", route, ("chat", "completion")),
        ("prompt", prompt, variants),
        ("profile", profile, ("sound", "published")),
    ):
        if value not in known:
            raise InputError(f"option {name!r} is {value!r}.", f"Here it may be {', '.join(known)}.")
    if not timeout > 0:
        raise InputError(f"option 'timeout' is {timeout!r}.", "It is a number of seconds above 0.")
