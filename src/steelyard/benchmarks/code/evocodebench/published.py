"""What published completions tell by themselves, where the projects they belong to are not here."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from steelyard.benchmarks.code.evocodebench import extraction
from steelyard.benchmarks.code.evocodebench.samples import Target
from steelyard.core.interfaces import Outcome
from steelyard.core.words import Status


def score(body: str) -> Outcome:
    """What a published body tells by itself: whether it parses, and where not, whether a beginning of it does."""
    parsed = extraction.parses(body)
    metrics = {
        "parses": float(parsed), "stub": float(extraction.is_stub(body)), "unparsable": float(not parsed),
        "mendable": float(not parsed and bool(extraction.mended(body))),
    }  # fmt: skip
    return Outcome(metrics, Status.OK, "" if parsed else "SyntaxError: the body does not parse", {"program": body})


def summary(values: Any) -> dict[str, str | float]:
    """How many bodies of a run do not parse, and of how many of them a beginning does."""
    lost, mended = values("unparsable"), values("mendable")
    if not lost:
        return {}
    return {"unparsable": f"{sum(lost.values()):.0f} of {len(lost)}", "of them cut off": f"{sum(mended.values()):.0f}"}


def counted(targets: Sequence[Target]) -> list[Target]:
    """The targets, each with what is true of all published completions together."""
    greedy = {key for target in targets for key, bodies in target.completions.items() if len(bodies) == 1}
    modules = Counter(target.namespace.partition(".")[0] for target in targets)
    lost = [
        sum(not extraction.parses(target.completions[key][0]) for target in targets if key in target.completions)
        / len(targets)
        for key in greedy
    ]
    facts = {
        "samples": float(len(targets)), "models": float(len({model for _, model in greedy})), "runs": float(len(greedy)),
        "largest_module": max(modules.values()) / len(targets),
        "unparsable_median": statistics.median(lost) if lost else float('nan'),
    }  # fmt: skip
    return [replace(target, facts={k: v for k, v in facts.items() if v == v}) for target in targets]


def is_method(namespace: str) -> bool:
    """By its name alone: whether what stands before the last part is written like a class."""
    parts = namespace.split(".")
    return len(parts) > 2 and parts[-2][:1].isupper()
