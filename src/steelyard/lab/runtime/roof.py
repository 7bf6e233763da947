"""What this machine can do at most, measured on the spot: matrix products, memory bandwidth; and which of them limits a step."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

SIDE = 1024  # of a square product
ARRAY = 1 << 24  # numbers of an array, beyond any last cache but the largest
LEAST_S = 0.1
LIMITS = ("compute", "memory", "optimiser", "communication", "dispatch")


def synchroniser(device: torch.device) -> Callable[[], None]:
    """Waits until the device has done what it was told; nothing to wait for on a CPU."""
    import torch

    return (lambda: torch.cuda.synchronize(device)) if device.type == "cuda" else (lambda: None)


@dataclass(frozen=True)
class Roof:
    """flops: FLOP/s of a product of two square matrices. bandwidth: B/s of a = b + s c."""

    flops: float
    bandwidth: float

    @property
    def ridge(self) -> float:
        """FLOPs for each byte from which on arithmetic is the limit and no longer memory (Williams et al. 2009)."""
        return self.flops / self.bandwidth


def measure_roof(device: torch.device, dtype: torch.dtype, side: int = SIDE, array: int = ARRAY) -> Roof:
    """The best of several products of `side`^3, and of several passes over three arrays of `array` numbers."""
    import torch

    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    product = _best(lambda: a @ b, device)
    x, y, z = (torch.ones(array, device=device) for _ in range(3))
    triad = _best(lambda: torch.add(y, z, alpha=3.0, out=x), device)
    return Roof(2 * side**3 / product, 3 * x.nbytes / triad)


def _best(run: Callable[[], Any], device: torch.device) -> float:
    """Shortest time (s) of as many calls as fit into a tenth of a second, two at least after one to warm up."""
    synchronise = synchroniser(device)
    run()
    best, spent, calls = float("inf"), 0.0, 0
    while calls < 2 or spent < LEAST_S:
        synchronise()
        began = time.perf_counter()
        run()
        synchronise()
        taken = time.perf_counter() - began
        best, spent, calls = min(best, taken), spent + taken, calls + 1
    return best


def shares_of(step_s: float, gemm_s: float, other_s: float, optimiser_s: float, communication_s: float, intensity: float, ridge: float) -> dict[str, float]:  # fmt: skip
    """What limits a step, as shares that add up to 1.

    gemm_s, other_s: in operators that multiply matrices and in all others, of forward and backward passes. intensity: FLOPs
    for each byte of the matrix products; below the ridge of the machine they wait for memory, not for arithmetic.
    Element-wise operators always do. dispatch: the rest of the step, in which no operator runs.
    """
    spent = {
        "compute": gemm_s if intensity >= ridge else 0.0, "memory": other_s + (gemm_s if intensity < ridge else 0.0),
        "optimiser": optimiser_s, "communication": communication_s,
    }  # fmt: skip
    whole = max(step_s, sum(spent.values()))  # taking a step apart makes operators a little slower
    return {name: seconds / whole for name, seconds in spent.items()} | {"dispatch": 1 - sum(spent.values()) / whole}


def bottleneck(shares: Mapping[str, float]) -> str:
    """The largest share: compute, memory (bandwidth), optimiser, communication, or dispatch."""
    return max(LIMITS, key=lambda name: shares.get(name, 0.0))
