"""Selection: a query in words and texts in, one similarity a text out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from steelyard.core.contender import contender
from steelyard.stats import retrieval
from steelyard.stats.retrieval import Query


@contender("select", interface="analysis", source="arXiv:2412.06745, section 5")
@dataclass(frozen=True)
class Select:
    """mode: tfidf (words in common), embedding (all-MiniLM-L6-v2, needs the extra `select`) or random (the floor)."""

    mode: Literal["tfidf", "embedding", "random"] = "tfidf"
    depends_on: ClassVar[tuple[Any, ...]] = (retrieval,)

    def __call__(self, data: Query) -> np.ndarray:
        if self.mode == "random":
            return np.random.default_rng(data.seed).random(len(data.texts))
        if self.mode == "tfidf":
            return retrieval.tfidf(data.text, data.texts)
        from steelyard.llm.embedding import similarity

        return similarity(data.text, data.texts)
