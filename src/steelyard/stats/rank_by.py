"""Rank by any aggregation method: intervals, ranks and tiers from resampled groups of cases."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .aggregate import Matrix
from .rank import Component, Ranked, Ranking, pairwise_p, tiers
from .resample import LEVEL, Array, codes, group_counts
from .stability import Method, tried


def rank_by(
    method: Method, m: Matrix, names: Sequence[str], groups: Sequence[Hashable] | None = None, draws: int = 200,
    level: float = LEVEL, seed: int = 0,
) -> Ranking:  # fmt: skip
    """Rank the contenders of a Matrix by `method`, apart where they share no case with one another.

    groups: (N,) labels of dependent cases. Intervals and rank intervals are percentiles over `draws` resamples of
    groups, tiers come from Holm-adjusted differences with the resamples' standard errors. A component that the method
    gives no scores (the wins do not connect it) stands among the unmeasured, with a note. `ties` and `tied_share` of
    the result are those of the orders within the cases, whatever the method does with them.
    """
    group = codes(groups, m.scores.shape[1])
    measured = np.flatnonzero(~np.isnan(m.scores).all(axis=1))
    components, notes = [], []
    unmeasured = [names[i] for i in range(len(names)) if i not in set(measured.tolist())]
    for part in meeting(m.scores, measured):
        inner = replace(m, scores=m.scores[part])
        scores = tried(method, inner)
        if np.isnan(scores).any():
            notes.append(f"no ranking of {', '.join(names[i] for i in part)}: the wins do not connect them")
            unmeasured += [names[i] for i in part]
            continue
        components.append(_component(method, inner, scores, [names[i] for i in part], group, draws, level, seed))
    if len(components) > 1:
        notes.insert(0, f"{len(components)} components without a case in common: each is ranked apart")
    return Ranking(components, unmeasured, "half", math.nan, notes)


def meeting(scores: Array, measured: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Contenders joined by cases that several were measured on, largest part first."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    seen = (~np.isnan(scores[measured])).astype(float)
    count, label = connected_components(csr_array(seen @ seen.T > 0), directed=False)
    parts = [measured[label == k] for k in range(count)]
    return sorted(parts, key=lambda part: (-part.size, int(part[0])))


def _component(
    method: Method, m: Matrix, scores: Array, names: list[str], group: NDArray[np.intp], draws: int, level: float,
    seed: int,
) -> Component:  # fmt: skip
    seen = ~np.isnan(m.scores)
    inside = np.flatnonzero(seen.any(axis=0))
    cluster = codes(group[inside].tolist(), inside.size)
    clusters = int(cluster.max()) + 1
    rows = []
    if clusters > 1:
        for weights in group_counts(cluster, draws, seed):
            rows += [tried(method, m.cases(inside[np.repeat(np.arange(inside.size), w.astype(int))])) for w in weights]
    drawn = np.array([r for r in rows if not np.isnan(r).any()]).reshape(-1, len(names))
    order = np.argsort(-scores, kind="stable")
    theta, drawn = scores[order], drawn[:, order]
    size = len(names)
    if len(drawn) > 1:
        p = pairwise_p(theta, (drawn[:, :, None] - drawn[:, None, :]).std(axis=0, ddof=1), math.inf)
        low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
        ranks = size - np.argsort(np.argsort(drawn, axis=1, kind="stable"), axis=1)
        first, last = np.quantile(ranks, [(1 - level) / 2, (1 + level) / 2], axis=0, method="inverted_cdf")
    else:
        p, low, high = np.ones((size, size)), np.full(size, -math.inf), np.full(size, math.inf)
        first, last = np.ones(size), np.full(size, size)
    members = [
        Ranked(names[k], float(theta[i]), float(low[i]), float(high[i]), i + 1, int(first[i]), int(last[i]), tier,
               int(seen[k].sum()))
        for i, (k, tier) in enumerate(zip(order.tolist(), tiers(p, level), strict=True))
    ]  # fmt: skip
    return Component(members, inside.size, clusters, [], p)
