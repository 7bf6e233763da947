"""A cheat: programs that leave with exit code 0 before anybody can test them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from steelyard.core.contender import contender
from steelyard.core.words import Case


@contender(
    "cheat-exit", interface="generator", source="arXiv:2412.21199, released runner (exit code 0 counts as passed)"
)
@dataclass(frozen=True)
class CheatExit:
    """Answers every problem with a program that ends itself: a sound runner must count none of them.

    how: sys.exit raises SystemExit; os._exit ends the process without any clean-up.
    """

    how: Literal["sys.exit", "os._exit"] = "sys.exit"

    def answer(self, case: Case, trial: int) -> str:
        return f"```python\nimport {self.how.partition('.')[0]}\n{self.how}(0)\n```"
