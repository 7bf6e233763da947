"""Planted strengths: does a rule find the domains in which simulated models are really better or worse than the others?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from steelyard.core.errors import InputError
from steelyard.core.interfaces import Outcome
from steelyard.core.words import Case, Provenance

# shares of ten domains: unequal, some with fewer than ten of 275 samples
SHARES = np.array([0.26, 0.18, 0.14, 0.11, 0.09, 0.07, 0.06, 0.04, 0.03, 0.02])
# Pass@1 of eight models with the code on both sides or above (arXiv:2404.00599, leaderboard)
RATES = np.array([0.2073, 0.1782, 0.1964, 0.1782, 0.1527, 0.1491, 0.1273, 0.1273])
EFFECTS = (0.0, 0.3, 0.6, 1.0)
SAMPLES = (275, 1000, 5000, 20000)
COMFORT, STRANGE = 2, 2  # domains of each model that are planted so


@dataclass(frozen=True)
class DomainImprovement:
    """repetitions: simulated tables of one trial."""

    repetitions: int = 20

    def __post_init__(self) -> None:
        if self.repetitions < 1:
            raise InputError(f"option 'repetitions' is {self.repetitions}.", "It is 1 or more.")

    def cases(self, data: str | None) -> Iterable[Case]:
        """Numbers of samples and planted effects: an effect of 0.3 makes comfort domains 30 % easier, strange ones 30 % harder."""
        if data is not None:
            raise InputError("domain-improvement takes no data.", "Its models are simulated.")
        for samples in SAMPLES:
            for effect in EFFECTS:
                about = {"samples": samples, "effect": effect, "domains": len(SHARES), "planted": effect > 0}
                yield Case(f"{samples}-{effect:g}", (samples, effect), about)

    def measure(self, contender: Any, case: Case, trial: int) -> Outcome:
        """The contender is called with (passes (models, samples), domain of each sample) and labels (models, domains) by 1, -1, 0."""
        samples, effect = case.payload
        planted_right, other_right = [], []
        for repetition in range(self.repetitions):
            rng = np.random.default_rng([samples, round(100 * effect), trial, repetition])
            truth, passes, domains = simulated(samples, effect, rng)
            given = np.asarray(contender((passes, domains)))
            planted_right.append(np.mean(given[truth != 0] == truth[truth != 0]) if effect else np.nan)
            other_right.append(np.mean(given[truth == 0] != 0))
        metrics = {"false_labels": float(np.mean(other_right))}
        if effect:
            metrics["planted_found"] = float(np.mean(planted_right))
        return Outcome(metrics, provenance=Provenance.SIMULATED)


def simulated(samples: int, effect: float, rng: np.random.Generator) -> tuple[Any, Any, Any]:
    """(truth (models, domains) of 1, -1, 0; passes (models, samples); domain of each sample).

    Each domain has at least two samples. A sample's chance to be passed is its model's rate times 1 + effect (comfort) or
    1 - effect (strange) of its domain, never above 0.95.
    """
    counts = np.maximum(2, np.floor(SHARES * samples).astype(int))
    counts[0] += samples - counts.sum()
    domains = np.repeat(np.arange(len(SHARES)), counts)
    truth = np.zeros((len(RATES), len(SHARES)), int)
    if effect:
        for model in range(len(RATES)):
            chosen = rng.permutation(len(SHARES))[: COMFORT + STRANGE]
            truth[model, chosen[:COMFORT]], truth[model, chosen[COMFORT:]] = 1, -1
    chance = np.minimum(0.95, RATES[:, None] * (1 + effect * truth))
    passes = rng.random((len(RATES), samples)) < chance[:, domains]
    return truth, passes.astype(float), domains
