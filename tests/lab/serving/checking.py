"""A machine that computes no model but remembers what was written where, and looks whether everybody reads its own past."""

from __future__ import annotations

import numpy as np

from steelyard.lab.serving.job import Limits, job_of, request


class Ledger:
    """Its next token is a hash of everything before it, so a run that read another's past would also answer otherwise."""

    def __init__(self, limits):
        self.contents = [None] * (limits.blocks * limits.block)
        self.sizes = []

    def step(self, works, *, shared):
        for w in works:
            past = self._past(w)
            for at in range(w.start, w.stop):
                self.contents[w.run.slots[at]] = past[at]
        for w in works:  # each layer writes before it reads: what another work of this step writes may be read
            assert [self.contents[s] for s in w.run.slots[: w.stop]] == self._past(w)
        self.sizes.append(sum(w.stop - w.start for w in works))
        return [hash(self._past(w)[-1]) % 97 for w in works]

    def _past(self, w):
        past, seen = [], 7
        for token in w.run.tokens[: w.stop].tolist():
            seen = hash((seen, token))
            past.append(seen)
        return past


def alone(r):
    """What the ledger answers to a request by itself."""
    tokens = list(r.prompt.tolist())
    for _ in range(r.new):
        seen = 7
        for token in tokens:
            seen = hash((seen, token))
        tokens.append(hash(seen) % 97)
    return tokens[len(r.prompt) :]


def job(prompts, blocks, new=2, block=4, tokens=16, requests=8, max_new=None):
    """A job of prompts given as lists; all of them generate `new` tokens."""
    made = [request(f"r{i}", p, max_new or new, expected=new, new=new) for i, p in enumerate(prompts)]
    return job_of(made, Limits(blocks, block, tokens, requests))


def random_prompts(seed, count=12, letters=2, longest=14):
    """Prompts over few letters, so that they share much."""
    rng = np.random.default_rng(seed)
    return [rng.integers(0, letters, rng.integers(1, longest + 1)).tolist() for _ in range(count)]
