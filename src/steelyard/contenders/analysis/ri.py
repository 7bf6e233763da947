"""Relative improvement of searched runs over random ones, per method of a table."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar, Literal

from steelyard.core.contender import contender
from steelyard.stats import search_gain
from steelyard.stats.search_gain import Gain, gain

NOTEBOOK = ("DARTS", "PDARTS", "NSGANET", "ENAS", "CNAS", "MANAS", "StacNAS", "NAO")


@contender("ri", interface="analysis", source="arXiv:1912.12522, section 3.1")
@dataclass(frozen=True)
class RelativeImprovement:
    """RI = 100 (mean of the method's runs - mean of its space's random runs) / mean of the random runs.

    columns: by-name pairs `Random FOO` with `FOO`; by-position takes the pairs in the order of the official notebook,
    whatever their headers say, and so swaps two methods where a table has them the other way round.
    """

    columns: Literal["by-name", "by-position"] = "by-name"

    depends_on: ClassVar[tuple[ModuleType, ...]] = (search_gain,)

    def __call__(self, sheet: Any) -> dict[str, Gain]:
        """Method -> gain, for every method of the sheet (columns, values, methods) that has runs."""
        found = {}
        for k, method in enumerate(sheet.methods):
            random, searched = sheet.random(method), sheet.searched(method)
            name = method
            if self.columns == "by-position" and len(sheet.methods) == len(NOTEBOOK):
                name = NOTEBOOK[k]
            if searched.size and random.size:
                found[name] = gain(searched, random)
        return found
