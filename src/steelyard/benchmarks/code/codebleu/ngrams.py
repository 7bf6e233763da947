"""BLEU of one pair of sequences, and CodeBLEU's recall of n-grams with keywords weighted."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from functools import lru_cache

ORDERS = (1, 2, 3, 4)
EPSILON = 0.1  # smoothing method 1 of Chen and Cherry (2014): what a count of zero becomes
KEYWORD, OTHER = 1.0, 0.2  # weights of unigrams in CodeBLEU (arXiv:2009.10297, section 3.1)

Grams = Counter[Sequence[str]]


def grams(items: Sequence[str], n: int) -> Grams:
    """How often each run of `n` items occurs; of a string the items are its characters."""
    if isinstance(items, str):
        return _of_characters(items, n)
    return Counter(zip(*(items[i:] for i in range(n)), strict=False))


@lru_cache(maxsize=64)
def _of_characters(items: str, n: int) -> Grams:
    """The same reference is compared with many candidates."""
    return Counter(map("".join, zip(*(items[i:] for i in range(n)), strict=False)))


def bleu(reference: Sequence[str], candidate: Sequence[str], *, effective: bool = False) -> float:
    """BLEU-4 of one pair with clipped counts, smoothing method 1 and the brevity penalty, in [0, 1].

    reference, candidate: tokens, or a string whose characters are the tokens. effective: only the orders that the
    reference has, so that a short reference scores 1 against itself. (Papineni et al. 2002)
    """
    orders = ORDERS[: len(reference)] if effective else ORDERS
    counts = []
    for n in orders:
        ours, theirs = grams(candidate, n), grams(reference, n)
        counts.append(((ours & theirs).total(), max(1, ours.total())))
    return _mean(counts, _brevity(len(reference), len(candidate)))


def weighted(
    reference: Sequence[str], candidate: Sequence[str], keywords: Collection[str], *, effective: bool = False
) -> float:
    """CodeBLEU's weighted n-gram match of two lists of tokens, in [0, 1]: recall, unigrams weighted by `keywords`.

    effective: as in `bleu`, and the brevity penalty is by the reference's length. The released code hands over the
    reference as two things, tokens and weights, and so takes its length to be 2. (arXiv:2009.10297, section 3.1)
    """
    orders = ORDERS[: len(reference)] if effective else ORDERS
    counts = []
    for n in orders:
        ours, theirs = grams(candidate, n), grams(reference, n)
        shared = ours & theirs
        if n == 1:
            weight = {gram: KEYWORD if gram[0] in keywords else OTHER for gram in theirs}
            total = sum(count * weight[gram] for gram, count in theirs.items())
            got = sum(count * weight[gram] for gram, count in shared.items())
            counts.append((got, total if effective else max(1, total)))
        else:
            counts.append((shared.total(), max(1, theirs.total())))
    return _mean(counts, _brevity(len(reference) if effective else 2, len(candidate)))


def _mean(counts: Sequence[tuple[float, float]], brevity: float) -> float:
    """The geometric mean of the shares, zero counts smoothed; 0 where no single token is shared."""
    if not counts or not counts[0][0]:
        return 0.0
    return brevity * math.exp(math.fsum(math.log((hit or EPSILON) / total) for hit, total in counts) / len(counts))


def _brevity(reference: int, candidate: int) -> float:
    if candidate > reference:
        return 1.0
    return math.exp(1 - reference / candidate) if candidate else 0.0
