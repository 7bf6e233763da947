"""What the study's curves and tables say beside RI: each as a statistic of samples whose rows can be left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from steelyard.benchmarks.training.nas.tables import Sheet
from steelyard.core.errors import InputError
from steelyard.stats.agreement import taus
from steelyard.stats.search_gain import smooth

EPOCHS = (50, 100, 200, 300, 400, 450, 500, 550)
WIDTH = 20  # epochs of the moving average


@dataclass(frozen=True)
class Record:
    """A published record as a number: the metric's name, the statistic and its samples (first axis: what may be drawn)."""

    metric: str
    statistic: Callable[..., float]
    samples: tuple[np.ndarray, ...]


def read_curves(data: Path) -> dict[str, np.ndarray]:
    """curves.npz of the official data, per epoch test accuracy in percent; empty where there is none."""
    path = data / "curves.npz"
    if not path.is_file():
        return {}
    try:
        with np.load(path) as file:
            return {name: file[name].astype(float) for name in file.files}
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: cannot be read ({error}).", "It is a NumPy archive of (runs, epochs) arrays."
        ) from error


def tau(pairs: np.ndarray) -> float:
    """Kendall's tau-b of (n, 2)."""
    return float(taus(pairs[:, 0], pairs[:, 1], np.ones((1, len(pairs))))[0])


def best(curves: np.ndarray) -> np.ndarray:
    """The final accuracy as the histograms take it: the maximum over epochs."""
    return curves.max(axis=1) if curves.ndim > 1 else curves


def _difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(a.mean() - b.mean())


def _sd(a: np.ndarray) -> float:
    return float(a.std(ddof=1))


def records(sheets: dict[str, Sheet], ladder: Sheet | None, curves: dict[str, np.ndarray]) -> dict[str, Record]:
    """`replay:NAME` -> the record, for those whose data are there."""
    made: dict[str, tuple[Any, ...]] = {}
    if ladder is not None:
        steps = ladder.values[:, -1] - ladder.values[:, 0]  # the same architecture under the first and the last recipe
        made["recipe-ladder"] = ("accuracy_points", lambda d: float(d.mean()), steps)
    first = sheets.get("CIFAR10")
    if first is not None and "DARTS" in first.methods:
        made["darts-over-random"] = ("accuracy_points", _difference, first.searched("DARTS"), first.random("DARTS"))
    if (c := curves.get("214_random_architectures")) is not None:
        made["random-214"] = ("best_epoch_accuracy_sd", _sd, best(c))
        made["random-214-last"] = ("last_epoch_accuracy_sd", _sd, c[:, -1])
        if (other := curves.get("56_random_mod_architectures")) is not None:
            made["space-original-to-modified"] = ("accuracy_points", _difference, best(c), best(other))
    for name, array in (("two-seeds", "different_seed_24"), ("8-to-20-cells", "8_to_20_cells")):
        if array in curves:
            made[name] = ("kendall_tau", tau, curves[array])
    for few, many in ((4, 20), (8, 20)):
        if f"cell_n_{few}" in curves and f"cell_n_{many}" in curves:
            ends = best(curves[f"cell_n_{many}"]), best(curves[f"cell_n_{few}"])
            made[f"cells-{few}-to-{many}"] = ("accuracy_points", _difference, *ends)
    return {name: Record(metric, statistic, tuple(samples)) for name, (metric, statistic, *samples) in made.items()}


def early(curves: np.ndarray, epoch: int) -> dict[str, float]:
    """Kendall's tau between the order at `epoch` (and its average over the 20 epochs up to it) and at the last epoch."""
    facts = {"tau_with_last": tau(np.stack([curves[:, epoch - 1], curves[:, -1]], axis=1))}
    if epoch >= WIDTH:
        facts["tau_with_last_smoothed"] = tau(
            np.stack([smooth(curves, WIDTH)[:, epoch - WIDTH], curves[:, -1]], axis=1)
        )
    return facts
