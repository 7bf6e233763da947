"""Which other files help to fill a gap: official relevance (imports and BM25), ordered and packed."""

from __future__ import annotations

import ast
import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from steelyard.benchmarks.code import budget

Query = Literal["without-middle", "with-middle"]
Order = Literal["close", "far"]
File = tuple[str, str]  # path, text
K1, B = 1.5, 0.75
_WORD = re.compile(r"\w+")
_IMPORT = re.compile(r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import\b|import[ \t]+([\w., \t]+))", re.MULTILINE)


def relevance(query: str, files: Sequence[File]) -> list[float]:
    """Of each file: how many imported modules its path names, plus its share of all BM25 similarity to the query."""
    modules = imported(query)
    similar = bm25(_WORD.findall(query), [_WORD.findall(text) for _, text in files])
    total = sum(similar)
    return [
        sum(f"{module}.py" in path for module in modules) + (score / total if total > 0 else 0.0)
        for (path, _), score in zip(files, similar, strict=True)
    ]


def ranked(query: str, files: Sequence[File]) -> list[File]:
    """The files, the most relevant first; files of equal relevance stay in their order."""
    scores = relevance(query, files)
    return [files[at] for at in sorted(range(len(files)), key=lambda at: -scores[at])]


def bm25(query: Sequence[str], documents: Sequence[Sequence[str]]) -> list[float]:
    """Okapi BM25 of each document, every token of the query counting as often as it occurs.

    k1 1.5, b 0.75, idf = ln((N - n + 0.5) / (n + 0.5) + 1), N documents of which n have the token (create_test_repo.py).
    """
    if not documents:
        return []
    counts = [Counter(d) for d in documents]
    mean = sum(map(len, documents)) / len(documents) or 1.0
    wanted = Counter(query)
    holders = {token: sum(token in c for c in counts) for token in wanted}
    weight = {t: math.log((len(documents) - n + 0.5) / (n + 0.5) + 1) for t, n in holders.items() if n}
    return [
        sum(
            times * weight[t] * count[t] * (K1 + 1) / (count[t] + K1 * (1 - B + B * len(document) / mean))
            for t, times in wanted.items()
            if t in count
        )
        for count, document in zip(counts, documents, strict=True)
    ]


def imported(text: str) -> set[str]:
    """The last parts of the modules that a file imports, and the names it imports from them (they may be modules)."""
    try:
        nodes = list(ast.walk(ast.parse(text)))
    except (SyntaxError, ValueError, RecursionError):  # a file with a gap in it need not parse
        names = [n for found in _IMPORT.findall(text) for part in found for n in part.split(",")]
        return {n.split(" as ")[0].strip().rpartition(".")[2] for n in names} - {""}
    modules = {alias.name for n in nodes if isinstance(n, ast.Import | ast.ImportFrom) for alias in n.names}
    modules |= {n.module for n in nodes if isinstance(n, ast.ImportFrom) and n.module}
    return {m.rpartition(".")[2] for m in modules} - {"", "*"}


def packed(files: Sequence[File], room: int, order: Order) -> list[File]:
    """The most relevant files that fit into `room` tokens, in the order of the prompt: close has the best one last."""
    chosen = budget.pack(files, room)
    return chosen[::-1] if order == "close" else chosen
