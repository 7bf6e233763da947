"""Which texts answer a query: TF-IDF similarity, cuts by number and threshold, average precision."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from steelyard.core.errors import InputError

from .resample import Array

_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Query:
    """A query in words over texts; seed for what is drawn by chance."""

    text: str
    texts: tuple[str, ...]
    seed: int = 0


def tfidf(query: str, texts: Sequence[str]) -> Array:
    """(N,) cosine similarities of TF-IDF vectors, 0 to 1: raw counts times ln((1 + N) / (1 + df)) + 1, lower-cased words."""
    vectors, words, weight = _index(tuple(texts))
    sought = np.zeros(len(words))
    for word, count in Counter(_words(query)).items():
        if word in words:
            sought[words[word]] = count * weight[words[word]]
    norm = float(np.linalg.norm(sought))
    return np.asarray(vectors @ (sought / norm)) if norm else np.zeros(len(texts))


@lru_cache(maxsize=4)
def _index(texts: tuple[str, ...]) -> tuple[Any, dict[str, int], Array]:
    from scipy.sparse import csr_array, diags_array

    words: dict[str, int] = {}
    counts = [Counter(words.setdefault(w, len(words)) for w in _words(text)) for text in texts]
    table = csr_array(
        (
            [float(n) for c in counts for n in c.values()],
            [w for c in counts for w in c],
            np.cumsum([0, *(len(c) for c in counts)]),
        ),
        shape=(len(texts), len(words)),
    )
    frequency = np.bincount(table.indices, minlength=len(words))
    weight = np.log((1 + len(texts)) / (1 + frequency)) + 1
    scaled = table @ diags_array(weight)
    norm = np.sqrt(scaled.multiply(scaled).sum(axis=1))
    return diags_array(1 / np.where(norm > 0, norm, 1)) @ scaled, words, weight


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def keep(similarity: ArrayLike, top_k: int | None = None, threshold: float | None = None) -> NDArray[np.intp]:
    """Numbers of the hits, best first: the `top_k` most similar, then of those the ones at `threshold` or above.

    Raises InputError where neither is given (arXiv:2412.06745: one must be, both may).
    """
    if top_k is None and threshold is None:
        raise InputError("a selection needs a number or a threshold.", "Give --top-k, --threshold or both.")
    x = np.asarray(similarity, float)
    order = np.argsort(-x, kind="stable")[:top_k]
    return order if threshold is None else order[x[order] >= threshold]


def average_precision(similarity: ArrayLike, relevant: ArrayLike) -> float:
    """Mean, over the relevant texts, of the precision at their place by falling similarity; NaN without any.

    Texts of equal similarity share one place, so that their order in the data does not matter: there precision is that
    of the whole group (scikit-learn's rule).
    """
    x, hit = np.asarray(similarity, float), np.asarray(relevant, bool)
    if not hit.any():
        return float("nan")
    _, place, count = np.unique(-x, return_inverse=True, return_counts=True)
    found = np.bincount(place, hit)
    precision = np.cumsum(found) / np.cumsum(count)
    return float((found * precision).sum() / hit.sum())
