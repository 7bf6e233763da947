"""Steelyard: published claims become measurements and verdicts, on your model, your data and your machine.

    import steelyard

    done = steelyard.run("softmax", {"mine": my_softmax}, pool=steelyard.Pool())
    for row in steelyard.compare("softmax", ["mine", "torch"]):
        print(row["contender"], row["estimate"])

Names are imported when they are first used, so that `import steelyard` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_PUBLIC = {
    "Budget": "steelyard.weigh",
    "Case": "steelyard.core.words",
    "InputError": "steelyard.core.errors",
    "Measurement": "steelyard.core.words",
    "Message": "steelyard.core.interfaces",
    "Metric": "steelyard.core.words",
    "MissingError": "steelyard.core.errors",
    "Outcome": "steelyard.core.interfaces",
    "Pool": "steelyard.pool",
    "Sandbox": "steelyard.sandbox",
    "Spec": "steelyard.core.spec",
    "Status": "steelyard.core.words",
    "compare": "steelyard.report.api",
    "contender": "steelyard.core.contender",
    "judge": "steelyard.report.api",
    "parse_spec": "steelyard.core.spec",
    "rank": "steelyard.report.api",
    "run": "steelyard.report.api",
    "write_report": "steelyard.report.html",
}

__all__ = sorted(_PUBLIC)

if TYPE_CHECKING:
    from steelyard.core.contender import contender as contender
    from steelyard.core.errors import InputError as InputError
    from steelyard.core.errors import MissingError as MissingError
    from steelyard.core.interfaces import Message as Message
    from steelyard.core.interfaces import Outcome as Outcome
    from steelyard.core.spec import Spec as Spec
    from steelyard.core.spec import parse_spec as parse_spec
    from steelyard.core.words import Case as Case
    from steelyard.core.words import Measurement as Measurement
    from steelyard.core.words import Metric as Metric
    from steelyard.core.words import Status as Status
    from steelyard.pool import Pool as Pool
    from steelyard.report.api import compare as compare
    from steelyard.report.api import judge as judge
    from steelyard.report.api import rank as rank
    from steelyard.report.api import run as run
    from steelyard.report.html import write_report as write_report
    from steelyard.sandbox import Sandbox as Sandbox
    from steelyard.weigh import Budget as Budget


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'steelyard' has no attribute {name!r}")
    value = getattr(importlib.import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
