"""A conversation with a model over one cache: prompt, follow-ups, copies for other requests, answers, scores."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import torch
from torch import Tensor

from steelyard.lab.cache import KVCache
from steelyard.lab.forward_pass import empty_cache, forward
from steelyard.lab.opening import LabModel
from steelyard.lab.policy import CachePolicy


class Session:
    """One sequence. logits: (V,) of the token that comes next. peak_bytes: the most the cache has held after a pass."""

    def __init__(self, lab: LabModel, policy: CachePolicy, cache: KVCache | None = None) -> None:
        self.lab, self.policy = lab, policy
        self.cache = cache or empty_cache(lab)
        self.logits: Tensor | None = None
        self.peak_bytes = 0

    @property
    def bytes(self) -> int:
        """What the cache holds now."""
        return sum(map(self.policy.bytes, self.cache.layers))

    @torch.no_grad()
    def prefill(self, ids: Sequence[int], question: int = 0, chunks: Sequence[int] = (), rows: int = 1) -> Tensor:
        """Run the prompt; the policy then compresses. Logits of its last `rows` tokens, (rows, V).

        question: how many tokens at its end ask something. chunks: lengths of the pieces of text that it begins with and
        that other prompts may hold too.
        """
        self.cache.state |= {"question": question, "chunks": tuple(chunks), "rows": rows}
        tokens = self._tensor(ids)
        positions = torch.arange(len(ids), device=self.lab.device)[None]
        logits = self.policy.prefill(self.lab, self.cache, tokens, positions)
        if logits is None:
            logits = forward(self.lab, self.cache, tokens, self.policy, prompt=True, rows=rows)
        self._note(logits)
        return logits[0]

    @torch.no_grad()
    def extend(self, ids: Sequence[int]) -> Tensor:
        """Feed follow-up tokens, one by one where the policy asks for it. Logits after each: (q, V) in fp32."""
        parts = [[i] for i in ids] if self.policy.one_by_one() else [list(ids)]
        rows = []
        for part in parts:
            tokens = self._tensor(part)
            positions = torch.arange(self.cache.seen, self.cache.seen + len(part), device=self.lab.device)[None]
            logits = self.policy.step(self.lab, self.cache, tokens, positions)
            if logits is None:
                logits = forward(self.lab, self.cache, tokens, self.policy, prompt=False, every=True)
            self._note(logits)
            rows.append(logits[0].float())
        return torch.cat(rows)

    def copy(self) -> Session:
        """Another request over the same cache: what it adds is its own, and goes with it."""
        other = Session(self.lab, self.policy, self.cache.copy())
        other.logits, other.peak_bytes = self.logits, self.peak_bytes
        self.policy.on_reuse(other.cache)
        self.lab.counts.tokens_reused += self.cache.seen
        return other

    def score(self, ids: Sequence[int]) -> Tensor:
        """Feed a given answer: the logits (q, V) that predicted each of its tokens, in fp32."""
        assert self.logits is not None, "a session begins with `prefill`"
        first = self.logits[None].float()
        return torch.cat([first, self.extend(ids[:-1])]) if len(ids) > 1 else first

    def generate(
        self, most: int, stop: Collection[int] = (), *, choose: Callable[[Tensor], int] | None = None,
        done: Callable[[list[int]], bool] | None = None,
    ) -> list[int]:  # fmt: skip
        """Decode until a token of `stop` (left out), until `done` of what there is, or `most` tokens.

        choose: from logits (V,) to a token; the most likely one by default.
        """
        assert self.logits is not None, "a session begins with `prefill`"
        out: list[int] = []
        while len(out) < most:
            token = choose(self.logits) if choose else int(self.logits.argmax())
            if token in stop:
                break
            out.append(token)
            if done is not None and done(out):
                break
            if len(out) < most:
                self.extend([token])
        return out

    def _tensor(self, ids: Sequence[int]) -> Tensor:
        return torch.tensor([list(ids)], device=self.lab.device)

    def _note(self, logits: Tensor) -> None:
        self.logits = logits[0, -1]
        self.peak_bytes = max(self.peak_bytes, self.bytes)
