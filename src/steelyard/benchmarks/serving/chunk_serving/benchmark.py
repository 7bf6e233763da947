"""Chunk serving: a stream of prompts that share passages, arriving at random; time to the first token against the rate."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from steelyard.benchmarks.serving.chunk_reuse.benchmark import ChunkReuse
from steelyard.benchmarks.serving.chunk_reuse.requests import Prompt
from steelyard.benchmarks.serving.chunk_serving.queueing import (
    Seconds,
    first_tokens,
    highest_rate,
    poisson_gaps,
)
from steelyard.core.errors import InputError, MissingError, SteelyardError
from steelyard.core.interfaces import Outcome
from steelyard.core.words import Case, Status
from steelyard.lab import CachePolicy, Session
from steelyard.lab.chunk_store import Reuse, store_at

SEED = 66
NEW = (1, 8, 32)  # tokens of an answer
LOADS = (0.25, 0.5, 0.75, 0.9, 1.5, 2.5)  # rates, over what the full prefill can bear at most
ARRIVALS, DRAWS = 1000, 8  # of a replay


@dataclass(frozen=True)
class Served:
    """A stream as one method served it, back to back. first: (n,) from a request's start to its first token (s).

    decoded: (n, tokens) from there to each further token, the first 0. stored: (n,) what storing new entries took after
    that. computed: tokens that went through all layers, of `tokens` prompt tokens. misses: chunks that no store had.
    """

    first: Seconds
    decoded: Seconds
    stored: Seconds
    computed: int
    tokens: int
    misses: int

    def busy(self, new: int) -> Seconds:
        """(n,) from the start of a request with so many new tokens until the server is free."""
        return self.first + self.decoded[:, new - 1] + self.stored


class ChunkServing:
    """model, passages, words, dtype, device: as of chunk-reuse. requests: how many the passages come from.

    stream: prompts served, each one of the requests with its passages in an order of its own. most: new tokens of an
    answer. limit: on the mean time to the first token, times that of the full prefill without a wait.
    """

    def __init__(
        self, model: str = "tiny", requests: int = 3, passages: int = 4, words: int = 100, stream: int = 12, most: int = 8,
        limit: float = 2.0, dtype: str = "fp32", device: str = "cpu",
    ) -> None:  # fmt: skip
        if stream < 2 or most < 1 or limit <= 1:
            raise InputError(f"chunk-serving: a stream of {stream}, {most} new tokens, limit {limit}.", "At least 2 prompts and 1 token; the limit is more than 1.")  # fmt: skip
        self.reuse = ChunkReuse(model, requests, passages, words, dtype=dtype, device=device)
        self.stream, self.most, self.limit = stream, most, limit
        self.notes: list[str] = []
        self._prompts: list[Prompt] = []
        self._served: dict[tuple[CachePolicy | str, int], Served] = {}

    def cases(self, data: str | None) -> list[Case]:
        """The highest rate for each length of an answer, and single rates with answers of one token."""
        chosen = self.reuse.cases(data)[: self.reuse.requests]
        self._prompts = [case.payload[1] for case in chosen]
        self.notes = self.reuse.notes
        cases = [
            Case(f"highest-rate/{new}-new", (new, None), {"kind": "highest-rate", "new": new, "load": 0.0})
            for new in NEW
            if new <= self.most
        ]
        return cases + [Case(f"rate/{x:g}", (1, x), {"kind": "rate", "new": 1, "load": x}) for x in LOADS]

    def measure(self, contender: CachePolicy, case: Case, trial: int) -> dict[str, float] | Outcome:
        """A stream is served once a trial, and its times then replayed for every case."""
        new, load = case.payload
        try:
            full, ours = self._serve("full", CachePolicy(), trial), self._serve(*_named(contender), trial)
        except MissingError:
            raise
        except SteelyardError as error:
            return Outcome({}, Status.FAILED, str(error))
        times = [np.resize(x, ARRIVALS) for x in (ours.first, ours.busy(new))]
        gaps = poisson_gaps(DRAWS, ARRIVALS, SEED + trial)
        found = {
            "service_time": float(ours.busy(new).mean()), "computed_share": ours.computed / ours.tokens, "misses": ours.misses,
        }  # fmt: skip
        if load is None:
            limit = self.limit * float(full.first.mean())
            return found | {"requests_per_s": highest_rate(*times, gaps, limit), "latency_limit": limit}
        rate = load / float(full.busy(new).mean())
        waited = first_tokens(*times, gaps / rate)
        return found | {
            "time_to_first_token": float(waited.mean()), "time_to_first_token_p95": float(np.quantile(waited, 0.95)),
            "rate": rate, "utilisation": rate * float(ours.busy(new).mean()),
        }  # fmt: skip

    def summary(self, values: Any) -> list[dict[str, Any]]:
        """The highest rate of each length of an answer, and the time to the first token at each rate."""
        highest, at = values("requests_per_s"), values("time_to_first_token")
        row: dict[str, Any] = {f"requests/s, {case.split('/')[1]}": rate for case, rate in highest.items()}
        return [row | {f"first token at {case.removeprefix('rate/')} (s)": taken for case, taken in at.items()}]

    def _serve(self, key: CachePolicy | str, policy: CachePolicy, trial: int) -> Served:
        if (key, trial) not in self._served:
            self._served[key, trial] = self._run(policy, trial)
        return self._served[key, trial]

    def _run(self, policy: CachePolicy, trial: int) -> Served:
        """Every request once, in another order, so that its chunks are stored; then the stream, timed."""
        lab, rng = self.reuse.lab, random.Random(f"{SEED} {trial}")
        store_at.cache_clear()  # so that no method finds what another has stored
        for prompt in self._prompts:
            self._ask(policy, prompt.turned())
        first, decoded, stored = [], [], []
        computed = tokens = misses = 0
        for _ in range(self.stream):
            prompt, counts, begin = _shuffled(rng.choice(self._prompts), rng), lab.counts.copy(), lab.clock()
            session = self._ask(policy, prompt, finish=False)
            first.append(lab.clock() - begin)
            computed += (lab.counts - counts).tokens_computed
            tokens += len(prompt.ids)
            said: list[float] = []
            session.copy().generate(self.most, done=lambda _, said=said: said.append(lab.clock()) or False)
            decoded.append([at - said[0] for at in said])
            begin, reuse = lab.clock(), _reuse(session)
            reuse.finish()
            stored.append(lab.clock() - begin)
            misses += reuse.misses
        return Served(np.array(first), np.array(decoded), np.array(stored), computed, tokens, misses)

    def _ask(self, policy: CachePolicy, prompt: Prompt, *, finish: bool = True) -> Session:
        session = Session(self.reuse.lab, policy)
        int(session.prefill(prompt.ids, len(prompt.question), prompt.lengths)[-1].argmax())
        if finish:
            _reuse(session).finish()
        return session


def _named(contender: CachePolicy) -> tuple[CachePolicy | str, CachePolicy]:
    """The full prefill is served once for all, whoever asks for it."""
    return "full" if getattr(contender, "steelyard_name", "") == "full" else contender, contender


def _reuse(session: Session) -> Reuse:
    found: Mapping[str, Any] = session.cache.state
    return found.get("reuse") or Reuse()


def _shuffled(prompt: Prompt, rng: random.Random) -> Prompt:
    first, *rest = prompt.chunks
    rng.shuffle(rest)
    return Prompt([first, *rest], prompt.question, prompt.dropped)
