"""Whether an answer calls what the reference calls, and whether what it calls exists."""

from __future__ import annotations

from functools import lru_cache

from steelyard.benchmarks.code.multicodebench.tasks import Task
from steelyard.benchmarks.code.static import calls
from steelyard.benchmarks.code.static.languages import language


def api_metrics(task: Task, function: str) -> dict[str, float]:
    """api_recall, api_precision, api_f1 over simple names, where the reference calls anything; hallucinated_api.

    hallucinated_api: share of the called names that neither the file's imports, nor the language, nor the repository have.
    It is left out where imports bring names that they do not list (headers, wildcards, whole modules), and where the answer
    calls nothing. A method of a value that the function holds itself cannot be looked up without types: it counts as known.
    """
    called = calls.calls(task.language, function) if function else []
    names = {calls.simple_name(name) for name in called} - {""}
    wanted = {calls.simple_name(name) for name in task.api} - {""}
    metrics: dict[str, float] = {}
    if wanted:
        shared = len(names & wanted)
        metrics["api_recall"] = shared / len(wanted)
        metrics["api_precision"] = shared / len(names) if names else 0.0
        metrics["api_f1"] = 2 * shared / (len(names) + len(wanted))
    closed, known = _known(task)
    if called and closed:
        known = known | calls.held(task.language, function)
        known |= calls.identifiers(calls.imports(task.language, function))
        parts = {(calls.root_name(name), calls.simple_name(name)) for name in called}
        invented = {last for head, last in parts if head and head not in known and last not in known}
        metrics["hallucinated_api"] = len(invented) / max(1, len(names))
    return metrics


@lru_cache(maxsize=64)
def _known(task: Task) -> tuple[bool, frozenset[str]]:
    """Whether the imports list all names that they bring, and every name that exists for the function."""
    table = language(task.language)
    repository = calls.identifiers((*task.api, *(name for name, _ in task.dependencies), task.declaration))
    known = calls.identifiers(task.imports) | repository | table.builtins | table.keywords
    return not calls.is_open(task.language, task.imports), frozenset(known)
