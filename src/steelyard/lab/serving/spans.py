"""What the requests of a step read from the cache: stretches that several have in common, and what each has alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from steelyard.lab.serving.batching import Work
from steelyard.lab.serving.paging import Slots
from steelyard.lab.serving.prefix_tree import branchings


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """Positions [start, start + len(slots)) of every work in `members` (numbers within the step) stand in `slots`."""

    start: int
    slots: Slots
    members: tuple[int, ...]


class Spans:
    """Finds the spans of each step. While the same requests only decode, what they share does not change."""

    def __init__(self) -> None:
        self._expected: list[tuple[int, int]] = []  # requests of the last step, and where they stopped
        self._shared: list[tuple[int, int, tuple[int, ...]]] = []
        self._alone: list[int] = []

    def of(self, works: Sequence[Work], *, shared: bool = True) -> list[Span]:
        """Spans that several works share first, then one for each work. shared=False: only the latter."""
        if not shared:
            return [Span(0, w.run.slots[: w.stop], (i,)) for i, w in enumerate(works)]
        if any(w.stop - w.start > 1 for w in works) or [(w.run.number, w.start) for w in works] != self._expected:
            self._find(works)
        self._expected = [(w.run.number, w.stop) for w in works]
        spans = [Span(a, works[m[0]].run.slots[a:b], m) for a, b, m in self._shared]
        alone = [
            Span(a, w.run.slots[a : w.stop], (i,)) for i, (a, w) in enumerate(zip(self._alone, works, strict=True))
        ]
        return spans + [s for s in alone if len(s.slots)]

    def _find(self, works: Sequence[Work]) -> None:
        nodes, _ = branchings([w.run.slots[: w.stop] for w in works])
        below: dict[object, tuple[int, ...]] = {}
        for node in reversed(nodes):
            below[node] = (*node.direct, *(m for child in node.children for m in below[child]))
        self._shared = [(n.parent.depth, n.depth, below[n]) for n in nodes if n.parent is not None]
        self._alone = [0] * len(works)
        for node in nodes:
            for member in node.direct:
                self._alone[member] = node.depth
