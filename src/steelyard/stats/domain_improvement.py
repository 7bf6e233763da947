"""Domain-specific improvement: where a model does better or worse than the other models, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from steelyard.core.errors import InputError
from steelyard.stats.estimates import wilson

THRESHOLD = 0.10  # arXiv:2410.22821 (from memory): better or worse than the others by more than this share
FEW = 10  # samples: a label of a domain with fewer is marked


@dataclass(frozen=True, slots=True)
class Improvement:
    """How a model does in one domain.

    dsi: its score over the mean of the others' scores, minus 1; None where theirs is 0. low, high: 95 % interval of the score
    (Wilson). kind: comfort, strange, or "" in between. few: fewer than ten samples. sure: the ends of the interval of the
    score, too, lie beyond the threshold (the others' mean taken as known).
    """

    n: int
    score: float
    low: float
    high: float
    dsi: float | None
    kind: str
    few: bool
    sure: bool


def improvement(own: Sequence[float], others: Sequence[Sequence[float]], threshold: float = THRESHOLD) -> Improvement:
    """DSI(m, d) = (S(m, d) - mean of the other models' S(., d)) / that mean (arXiv:2410.22821; formula from memory).

    own, others: the pass@k of each sample of the domain, of the model and of each other model. InputError for no sample.
    """
    if not len(own):
        raise InputError("a domain without samples has no score.")
    n, score = len(own), float(np.mean(own))
    low, high = wilson(score * n, n)
    mean = float(np.mean([np.mean(other) for other in others if len(other)])) if any(map(len, others)) else 0.0
    if not mean:
        return Improvement(n, score, low, high, None, "", n < FEW, False)
    dsi = score / mean - 1.0
    kind = "comfort" if dsi > threshold else "strange" if dsi < -threshold else ""
    sure = low / mean - 1.0 > threshold if kind == "comfort" else kind == "strange" and high / mean - 1.0 < -threshold
    return Improvement(n, score, low, high, dsi, kind, n < FEW, sure)


def labels(
    passes: ArrayLike, domains: ArrayLike, threshold: float = THRESHOLD, interval: bool = False
) -> NDArray[np.int64]:
    """1 (comfort), -1 (strange) or 0 for each model and domain: (models, domains).

    passes: (models, samples) of 0 and 1; domains: (samples,) numbers from 0. interval: only labels that are `sure` count.
    """
    x, d = np.asarray(passes, float), np.asarray(domains, int)
    out = np.zeros((x.shape[0], int(d.max()) + 1), int)
    for domain in range(out.shape[1]):
        rows = [x[model, d == domain] for model in range(x.shape[0])]
        for model, own in enumerate(rows):
            found = improvement(own, [row for other, row in enumerate(rows) if other != model], threshold)
            if not interval or found.sure:
                out[model, domain] = {"comfort": 1, "strange": -1}.get(found.kind, 0)
    return out
