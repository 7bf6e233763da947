"""The paged cache's books: who holds which block. By content, kept until evicted (as vLLM), or by explicit segments."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from steelyard.lab.serving.job import Job, Request, Tokens
from steelyard.lab.serving.prefix_tree import Segment

Slots = NDArray[np.int64]


@dataclass(eq=False)
class Run:
    """A request on its way.

    tokens: prompt and what was generated, (prompt + max_new,), `known` of them so far. computed: whose keys and values
    are in the cache. slots: where, one for each position. base: where its own blocks begin.
    """

    number: int
    request: Request
    tokens: Tokens
    slots: Slots
    known: int
    computed: int = 0
    base: int = 0
    noted: int = 0
    blocks: list[int] = field(default_factory=list)

    @property
    def generated(self) -> int:
        return self.known - len(self.request.prompt)

    @property
    def left(self) -> int:
        """Tokens to compute before the next one is known."""
        return self.known - self.computed


class Books:
    """Blocks and who refers to them. evictions: cached blocks that were given to somebody else."""

    def __init__(self, job: Job) -> None:
        self.limits = job.limits
        self._free = list(range(job.limits.blocks))  # a heap: the lowest first, so that neighbours stay neighbours
        self.evictions = 0

    @property
    def available(self) -> int:
        """Blocks that can be had without stopping a request."""
        return len(self._free)

    @property
    def held(self) -> int:
        """Blocks with contents, used at present or kept for later."""
        return self.limits.blocks - len(self._free)

    @property
    def referenced(self) -> int:
        """Blocks that a running request needs."""
        return self.held

    def begin(self, run: Run) -> bool:
        """Take over what is cached of a request; False where it cannot start now. Nothing has changed then."""
        raise NotImplementedError

    def room(self, run: Run, upto: int) -> bool:
        """Own blocks for the positions below `upto`; False when there is none left (what was got stays)."""
        size = self.limits.block
        while run.base + size * len(run.blocks) < upto:
            if not self.available:
                return False
            self._own(run, self._take())
        return True

    def needed(self, run: Run, upto: int) -> int:
        """Own blocks that positions below `upto` still lack."""
        return max(0, self.limits.blocks_of(upto - run.base) - len(run.blocks))

    def wrote(self, run: Run) -> None:
        """Positions below run.computed are being computed in this step: others may use them in the same step, since each
        layer writes before it reads."""

    def end(self, run: Run, *, finished: bool) -> None:
        """Give back what a finished or preempted request holds."""
        for block in reversed(run.blocks):
            self._give(block)
        run.blocks, run.computed, run.base, run.noted = [], 0, 0, 0

    def give_up(self) -> bool:
        """Drop something that is kept for later, when nothing else helps; False where there is nothing."""
        return False

    def detach(self, run: Run) -> bool:
        """Let a request that does not run compute everything by itself: blocks of its own waste less than those of many
        segments. False where it shares nothing."""
        return False

    def _own(self, run: Run, block: int) -> None:
        size = self.limits.block
        at = run.base + size * len(run.blocks)
        run.slots[at : at + size] = np.arange(block * size, (block + 1) * size)
        run.blocks.append(block)

    def _take(self) -> int:
        return heapq.heappop(self._free)

    def _give(self, block: int) -> None:
        heapq.heappush(self._free, block)


class HashedBlocks(Books):
    """Full blocks found again by their contents and all that stands before them; reference counts; the least recently
    used unreferenced block is evicted first, of one request the last: a prefix outlives what follows it.

    reuse=False: nothing is ever found again.
    """

    def __init__(self, job: Job, *, reuse: bool = True) -> None:
        super().__init__(job)
        self.reuse = reuse
        self._ids: dict[tuple[int, bytes], int] = {}  # (what stands before, tokens of the block) -> content
        self._contents: dict[Run, list[int]] = {}  # of the full blocks of a request's known tokens
        self._at: dict[int, int] = {}  # content -> block
        self._content: dict[int, int] = {}  # block -> content
        self._users = [0] * job.limits.blocks
        self._idle: OrderedDict[int, None] = OrderedDict()  # cached and unreferenced, least recently used first

    @property
    def available(self) -> int:
        return len(self._free) + len(self._idle)

    @property
    def referenced(self) -> int:
        return self.held - len(self._idle)

    def cached(self, run: Run) -> int:
        """Leading tokens of a request that are in the cache now; its last token is always computed."""
        count, contents = 0, self._contents_of(run, run.known - 1)
        while count < len(contents) and contents[count] in self._at:
            count += 1
        return count * self.limits.block

    def begin(self, run: Run) -> bool:
        count = self.cached(run) // self.limits.block if self.reuse else 0
        blocks = [self._at[content] for content in self._contents_of(run, run.known - 1)[:count]]
        idle = sum(not self._users[b] for b in blocks)
        if self.available - idle < self.limits.blocks_of(run.known) - count:
            return False
        for block in blocks:
            self._idle.pop(block, None)
            self._users[block] += 1
            self._own(run, block)
        run.computed, run.noted = count * self.limits.block, count
        return True

    def wrote(self, run: Run) -> None:
        full = run.computed // self.limits.block
        if not self.reuse or full == run.noted:
            return
        contents = self._contents_of(run, run.computed)
        for block, content in zip(run.blocks[run.noted : full], contents[run.noted :], strict=True):
            if content not in self._at:
                self._at[content], self._content[block] = block, content
        run.noted = full

    def needed(self, run: Run, upto: int) -> int:
        """Own blocks; of a request that has not begun, those too that are cached and unused just now."""
        lacking = super().needed(run, upto)
        if run.blocks or not self.reuse:
            return lacking
        contents = self._contents_of(run, run.known - 1)[: self.cached(run) // self.limits.block]
        return lacking - sum(self._users[self._at[c]] > 0 for c in contents)

    def _contents_of(self, run: Run, upto: int) -> list[int]:
        """Contents of the full blocks below `upto`, named once; contents of one run never change."""
        size, named = self.limits.block, self._contents.setdefault(run, [])
        for k in range(len(named), upto // size):
            key = (named[-1] if named else -1, run.tokens[k * size : (k + 1) * size].tobytes())
            named.append(self._ids.setdefault(key, len(self._ids)))
        return named[: upto // size]

    def _take(self) -> int:
        if self._free:
            block = super()._take()
        else:
            block = self._idle.popitem(last=False)[0]
            del self._at[self._content.pop(block)]
            self.evictions += 1
        self._users[block] = 1
        return block

    def _give(self, block: int) -> None:
        self._users[block] -= 1
        if not self._users[block]:
            if block in self._content:
                self._idle[block] = None
            else:
                super()._give(block)


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
