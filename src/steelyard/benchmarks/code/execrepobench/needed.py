"""Which other files a gap needs, and how early the ranking of files has them."""

from __future__ import annotations

import ast
import re
from functools import lru_cache

from steelyard.benchmarks.code.execrepobench import context, gaps
from steelyard.benchmarks.code.execrepobench.gaps import Gap
from steelyard.benchmarks.code.static.modules import Module, Project

_NAME = re.compile(r"[^\W\d]\w*")


def needed(gap: Gap) -> set[str]:
    """The other files that define, at their top level, a name that the middle uses and its own file does not define."""
    files = gaps.ranked(gap, "without-middle")
    index = _index((*files, (gap.path, gap.filled(gap.middle))))
    names = set(_NAME.findall(gap.middle)) - _defined(index.by_path[gap.path])
    return {path for path, _ in files if names & _defined(index.by_path[path])}


def mean_rank(gap: Gap, query: context.Query) -> float | None:
    """The mean place (from 1) of the needed files in the ranking; None where none is needed."""
    wanted = needed(gap)
    places = [at for at, (path, _) in enumerate(gaps.ranked(gap, query), 1) if path in wanted]
    return sum(places) / len(places) if places else None


@lru_cache(maxsize=32)
def _index(files: tuple[context.File, ...]) -> Project:
    return Project(dict(files))


def _defined(module: Module) -> set[str]:
    """The names that a module's own statements bind, imports aside."""
    return {
        name
        for name, nodes in module.bindings.items()
        if not all(isinstance(node, ast.Import | ast.ImportFrom) for node in nodes)
    }
