"""A participant's verdicts from a file: what a model really did, to be rated."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from steelyard.core.contender import contender
from steelyard.core.errors import InputError, MissingError
from steelyard.stats.contest import Round

_KEY = re.compile(r"(\d+)([A-Z][0-9]*)")


@contender("status", interface="analysis", source="arXiv:2501.01257, section 3")
@dataclass(frozen=True)
class StatusTable:
    """Verdicts in the order of the attempts, as the released script keeps them.

    file: JSON, contest and problem -> verdicts: {"1350A": ["WA", "AC"], "1350B": ["TLE", "No code"]}.
    """

    file: str

    def __post_init__(self) -> None:
        if not Path(self.file).is_file():
            raise MissingError(f"{self.file} is not a file.", 'It holds {"1350A": ["WA", "AC", ...], ...}.')

    @property
    def depends_on(self) -> tuple[Path]:
        """An edited file is another contender: what was measured of the old one does not count."""
        return (Path(self.file),)

    @cached_property
    def table(self) -> dict[str, dict[str, list[str]]]:
        """contest -> problem -> verdicts."""
        try:
            given = json.loads(Path(self.file).read_text(encoding="utf-8"), object_pairs_hook=_once)
        except ValueError as error:
            raise InputError(f"{self.file}: {error}.", 'Write {"1350A": ["WA", "AC"], ...}.') from error
        if not isinstance(given, dict) or not given:
            raise InputError(f"{self.file}: no status table.", 'Write {"1350A": ["WA", "AC"], ...}.')
        found: dict[str, dict[str, list[str]]] = {}
        for key, verdicts in given.items():
            match = _KEY.fullmatch(key)
            if not match:
                raise InputError(f"{self.file}: {key!r} names no problem.", "Write contest and problem: 1350A.")
            found.setdefault(match[1], {})[match[2]] = verdicts
        return found

    @property
    def contests(self) -> list[str]:
        """The contest of each problem in the file."""
        return [contest for contest, problems in self.table.items() for _ in problems]

    def __call__(self, contest: Round) -> dict[str, list[str]] | None:
        """The attempts of one round; None where the file has none."""
        return self.table.get(contest.id)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    names = [name for name, _ in pairs]
    if twice := {n for n in names if names.count(n) > 1}:
        raise ValueError(f"{sorted(twice)[0]} stands twice")
    return dict(pairs)
