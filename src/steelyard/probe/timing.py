"""Wall and CPU time of several callables, measured side by side: warm-up, interleaved rounds, a check for drift."""

from __future__ import annotations

import gc
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from steelyard.core.errors import InputError, MissingError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NOISY = 0.10  # IQR / median above which a timing is called noisy
DRIFT = 0.10  # change of the median from the first half of the rounds to the second above which the machine drifted
SHORTEST_NS = 100_000  # a callable quicker than this is repeated within a round: a clock reading costs some 50 ns


@dataclass(frozen=True)
class Timings:
    """Durations of one call, in nanoseconds. wall_ns, cpu_ns: float arrays of shape (len(names), rounds).

    repeats: calls per round of each name; a value is the mean over them. cpu_ns counts all threads of this process.
    """

    names: tuple[str, ...]
    wall_ns: NDArray[np.float64]
    cpu_ns: NDArray[np.float64]
    repeats: tuple[int, ...]

    def median_ns(self) -> dict[str, float]:
        """Median wall time of one call (ns), by name."""
        import numpy as np

        return dict(zip(self.names, np.median(self.wall_ns, axis=1).tolist(), strict=True))

    def ratios(self, baseline: str) -> NDArray[np.float64]:
        """Wall time relative to `baseline` in the same round: shape (len(names), rounds). Pairing removes drift."""
        if baseline not in self.names:
            raise InputError(f"unknown baseline {baseline!r}.", f"Timed: {', '.join(self.names)}.")
        ratio: NDArray[np.float64] = self.wall_ns / self.wall_ns[self.names.index(baseline)]
        return ratio

    def spread(self) -> dict[str, float]:
        """Interquartile range over median, by name."""
        import numpy as np

        low, middle, high = np.quantile(self.wall_ns, [0.25, 0.5, 0.75], axis=1)
        return dict(zip(self.names, ((high - low) / middle).tolist(), strict=True))

    def noisy(self) -> tuple[str, ...]:
        """The names whose spread is over 10 %."""
        return tuple(name for name, spread in self.spread().items() if spread > NOISY)

    def drift(self) -> dict[str, float]:
        """Median of the second half of the rounds over that of the first, minus one, by name."""
        import numpy as np

        half = self.wall_ns.shape[1] // 2
        if half == 0:
            return dict.fromkeys(self.names, 0.0)
        change = np.median(self.wall_ns[:, -half:], axis=1) / np.median(self.wall_ns[:, :half], axis=1) - 1
        return dict(zip(self.names, change.tolist(), strict=True))

    def drifted(self) -> tuple[str, ...]:
        """The names whose median moved by more than 10 % between the halves."""
        return tuple(name for name, change in self.drift().items() if abs(change) > DRIFT)


def interleave(
    callables: Mapping[str, Callable[[], Any]],
    rounds: int = 30,
    warmup: int = 3,
    seed: int = 0,
    core: int | None = None,
    time_s: float | None = None,
) -> Timings:
    """Time `callables` in `rounds` rounds; each round runs every one of them, in a new random order.

    warmup: untimed calls of each first. core: pin this thread to that core meanwhile. time_s: start no round after so
    long (at least one is run). The garbage collector is off while timing.
    Raises InputError for nothing to time, MissingError where the core cannot be had.
    """
    import numpy as np

    if not callables or rounds < 1:
        raise InputError("there is nothing to time.", "Give at least one callable and one round.")
    names = tuple(callables)
    calls = list(callables.values())
    order = list(range(len(calls)))
    shuffle = random.Random(seed).shuffle
    walls: list[list[float]] = []
    cpus: list[list[float]] = []
    collecting = gc.isenabled()
    with pin(core) if core is not None else nullcontext():
        repeats = [_repeats(call, warmup) for call in calls]
        gc.collect()
        gc.disable()
        try:
            stop = time.monotonic() + time_s if time_s is not None else float("inf")
            while len(walls) < rounds and (not walls or time.monotonic() < stop):
                wall, cpu = [0.0] * len(calls), [0.0] * len(calls)
                shuffle(order)
                for i in order:
                    call, count = calls[i], repeats[i]
                    cpu_began, began = time.process_time_ns(), time.perf_counter_ns()
                    for _ in range(count):
                        call()
                    wall[i] = (time.perf_counter_ns() - began) / count
                    cpu[i] = (time.process_time_ns() - cpu_began) / count
                walls.append(wall)
                cpus.append(cpu)
        finally:
            if collecting:
                gc.enable()
    return Timings(names, np.array(walls).T, np.array(cpus).T, tuple(repeats))


def _repeats(call: Callable[[], Any], warmup: int) -> int:
    for _ in range(warmup):
        call()
    count = 1
    while True:
        began = time.perf_counter_ns()
        for _ in range(count):
            call()
        if time.perf_counter_ns() - began >= SHORTEST_NS:
            return count
        count *= 2


@contextmanager
def pin(core: int) -> Iterator[None]:
    """Keep the calling thread on one core while the context lasts. Raises MissingError where that cannot be done."""
    if not hasattr(os, "sched_setaffinity"):
        raise MissingError("this system cannot pin a thread to a core.", "Time without a core (core=None).")
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {core})
    except OSError as error:
        raise MissingError(
            f"core {core} cannot be used ({error.strerror}).", f"This process may use: {sorted(before)}."
        ) from error
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
