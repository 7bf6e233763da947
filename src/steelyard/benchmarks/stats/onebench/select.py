"""Capability queries: does a query in words find the samples that are tagged with it?"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from steelyard.benchmarks.stats.onebench.data import read_samples
from steelyard.core.words import Case
from steelyard.stats.retrieval import Query, average_precision

FEWEST = 20  # samples with a tag


class OneBenchSelect:
    """Cases: every tag value of a source that 20 samples or more have, and not all; the value is the query."""

    def cases(self, data: str | None) -> list[Case]:
        """query/SOURCE/TAG=VALUE, over the source's samples that have a text."""
        pool = read_samples(data)
        cases = []
        for source in dict.fromkeys(pool.sources.tolist()):
            inside = [i for i in np.flatnonzero(pool.sources == source) if pool.texts[i]]
            texts = tuple(pool.texts[i] for i in inside)
            values = [{(k, v) for k, vs in pool.tags[i].items() for v in _several(vs)} for i in inside]
            for (tag, value), count in sorted(Counter(v for vs in values for v in vs).items()):
                if FEWEST <= count < len(inside):
                    relevant = np.array([(tag, value) in vs for vs in values])
                    facts = {"study": "query", "source": source, "tag": tag, "relevant": count, "items": len(inside)}
                    cases.append(
                        Case(f"query/{source}/{tag}={value}", (value, texts, relevant), facts, f"{source}/{tag}")
                    )
        return cases

    def measure(self, contender: Any, case: Case, trial: int) -> dict[str, float]:
        """Average precision of the samples by falling similarity; `chance` is the share that is relevant."""
        query, texts, relevant = case.payload
        found = contender(Query(query, texts, trial))
        return {"average_precision": average_precision(found, relevant), "chance": float(relevant.mean())}


def _several(value: Any) -> list[str]:
    return [str(v) for v in value] if isinstance(value, list) else [str(value)]
