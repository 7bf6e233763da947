"""Edit similarity of two fragments, and how it agrees with what running them says."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

_QUOTED = re.compile(r'""".*?"""|\'\'\'.*?\'\'\'', re.DOTALL)


def cleaned(text: str) -> str:
    """Without triple-quoted strings and blank lines, stripped."""
    lines = _QUOTED.sub("", text).split("\n")
    return "\n".join(line for line in lines if line.strip()).strip()


def edit_similarity(output: str, reference: str, published: bool = False) -> float:
    """0 to 1: 2 * matching / total characters by insertions and deletions (fuzz.ratio / 100) of the cleaned fragments.

    Two empty ones are equal. published: rounded to whole per cent, and an empty output is 0 whatever the reference.
    """
    from rapidfuzz.fuzz import ratio

    one, other = cleaned(output), cleaned(reference)
    if not one and not other:
        return 0.0 if published else 1.0
    value = ratio(one, other)
    return (round(value) if published else value) / 100


def agreement(similarity: Sequence[float], passed: Sequence[float]) -> dict[str, float]:
    """How well similarity tells what passes: Pearson correlation, area under the curve, and the least share of cases
    that any threshold misjudges, with that threshold. Nothing where all pass or all fail."""
    x, y = np.asarray(similarity, float), np.asarray(passed, float) > 0.5
    if len(x) < 2 or y.all() or not y.any():
        return {}
    out = {"es_pass_correlation": float(np.corrcoef(x, y)[0, 1])} if x.std() > 0 else {}
    above = (x[y][:, None] > x[~y][None, :]).mean() + 0.5 * (x[y][:, None] == x[~y][None, :]).mean()
    wrong = {float(t): float(((x >= t) != y).mean()) for t in [*np.unique(x), np.inf]}
    best = min(wrong, key=lambda t: (wrong[t], t))
    return out | {"es_pass_auc": float(above), "es_misjudges_at_best": wrong[best], "es_best_threshold": best}
