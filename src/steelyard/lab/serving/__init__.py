"""Offline serving of many requests known beforehand: prefix tree, paged cache, continuous batching, a clock, an engine.

A scheduler (interface `engine`) has serve(job, machine) -> Served: it serves every request of a `job.Job` by calling
machine.step (`batching.Machine`), which is `engine.TorchMachine` with a real model or `clock.Clock`, which counts.
Most schedulers choose an order and the books of the cache (`paging`, `segments`), and leave the rest to `batching.run_batches`.

Only `engine` and `attention` need PyTorch.
"""

from __future__ import annotations

from pathlib import Path


def sources() -> tuple[Path, ...]:
    """The files that every number of a scheduler depends on."""
    return tuple(sorted(Path(__file__).parent.glob("*.py")))
