"""Runs candidate programs: the one door from the code benchmarks to the sandbox."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from functools import cache, lru_cache

from steelyard.benchmarks.code import selfinvoke
from steelyard.core.interfaces import Outcome
from steelyard.core.words import Status
from steelyard.sandbox import Limits, Verdict, shared
from steelyard.sandbox import Outcome as Ran

# The same program is asked about several times: raw and sanitised views, references of a gate, repeated runs.
_REMEMBERED = 1024


@lru_cache(maxsize=_REMEMBERED)
def check(candidate: str, tests: str, wall_s: float) -> Ran:
    """Run `candidate`, then `tests` against what it defined; passed only if the last test was reached and held.

    wall_s: seconds of wall time for both (tests must compile). Raises MissingError when programs cannot be isolated.
    """
    return shared().check(_encodable(candidate), tests, limits=Limits(wall_s=wall_s))


@lru_cache(maxsize=_REMEMBERED)
def run_file(program: str, wall_s: float) -> Ran:
    """Run a program as a script; passed when its exit code is 0 (the released runners' idea of success)."""
    return shared().run(_encodable(program), limits=Limits(wall_s=wall_s))


def broken(ran: Ran, program: str) -> Outcome:
    """The outcome when our own runner failed: it never counts against the contender, and the next try starts afresh."""
    check.cache_clear()
    run_file.cache_clear()
    return Outcome({}, Status.FAILED, f"runner: {ran.message}", {"program": program, "log": ran.stderr})


def is_broken(ran: Ran) -> bool:
    return ran.verdict is Verdict.RUNNER_ERROR


def log_of(ran: Ran) -> str:
    """What a program printed, for the artifact beside its numbers."""
    return "\n".join(part for part in (ran.message, ran.stdout, ran.stderr) if part)


def missing_modules(sources: Iterable[str]) -> list[str]:
    """The top-level modules that `sources` import and that programs in the sandbox cannot."""
    wanted = {name for source in sources for name in _imports(source)} - set(sys.stdlib_module_names)
    return sorted(name for name in wanted if not _importable(name))


@cache
def _importable(module: str) -> bool:
    ran = shared().check(f"import {module}", "pass", limits=Limits(wall_s=60.0))
    return ran.passed


def _imports(source: str) -> set[str]:
    tree = selfinvoke.parsed(source)
    if tree is None:
        return set()
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def _encodable(program: str) -> str:
    """Lone surrogates (left by outputs that were no UTF-8) cannot be sent to a process; they become U+FFFD."""
    return program.encode("utf-8", "replace").decode("utf-8")
