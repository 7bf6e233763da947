"""Importers: measurements that other tools took, brought into the pool with a report of what became of every row."""

from __future__ import annotations

from steelyard.pool.importers.asked import Asked, Source, Told
from steelyard.pool.importers.formats import FORMATS, find
from steelyard.pool.importers.take import take

__all__ = ["FORMATS", "Asked", "Source", "Told", "find", "take"]
