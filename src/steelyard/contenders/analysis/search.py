"""Search methods over a small space of choices, all under one budget of training epochs."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from steelyard.core.contender import contender
from steelyard.core.errors import InputError

Genotype = tuple[int, ...]


@dataclass(frozen=True)
class SearchMethod:
    """A search gets an object with choices (options of each decision), draw(), evaluate(genotype, epochs), left, rng.

    epochs: training epochs of one evaluation.
    """

    epochs: int = 4
    searches: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise InputError(
                f"{type(self).__name__}: epochs is {self.epochs}.", "An evaluation needs one epoch or more."
            )


@contender("random-search", interface="analysis", source="Li and Talwalkar, arXiv:1902.07638")
@dataclass(frozen=True)
class RandomSearch(SearchMethod):
    """The best of as many random architectures as the budget pays for."""

    def __call__(self, search: Any) -> Genotype:
        tried: list[tuple[float, Genotype]] = []
        while search.left >= self.epochs:
            genotype = search.draw()
            tried.append((search.evaluate(genotype, self.epochs), genotype))
        return max(tried)[1]


@contender("regularised-evolution", interface="analysis", source="Real et al., arXiv:1802.01548, section 3.2")
@dataclass(frozen=True)
class RegularisedEvolution(SearchMethod):
    """Mutate one choice of the best of a random sample; the oldest dies.

    population, sample: architectures (100 and 25 in the paper, whose budget was 20,000 evaluations).
    """

    population: int = 4
    sample: int = 2

    def __call__(self, search: Any) -> Genotype:
        alive: deque[tuple[float, Genotype]] = deque()
        history = []
        while search.left >= self.epochs:
            if len(alive) < self.population:
                child = search.draw()
            else:
                picked = search.rng.choice(len(alive), min(self.sample, len(alive)), replace=False)
                child = self._mutate(search, max(alive[i] for i in picked)[1])
            alive.append((search.evaluate(child, self.epochs), child))
            history.append(alive[-1])
            if len(alive) > self.population:
                alive.popleft()
        return max(history)[1]

    def _mutate(self, search: Any, parent: Genotype) -> Genotype:
        at = int(search.rng.integers(len(parent)))
        other = [k for k in range(search.choices[at]) if k != parent[at]]
        return (*parent[:at], int(search.rng.choice(other)), *parent[at + 1 :])


@contender("tpe", interface="analysis", source="Bergstra et al., NeurIPS 2011, section 4")
@dataclass(frozen=True)
class TreeParzen(SearchMethod):
    """Draw from the choices of the better quarter, keep the candidate likeliest there and least likely in the rest.

    start: random architectures first. better: share of the tried that counts as good. candidates: drawn each time.
    """

    start: int = 4
    better: float = 0.25
    candidates: int = 24

    def __call__(self, search: Any) -> Genotype:
        tried: list[tuple[float, Genotype]] = []
        while search.left >= self.epochs:
            genotype = search.draw() if len(tried) < self.start else self._propose(search, tried)
            tried.append((search.evaluate(genotype, self.epochs), genotype))
        return max(tried)[1]

    def _propose(self, search: Any, tried: list[tuple[float, Genotype]]) -> Genotype:
        ordered = [g for _, g in sorted(tried, reverse=True)]
        cut = max(1, int(np.ceil(self.better * len(ordered))))
        good, bad = (_frequencies(part, search.choices) for part in (ordered[:cut], ordered[cut:]))
        drawn = [tuple(int(search.rng.choice(len(p), p=p)) for p in good) for _ in range(self.candidates)]
        return max(drawn, key=lambda g: sum(np.log(a[k] / b[k]) for a, b, k in zip(good, bad, g, strict=True)))


def _frequencies(genotypes: list[Genotype], choices: tuple[int, ...]) -> list[np.ndarray]:
    """Of every decision the shares of its options, with one pseudo-count each."""
    counts = [np.ones(n) for n in choices]
    for genotype in genotypes:
        for count, k in zip(counts, genotype, strict=True):
            count[k] += 1
    return [count / count.sum() for count in counts]


@contender("successive-halving", interface="analysis", source="Jamieson and Talwalkar, arXiv:1502.07943, algorithm 1")
@dataclass(frozen=True)
class SuccessiveHalving(SearchMethod):
    """Train many a little, keep the better half with twice the epochs; every rung gets an equal part of the budget.

    rungs: how often; the first one trains for one epoch. epochs is not used.
    """

    rungs: int = 4

    def __call__(self, search: Any) -> Genotype:
        part = search.left // self.rungs
        alive: list[Genotype] = [search.draw() for _ in range(max(1, part))]
        for rung in range(self.rungs):
            length = 2**rung
            alive = alive[: max(1, part // length)]
            if search.left < length * len(alive):
                break
            alive = [g for _, g in sorted(((search.evaluate(g, length), g) for g in alive), reverse=True)]
        return alive[0]


@contender("no-search", interface="analysis")
@dataclass(frozen=True)
class NoSearch(SearchMethod):
    """One random architecture: what searching must beat."""

    def __call__(self, search: Any) -> Genotype:
        return tuple(search.draw())
