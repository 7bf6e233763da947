"""The paged cache's books where the shared prefixes were chosen ahead: kept from their first request to their last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from steelyard.lab.serving.job import Job
from steelyard.lab.serving.paging import Books, Run, Slots
from steelyard.lab.serving.prefix_tree import Segment


@dataclass(eq=False)
class _Held:
    """A segment in the cache. filled: tokens of it that are computed. left: members that are not finished. users: those
    that run now. writer: the run that computes it, None when it is whole or when that run was preempted."""

    segment: Segment
    left: int
    filled: int = 0
    users: int = 0
    blocks: list[int] = field(default_factory=list)
    slots: Slots | None = None
    writer: Run | None = None

    @property
    def whole(self) -> bool:
        return self.filled == self.segment.end - self.segment.start


class SharedSegments(Books):
    """Segments that were chosen ahead: each computed once by the first member that runs, kept until its last member has
    finished, and freed then."""

    def __init__(self, job: Job, segments: Sequence[Segment]) -> None:
        super().__init__(job)
        self._held = {s: _Held(s, len(s.members)) for s in segments}
        self._chain: dict[int, list[_Held]] = {}
        for segment in sorted(segments, key=lambda s: s.start):  # parents first
            for number in segment.members:
                self._chain.setdefault(number, []).append(self._held[segment])

    def begin(self, run: Run) -> bool:
        chain = self._chain.get(run.number, [])
        if any(h.slots is not None and not h.whole and h.writer is not None for h in chain):
            return False  # somebody computes it; next step it is there
        absent = [h for h in chain if h.slots is None]
        own = run.known - (chain[-1].segment.end if chain else 0)
        if self.available < sum(self._blocks(h) for h in absent) + self.limits.blocks_of(own):
            return False
        run.base = 0
        for held in chain:
            if held.slots is None:
                held.blocks = [self._take() for _ in range(self._blocks(held))]
                size = self.limits.block
                held.slots = (np.array(held.blocks)[:, None] * size + np.arange(size)).ravel()
            start, end = held.segment.start, held.segment.end
            run.slots[start:end] = held.slots[: end - start]
            held.users += 1
            if run.computed == start:
                run.computed += held.filled
            if not held.whole:
                held.writer = run
            run.base = end
        return True

    def wrote(self, run: Run) -> None:
        for held in self._chain.get(run.number, []):
            if held.writer is run:
                length = held.segment.end - held.segment.start
                held.filled = max(0, min(run.computed - held.segment.start, length))
                if held.whole:
                    held.writer = None

    def needed(self, run: Run, upto: int) -> int:
        """Own blocks, and those of segments that are not in the cache."""
        chain = self._chain.get(run.number, [])
        base = chain[-1].segment.end if chain else 0
        absent = sum(self._blocks(h) for h in chain if h.slots is None)
        return absent + max(0, self.limits.blocks_of(upto - base) - len(run.blocks))

    def end(self, run: Run, *, finished: bool) -> None:
        super().end(run, finished=finished)
        for held in reversed(self._chain.get(run.number, [])):
            held.users -= 1
            held.left -= finished
            if held.writer is run:
                held.writer = None
            if not held.left:
                self._drop(held)

    def give_up(self) -> bool:
        """Drop the segments that nobody uses just now; they are computed again when their turn comes."""
        idle = [h for h in self._held.values() if h.slots is not None and not h.users]
        for held in idle:
            self.evictions += len(held.blocks)
            self._drop(held)
        return bool(idle)

    def detach(self, run: Run) -> bool:
        chain = self._chain.pop(run.number, [])
        for held in reversed(chain):
            held.left -= 1
            if not held.left:
                self._drop(held)
        return bool(chain)

    def _drop(self, held: _Held) -> None:
        for block in held.blocks:
            self._give(block)
        held.blocks, held.slots, held.filled = [], None, 0

    def _blocks(self, held: _Held) -> int:
        return self.limits.blocks_of(held.segment.end - held.segment.start)
