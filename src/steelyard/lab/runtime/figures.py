"""What a process of a runtime found out about its steps; pure numbers, so that whoever reads them needs no PyTorch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import median

from steelyard.lab.runtime.roof import Roof, shares_of
from steelyard.lab.runtime.traces import Reply

Costs = dict[tuple[str, str], float]  # (kind of module, direction) -> what it cost


@dataclass
class Figures:
    """What was found.

    step_s: time of each timed step. open_s: until the model was ready. first_loss, last_loss: before the first update, and
    after all warm-up and the five steps that every round takes; NaN where there is none. bytes: by kind, and peaks.
    modules: seconds by (kind, direction) of the median traced step, traced_s together; flops, saved (bytes kept for the
    backward pass) and gemm (seconds in operators that multiply matrices) by the same. operators: seconds in such ones
    (`gemm`) and in all `other` operators of forward and backward passes. model_flops, intensity: see runtime.flops.
    counted: tokens of a step. trained: parameters. replies: to the requests of a trace. operator: FLOPs and bytes of a
    single one. roof: None where it was not asked for, or no room was left for it.
    """

    step_s: list[float] = field(default_factory=list)
    first_loss: float = math.nan
    last_loss: float = math.nan
    open_s: float = math.nan
    bytes: dict[str, float] = field(default_factory=dict)
    modules: Costs = field(default_factory=dict)
    traced_s: float = math.nan
    flops: Costs = field(default_factory=dict)
    saved: Costs = field(default_factory=dict)
    gemm: Costs = field(default_factory=dict)
    operators: dict[str, float] = field(default_factory=dict)
    model_flops: int = 0
    intensity: float = math.nan
    roof: Roof | None = None
    counted: int = 0
    trained: int = 0
    replies: list[Reply] = field(default_factory=list)
    operator: tuple[int, int] | None = None


def limits(found: Figures) -> dict[str, float]:
    """Shares of the plain step that compute, memory, optimiser, communication and dispatch take; see roof.shares_of."""
    if found.roof is None or not found.operators:
        return {}
    taken = median(found.step_s)
    by_direction = {d: sum(v for (_, direction), v in found.modules.items() if direction == d) for d in ("optimiser", "communication")}  # fmt: skip
    return shares_of(
        taken, found.operators["gemm"], found.operators["other"], by_direction["optimiser"], by_direction["communication"],
        found.intensity, found.roof.ridge,
    )  # fmt: skip
