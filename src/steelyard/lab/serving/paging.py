"""The paged cache's books: who holds which block; and blocks that are found again by content until they are evicted."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from steelyard.lab.serving.job import Job, Request, Tokens

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
