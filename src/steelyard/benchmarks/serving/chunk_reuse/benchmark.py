"""Chunk reuse: prompts whose passages other prompts have held before; time to the first token, and what it costs in quality."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import torch
from torch import Tensor

from steelyard.benchmarks.serving.chunk_reuse.metrics import f1
from steelyard.benchmarks.serving.chunk_reuse.requests import Prompt, Request, generate, prompt_of, read
from steelyard.benchmarks.serving.chunk_reuse.tiny import tiny
from steelyard.core.errors import InputError, MissingError, SteelyardError
from steelyard.core.interfaces import Outcome
from steelyard.core.words import Case, Status
from steelyard.lab import CachePolicy, KVCache, LabModel, Session, open_model
from steelyard.lab.chunk_store import Reuse
from steelyard.lab.fidelity import kl_divergence, mean_log_probability, top1_agreement
from steelyard.lab.opening import DTYPES

ROUNDING = 1e-6  # relative error of values up to which they are the same ones, computed in another order


@dataclass(frozen=True)
class Heard:
    """A prompt answered. logits: (n, V) of the question's tokens. answer: (a, V), those that predicted the right answer's.

    output: ids that were said. cache: as the prompt left it.
    """

    logits: Tensor
    answer: Tensor | None
    output: list[int]
    cache: KVCache


class ChunkReuse:
    """model: tiny, smollm2, or whatever the lab opens. requests: generated ones. passages: of a request, 0 for all.

    words: of a generated passage. most: new tokens of an answer, 0 to say none. profile: how answers are scored.
    dtype, device: of the model.
    """

    def __init__(
        self, model: str = "tiny", requests: int = 3, passages: int = 4, words: int = 40, most: int = 8,
        profile: str = "sound", dtype: str = "fp32", device: str = "cpu",
    ) -> None:  # fmt: skip
        if profile not in ("sound", "published") or dtype not in DTYPES:
            raise InputError(f"chunk-reuse: profile is {profile!r}, dtype {dtype!r}.", f"sound, published; {', '.join(DTYPES)}.")  # fmt: skip
        if requests < 1 or passages < 0 or words < 11 or most < 0:
            raise InputError("chunk-reuse needs a request, and passages of 11 words or more.", "passages=0 takes all of the data's, most=0 says no answer.")  # fmt: skip
        self.model, self.requests, self.passages, self.words = model, requests, passages, words
        self.most, self.profile, self.dtype, self.device = most, profile, dtype, device
        self.notes: list[str] = []
        self._warmed: dict[tuple[CachePolicy, str], dict[str, int]] = {}
        self._quality: dict[tuple[CachePolicy, str], dict[str, float]] = {}
        self._full: tuple[str, Heard] | None = None

    @cached_property
    def lab(self) -> LabModel:
        """The open model."""
        if self.model == "tiny":
            return tiny(DTYPES[self.dtype], self.device)
        return open_model(self.model, self.dtype, self.device)

    def cases(self, data: str | None) -> list[Case]:
        """One case a request; attribute `number` is its place within its source, from 1."""
        self.notes = []
        cases: list[Case] = []
        numbers: Counter[str] = Counter()
        asked = generate(self.requests, self.passages or 4, self.words) if data is None else read(data)
        for request in asked:
            prompt = prompt_of(self.lab, request, self.passages, self.lab.context - self.most - 1)
            if prompt.dropped:
                self.notes.append(f"{request.id}: its last {prompt.dropped} passages do not fit the model.")
            numbers[request.source] += 1
            facts = {
                "source": request.source, "number": numbers[request.source], "tokens": len(prompt.ids), "passages": len(prompt.chunks) - 1,
                "dropped": prompt.dropped, "question_tokens": len(prompt.question),
            }  # fmt: skip
            cases.append(Case(request.id, (request, prompt), facts))
        return cases

    def warm(self, contender: CachePolicy, case: Case) -> None:
        """An earlier request with the same passages in another order and another question: now they are in a store."""
        prompt: Prompt = case.payload[1].turned()
        session = Session(self.lab, contender)
        session.prefill(prompt.ids, len(prompt.question), prompt.lengths)
        reuse = session.cache.state.get("reuse", Reuse())
        reuse.finish()
        self._warmed[contender, case.id] = dict(reuse.held)

    def measure(self, contender: CachePolicy, case: Case, trial: int) -> dict[str, float] | Outcome:
        """One prompt from nothing to its first token, everything included; quality and fidelity once for all trials."""
        request, prompt = case.payload
        key = (contender, case.id)
        try:
            if key not in self._warmed:
                self.warm(contender, case)
            before, begin = self.lab.counts.copy(), self.lab.clock()
            session = Session(self.lab, contender)
            logits = session.prefill(prompt.ids, len(prompt.question), prompt.lengths)
            int(logits[-1].argmax())
            taken = self.lab.clock() - begin
            spent = self.lab.counts - before
            if key not in self._quality:
                self._quality[key] = self._judge(contender, request, prompt)
        except MissingError:
            raise
        except SteelyardError as error:
            return Outcome({}, Status.FAILED, str(error))
        reuse = session.cache.state.get("reuse") or _nothing_reused(len(prompt.ids), len(self.lab.layers))
        held = {**self._warmed[key], **reuse.held}
        found = {
            "time_to_first_token": taken, "flops": spent.flops, "attended": spent.attended, "tokens_computed": spent.tokens_computed,
            "tokens_reused": spent.tokens_reused, "token_layer_share": reuse.token_layers / (len(prompt.ids) * len(self.lab.layers)),
            "loaded_bytes": reuse.loaded_bytes, "stored_bytes": sum(held.values()),
        }  # fmt: skip
        if reuse.ratio:
            found["recompute_ratio"] = reuse.ratio
        if reuse.tier:
            found["storage_tier"] = reuse.tier
        if any(reuse.load_s):
            found |= {"load_time": sum(reuse.load_s), "wait_time": sum(reuse.wait_s), "pipeline_ratio": (sum(reuse.compute_s) + sum(reuse.wait_s)) / reuse.pipeline_s}  # fmt: skip
        return found | self._quality[key]

    def _judge(self, contender: CachePolicy, request: Request, prompt: Prompt) -> dict[str, float]:
        if self._full is None or self._full[0] != request.id:
            self._full = (request.id, self._hear(CachePolicy(), request, prompt))
        full, heard = self._full[1], self._hear(contender, request, prompt)
        told = heard.cache.state["reuse"].told if "reuse" in heard.cache.state else list(range(len(prompt.question)))
        same = full.logits[told]
        found = {
            "kl_answer": kl_divergence(same[-1:], heard.logits[-1:]), "top1_answer": top1_agreement(same[-1:], heard.logits[-1:]),
            "value_deviation": _deviation(full.cache, heard.cache),
        }  # fmt: skip
        if found["value_deviation"] > ROUNDING:
            found |= _rank_correlation(full.cache, heard.cache, prompt)
        if len(told) == len(prompt.question):
            found |= {
                "mean_kl_suffix": kl_divergence(same, heard.logits), "top1_agreement": top1_agreement(same, heard.logits),
                "identical_to_full": float(torch.equal(same, heard.logits)),
            }  # fmt: skip
        if heard.answer is not None and full.answer is not None:
            right = self.lab.encode(request.answers[0])
            ours, whole = (mean_log_probability(x, right) for x in (heard.answer, full.answer))
            found |= {"log_probability": ours, "log_probability_change": ours - whole}
            if self.most:
                said, exact = (self._f1(h.output, request) for h in (heard, full))
                found |= {"f1": said, "f1_change": said - exact}
        return found

    def _f1(self, output: list[int], request: Request) -> float:
        text = self.lab.decode(output)
        if self.profile == "published":
            return f1(text, request.answers, "published", self.lab.encode)
        return f1(text, request.answers)

    def _hear(self, policy: CachePolicy, request: Request, prompt: Prompt) -> Heard:
        session = Session(self.lab, policy)
        logits = session.prefill(prompt.ids, len(prompt.question), prompt.lengths, rows=len(prompt.question))
        answer = session.copy().score(self.lab.encode(request.answers[0])) if request.answers else None
        output = session.copy().generate(self.most, self.lab.stop_ids) if request.answers else []
        return Heard(logits.float(), answer, output, session.cache)


def _nothing_reused(tokens: int, layers: int) -> Reuse:
    return Reuse(token_layers=tokens * layers, kept=tokens)


def _deviation(full: KVCache, other: KVCache) -> float:
    """sum ||V - V*||^2 / sum ||V*||^2 over the layers from the third on; 0 where two layers are all there are."""
    pairs = [(a.values.float(), b.values.float()) for a, b in zip(full.layers[2:], other.layers[2:], strict=True)]
    wrong = sum(float((a - b).square().sum()) for a, b in pairs)
    return wrong / sum(float(a.square().sum()) for a, _ in pairs) if pairs else 0.0


def _rank_correlation(full: KVCache, other: KVCache, prompt: Prompt) -> dict[str, float]:
    """Spearman's correlation of the tokens' deviation between neighbouring layers, the median over layers from the second.

    Of the passages after the first chunk, which is exact. Nothing where nothing deviates.
    """
    from scipy.stats import spearmanr

    first, end = len(prompt.chunks[0]), sum(prompt.lengths)
    wrong = [
        (a.values - b.values).float().square().sum(dim=(0, 1, 3))[first:end]
        for a, b in zip(full.layers[1:], other.layers[1:], strict=True)
    ]
    found = [float(spearmanr(a, b).statistic) for a, b in pairwise(wrong) if float(a.std()) > 0 and float(b.std()) > 0]
    return {"spearman_r": float(torch.tensor(found).median())} if found else {}
