"""Aggregation: does a method's ranking agree with the mean, survive missing data, and find the truth?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from steelyard.benchmarks.stats.onebench.data import read_samples
from steelyard.core.errors import InputError
from steelyard.core.interfaces import Outcome
from steelyard.core.words import Case, Status
from steelyard.stats.aggregate import Matrix, matrix, mean_score
from steelyard.stats.bradley_terry import strong_components
from steelyard.stats.rank import pairwise_wins
from steelyard.stats.stability import FRACTIONS, blank, cost_reduction, separability, tau_b, top_k

# generator, models, samples; locations 0.1 apart under Gumbel noise (Plackett-Luce is then exact), means and standard
# deviations uniform under Gaussian noise
SYNTHETIC = [
    (generator, models, items)
    for generator in ("gumbel", "gaussian", "mixed") for models in (10, 100) for items in (100, 1000, 10_000, 100_000)
]  # fmt: skip
SPACING = 0.1


class OneBench:
    """missing: share of each model's scores that the sparsity cases blank. repetitions: blankings behind a cost case.
    cells: the largest generated pool, in scores.
    """

    def __init__(self, missing: float = 0.9, repetitions: int = 3, cells: int = 10_000) -> None:
        if not 0 <= missing < 1:
            raise InputError(f"onebench: missing is {missing}.", "It is a fraction from 0 to below 1.")
        self.missing, self.repetitions, self.cells = float(missing), int(repetitions), int(cells)
        self._curves: dict[tuple[str, str], np.ndarray] = {}

    def cases(self, data: str | None) -> list[Case]:
        """For each source agreement, sparsity, cost, top-k and separability; the whole pool; generated pools."""
        pool = read_samples(data)
        cases = []
        for source in dict.fromkeys(pool.sources.tolist()):
            x, models = pool.of(source)
            facts = {"source": source, "models": len(models), "items": x.shape[1]}
            for study in ("agreement", "sparsity", "cost", "top-k", "separability"):
                asked = {"missing": 0.0} if study == "agreement" else {"missing": self.missing}
                extra = {} if study in ("cost", "separability") else asked
                cases.append(Case(f"{study}/{source}", x, {"study": study, **facts, **extra}, source))
        whole = {"study": "pool", "models": len(pool.models), "items": len(pool.samples)}
        cases.append(Case("pool", pool.scores, whole, "pool"))
        for generator, models, items in SYNTHETIC:
            if models * items > self.cells:
                continue
            facts = {"study": "synthetic", "generator": generator, "models": models, "items": items}
            cases.append(Case(f"{generator}-{models}x{items}", None, facts, generator))
        return cases

    def measure(self, contender: Any, case: Case, trial: int) -> dict[str, float] | Outcome:
        """One study of one method; trial t uses seed t. The card says what each trial is."""
        study = case.attributes["study"]
        try:
            return getattr(self, f"_{study.replace('-', '_')}")(contender, case, trial)
        except InputError as error:  # the data do not allow a ranking: that is a result, with its reason
            return Outcome({}, Status.FAILED, error.what)

    def _agreement(self, method: Any, case: Case, trial: int) -> dict[str, float]:
        """Trial 0: tau-b of the method and the mean on all samples; the others: on samples drawn with replacement."""
        m = matrix(case.payload)
        if trial:
            m = m.cases(np.random.default_rng(trial).integers(0, m.scores.shape[1], m.scores.shape[1]))
        return {"kendall_tau_b": tau_b(method(m), mean_score(m))}

    def _sparsity(self, method: Any, case: Case, trial: int) -> dict[str, float]:
        m = matrix(case.payload)
        return {"kendall_tau_b": tau_b(method(blank(m, self.missing, trial)), mean_score(m))}

    def _cost(self, method: Any, case: Case, trial: int) -> dict[str, float]:
        """Trial 0: from the mean curve of all repetitions; the others: of repetitions drawn with replacement."""
        key = (case.id, repr(method))
        if key not in self._curves:
            self._curves[key] = self._curve(method, matrix(case.payload))
        curves = self._curves[key]
        if trial:
            curves = curves[np.random.default_rng(trial).integers(0, len(curves), len(curves))]
        return {"cost_reduction_at_equal_tau": cost_reduction(FRACTIONS, curves.mean(axis=0))}

    def _curve(self, method: Any, m: Matrix) -> np.ndarray:
        """(repetitions, fractions) tau-b; from the first fraction on that gives nobody's curve a chance, NaN."""
        reference, floor = mean_score(m), 0.1
        curves = np.full((self.repetitions, len(FRACTIONS)), math.nan)
        for at, missing in enumerate(FRACTIONS):
            for r in range(self.repetitions):
                try:
                    curves[r, at] = tau_b(method(blank(m, missing, r)), reference)
                except InputError:
                    continue
            mean = curves[:, at].mean()
            if not mean >= curves[:, 0].mean() - floor and at:
                break  # more than twice the margin below: no draw of these repetitions comes back within it
        return curves

    def _top_k(self, method: Any, case: Case, trial: int) -> dict[str, float]:
        m = matrix(case.payload)
        k = min(10, m.scores.shape[0] // 2)
        return {"top_k_overlap": next(top_k(m, {"": method}, k, (self.missing,), 1, trial)).mean}

    def _separability(self, method: Any, case: Case, trial: int) -> dict[str, float]:
        return {"separability": next(separability(matrix(case.payload), {"": method}, 1, trial)).mean}

    def _pool(self, method: Any, case: Case, trial: int) -> dict[str, float]:
        wins = pairwise_wins(case.payload, getattr(method, "ties", "each"))[0]
        parts = strong_components(wins)
        largest = float(max(p.size for p in parts))
        return {"strongly_connected_components": float(len(parts)), "largest_component": largest}

    def _synthetic(self, method: Any, case: Case, trial: int) -> dict[str, float]:
        facts = case.attributes
        x, truth = generated(facts["generator"], facts["models"], facts["items"], trial)
        found = method(matrix(x, seed=trial))
        metrics = {"kendall_tau_b": tau_b(found, truth)}
        if facts["generator"] == "gumbel" and getattr(method, "log_odds", False):
            error = float(np.sqrt(np.mean((found - found.mean() - truth + truth.mean()) ** 2)))
            metrics |= {"rmse": error, "rmse_root_items": error * math.sqrt(facts["items"])}
        return metrics


def generated(generator: str, models: int, items: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(models, items) scores and the true values behind them, in the order of the rows shuffled by `seed`.

    gumbel: location SPACING * i, Gumbel(0, 1) noise. gaussian: means U(0, 1), standard deviations U(0, 1).
    mixed: gaussian, every second sample made 0 or 1 by a threshold drawn between its least and greatest score.
    """
    rng = np.random.default_rng([seed, models, items])
    if generator == "gumbel":
        truth = rng.permutation(SPACING * np.arange(models))
        return truth[:, None] + rng.gumbel(size=(models, items)), truth
    truth = rng.random(models)
    x = rng.normal(truth[:, None], rng.random(models)[:, None], (models, items))
    if generator == "mixed":
        part = x[:, ::2]
        low, high = part.min(axis=0), part.max(axis=0)
        x[:, ::2] = part > low + rng.random(part.shape[1]) * (high - low)
    return x, truth
