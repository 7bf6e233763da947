"""From the figures of one round to metrics: of a step, of a kind of module; and the largest batch."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from statistics import median

from steelyard.lab.runtime.figures import Figures, limits

LAYERS = ("attention", "mlp", "norm", "layer")


def largest(fits: Callable[[int], bool], most: int) -> int:
    """The largest number up to `most` that fits, by doubling and then bisection; 0 where 1 does not."""
    if not fits(1):
        return 0
    low, high = 1, 2
    while high <= most and fits(high):
        low, high = high, 2 * high
    high = min(high, most + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def of_step(ranks: list[Figures]) -> dict[str, float]:
    """Metrics of a whole step. Times are the first process's, memory the largest of all, FLOPs the sum."""
    first = ranks[0]
    step = median(first.step_s)
    found = {
        "step_time": step, "steps": len(first.step_s), "open_time": first.open_s,
        "first_loss": first.first_loss, "last_loss": first.last_loss, "trained_parameters": first.trained,
        **{f"{kind}_bytes": max(rank.bytes[kind] for rank in ranks) for kind in first.bytes},
    }  # fmt: skip
    if first.operator is None:
        found["tokens_per_s"] = first.counted / step
    elif first.roof is not None:
        flops, moved = first.operator
        found |= {"flops": flops, "bytes_moved": moved, "bandwidth_share": moved / step / first.roof.bandwidth}
        found |= {"hfu": flops / step / first.roof.flops} if flops else {}
    if not first.modules:
        return found
    flops = sum(sum(rank.flops.values()) for rank in ranks)
    layers, products = (sum(v for (kind, _), v in c.items() if kind in LAYERS) for c in (first.modules, first.gemm))
    found |= {
        "flops": flops, "model_flops": first.model_flops, "gemm_share": min(1.0, first.operators["gemm"] / step),
        "gemm_in_layers_share": min(1.0, products / layers), "layers_share": layers / first.traced_s, "hook_overhead": first.traced_s / step - 1,
        "unattributed_share": sum(v for (kind, _), v in first.modules.items() if kind in ("outside", "other")) / first.traced_s,
    }  # fmt: skip
    if first.roof is not None:
        peak = first.roof.flops * len(ranks)
        found |= {
            "mfu": first.model_flops / step / peak, "hfu": flops / step / peak, "peak_flops": first.roof.flops,
            "bandwidth": first.roof.bandwidth, "intensity": first.intensity, "ridge": first.roof.ridge,
        }  # fmt: skip
    return found | {f"{name}_share": share for name, share in limits(first).items()}


def of_module(found: Figures, kind: str, direction: str) -> Mapping[str, float]:
    """Metrics of one kind of module in one direction; 0 where a technique has nothing to do there."""
    key = (kind, direction)
    seconds = found.modules.get(key, 0.0)
    return {
        "module_time": seconds, "module_share": seconds / found.traced_s, "module_flops": found.flops.get(key, 0.0),
        "module_saved_bytes": found.saved.get(key, 0.0),
    }  # fmt: skip


def table(found: Figures) -> str:
    """All parts of the traced step, as JSON lines."""
    rows = (
        {"module": kind, "direction": direction, "ms": 1e3 * seconds, "flops": found.flops.get((kind, direction), 0),
         "saved_bytes": found.saved.get((kind, direction), 0)}
        for (kind, direction), seconds in sorted(found.modules.items(), key=lambda item: -item[1])
    )  # fmt: skip
    return "\n".join(json.dumps(row) for row in rows)
