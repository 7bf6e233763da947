"""Verdicts kept on disk, by a hash of everything they depend on, so that nothing is judged twice."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

VARIABLE = "STEELYARD_VERDICTS"  # another folder, or "off"


def folder() -> Path | None:
    """Where verdicts are kept; None where the user turned this off (STEELYARD_VERDICTS=off)."""
    chosen = os.environ.get(VARIABLE, "")
    if chosen == "off":
        return None
    import platformdirs

    return Path(chosen) if chosen else platformdirs.user_cache_path("steelyard") / "verdicts"


def verdict(parts: Any, judge: Callable[[], tuple[Any, bool]]) -> Any:
    """The verdict for `parts`, kept or judged now.

    parts: everything it depends on, as JSON: program, tests, files, limits, versions of the tools, a name of the judging code.
    judge: gives the verdict (JSON) and whether it may be kept: a timeout or a fault of ours may not, it can end otherwise.
    A folder that cannot be written to costs time, never a verdict.
    """
    home = folder()
    if home is None:
        return judge()[0]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=True).encode()).hexdigest()
    path = home / digest[:2] / f"{digest}.json"
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        pass
    value, keep = judge()
    if keep:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as file:
                json.dump(value, file)
            os.replace(file.name, path)
        except OSError:
            pass
    return value
