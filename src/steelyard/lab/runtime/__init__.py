"""Runs of language models taken apart: training, fine-tuning and inference in processes of their own, timed and counted.

A runtime (interface `runtime`) has `ranks` and `open(work, place)`, which gives something with step(); `Training` and
`Inference` are most of what one needs, and let every step be taken apart. `measuring.measure` is what a benchmark calls
in a new process (`nursery.call`). Everything that needs PyTorch is imported at first use.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

_WHERE = {
    "Figures": "figures", "Inference": "steps", "Operator": "operators", "Place": "forking", "Server": "online", "Training": "steps",
    "Work": "work", "open_for": "work", "operator": "operators", "rows_of": "steps",
}  # fmt: skip

__all__ = [*sorted(_WHERE), "sources"]


def sources() -> tuple[Path, ...]:
    """The files that every figure depends on."""
    return tuple(sorted(Path(__file__).parent.glob("*.py")))


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(name)
    return getattr(importlib.import_module(f"steelyard.lab.runtime.{_WHERE[name]}"), name)
