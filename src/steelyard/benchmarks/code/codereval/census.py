"""How many functions of much-used packages stand alone: the level classifier over what is installed here."""

from __future__ import annotations

import ast
import importlib.util
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from steelyard.benchmarks.code.codereval.published import STANDALONE
from steelyard.benchmarks.code.static.python import Project, dependencies

# Pure Python packages among the most downloaded of the index, by the name they are imported as.
PACKAGES = (
    "anyio", "attr", "bs4", "certifi", "charset_normalizer", "click", "coverage", "dateutil", "fastapi", "filelock",
    "fsspec", "httpcore", "httpx", "idna", "jinja2", "jsonschema", "markdown_it", "networkx", "packaging", "pip",
    "platformdirs", "pluggy", "pydantic", "pygments", "referencing", "requests", "rich", "starlette", "tqdm", "typer",
    "urllib3", "uvicorn", "websockets", "yaml",
)  # fmt: skip
LEAST_LINES = 3
MOST_FUNCTIONS = 200  # of one package, drawn


@dataclass(frozen=True, slots=True)
class Package:
    """One installed package: its folder."""

    name: str
    root: Path

    def levels(self, seed: int = 0) -> Counter[str]:
        """Level -> functions at it, of at most 200 that have at least three lines."""
        files = {
            f"{self.name}/{path.relative_to(self.root).as_posix()}": path.read_text("utf-8", "replace")
            for path in sorted(self.root.rglob("*.py"))
            if not any(part in ("tests", "test", "testing", "_vendor") for part in path.relative_to(self.root).parts)
        }
        project = Project(files)
        found = [
            (path, name) for path in files for name, node in project.functions(path) if _lines(node) >= LEAST_LINES
        ]
        chosen = sorted(random.Random(seed).sample(found, min(len(found), MOST_FUNCTIONS)))
        return Counter(dependencies(project, path, name, signature=True).level for path, name in chosen)


def installed() -> list[Package]:
    """Those of PACKAGES that are installed here."""
    found = []
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations:
            found.append(Package(name, Path(next(iter(spec.submodule_search_locations)))))
    return found


def share(levels: Counter[str]) -> float:
    """The part of the functions that need more than the language and its standard library."""
    return 1.0 - sum(levels[level] for level in STANDALONE) / levels.total()


def _lines(node: ast.AST) -> int:
    return getattr(node, "end_lineno", 0) - getattr(node, "lineno", 0) + 1
