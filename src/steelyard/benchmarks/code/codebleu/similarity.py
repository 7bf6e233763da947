"""Two peers of CodeBLEU that look at characters: chrF and edit similarity."""

from __future__ import annotations

from rapidfuzz.distance import Levenshtein

from steelyard.benchmarks.code.codebleu.ngrams import grams

ORDER, BETA = 6, 2.0


def chrf(reference: str, candidate: str) -> float:
    """chrF2 in [0, 1]: F-score (recall counts twice) of character n-grams up to 6, white space left out (Popović 2015)."""
    theirs, ours = ("".join(text.split()) for text in (reference, candidate))
    precisions, recalls = [], []
    for n in range(1, ORDER + 1):
        have, want = grams(ours, n), grams(theirs, n)
        if have and want:
            shared = (have & want).total()
            precisions.append(shared / have.total())
            recalls.append(shared / want.total())
    if not precisions or not any(precisions):
        return 0.0
    precision, recall = sum(precisions) / len(precisions), sum(recalls) / len(recalls)
    return (1 + BETA**2) * precision * recall / (BETA**2 * precision + recall)


def edit_similarity(reference: str, candidate: str) -> float:
    """One minus the edit distance over the longer length, in [0, 1]; runs of white space count as one blank."""
    theirs, ours = (" ".join(text.split()) for text in (reference, candidate))
    return float(Levenshtein.normalized_similarity(theirs, ours))
