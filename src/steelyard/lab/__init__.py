"""Language models opened in PyTorch, with caches that a method may shape: one forward pass, one interface, exact counts.

Everything is imported at first use: PyTorch takes seconds.
"""

from __future__ import annotations

import importlib
from typing import Any

_WHERE = {
    "Attention": "attention", "CachePolicy": "policy", "Counts": "counts", "KVCache": "cache", "LabModel": "opening",
    "LayerCache": "cache", "Session": "session", "forward": "forward_pass", "from_model": "opening",
    "open_model": "opening",
}  # fmt: skip

__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(name)
    return getattr(importlib.import_module(f"steelyard.lab.{_WHERE[name]}"), name)
