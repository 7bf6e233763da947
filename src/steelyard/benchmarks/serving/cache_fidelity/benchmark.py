"""Cache fidelity: how far a shaped cache moves a model's predictions, and what it holds and costs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from steelyard.benchmarks.serving.cache_fidelity.texts import Record, read, sessions, windows
from steelyard.core.errors import InputError, MissingError, SteelyardError
from steelyard.core.interfaces import Outcome
from steelyard.core.words import Case, Status
from steelyard.lab import CachePolicy, LabModel, open_model, texts
from steelyard.lab.counts import Counts
from steelyard.lab.fidelity import kl_divergence, mean_log_probability, rouge_l, top1_agreement
from steelyard.lab.session import Session


@dataclass(frozen=True)
class Run:
    """One record under one cache. logits: (q, V), of each token of the continuation. bytes: after the last one."""

    logits: Tensor
    bytes: int
    peak_bytes: int
    counts: Counts
    prompt_s: float
    token_s: float
    figures: dict[str, float]


class CacheFidelity:
    """model: recall, smollm2, or whatever the lab opens. length: tokens of the prompt, 0 for 320 (recall) or 256 (text).

    more: tokens fed after it, of texts; length=1 gives the perplexity of whole windows. windows: how many.
    answer: `text`, the document goes on; `full`, what the full cache would say (greedy), which is then also generated.
    dtype, device: of the model.
    """

    def __init__(
        self, model: str = "recall", length: int = 0, more: int = 64, windows: int = 8, answer: str = "text",
        dtype: str = "fp32", device: str = "cpu",
    ) -> None:  # fmt: skip
        if answer not in ("text", "full"):
            raise InputError(f"cache-fidelity: answer is {answer!r}.", "It may be text or full.")
        if min(more, windows) < 1 or length < 0:
            raise InputError(
                f"cache-fidelity: {windows} windows of {length} and {more} tokens.", "Give at least 1 of each."
            )
        self.model, self.length, self.more, self.windows = model, length, more, windows
        self.answer, self.dtype, self.device = answer, dtype, device
        self.notes: list[str] = []
        self._current = ""
        self._full: tuple[list[int], Run] | None = None

    @cached_property
    def lab(self) -> LabModel:
        """The open model."""
        return open_model(self.model, self.dtype, self.device)

    def cases(self, data: str | None) -> list[Case]:
        """One case a window or session; windows of one document are a group."""
        recall = self.model.startswith("recall")
        if data is not None and recall:
            raise InputError(
                f"the recall model does not speak the language of {data}.", "Write cache-fidelity[model=smollm2]."
            )
        length = self.length or (320 if recall else 256)
        if data is not None:
            records, self.notes = read(self.lab, data, self.windows, length, self.more)
        elif recall:
            records = sessions(self.lab, self.windows, length)
        else:
            records = windows(self.lab, texts.topics(), self.windows, length, self.more)
        kept = []
        for r in records:
            if len(r.prompt) + max(len(r.continuation), self.more) > self.lab.context:
                self.notes.append(f"{r.id} is left out: {len(r.prompt)} tokens and more do not fit {self.lab.context}.")
            else:
                kept.append(Case(r.id, r, {"task": r.task, "prompt_tokens": len(r.prompt)}, r.group))
        if not kept:
            raise InputError(f"no window of {length + self.more} tokens is there.", "Ask for a smaller length.")
        return kept

    def measure(self, contender: CachePolicy, case: Case, trial: int) -> dict[str, float] | Outcome:
        """One record; see the card for the metrics."""
        record: Record = case.payload
        try:
            fed, full = self._reference(record)
            ours = self._run(contender, record.prompt, fed)
            said = self._generate(contender, record, len(fed)) if self.answer == "full" else []
        except MissingError:
            raise
        except SteelyardError as error:
            return Outcome({}, Status.FAILED, str(error))
        if not torch.isfinite(ours.logits).all():
            return Outcome({}, Status.FAILED, "logits are not numbers: the cache has overflowed")
        found = {
            **_fidelity(ours, full, fed, self._answers(record, fed), record.exact),
            **_cost(ours, full),
            **ours.figures,
        }
        if self.answer == "full":
            words, whole = self.lab.decode(said).split(), self.lab.decode(fed).split()
            same = next((i for i, (a, b) in enumerate(zip(said, fed, strict=False)) if a != b), len(fed))
            found |= {"rouge_l": rouge_l(whole, words), "same_prefix": same / len(fed)}
        return Outcome(found)

    def _answers(self, record: Record, fed: list[int]) -> tuple[tuple[int, int], ...]:
        return record.answers if fed is record.continuation else ((0, len(fed)),)

    def _reference(self, record: Record) -> tuple[list[int], Run]:
        """What is fed after the prompt, and the full cache's run of it; kept while the record is asked for."""
        if self._full is None or self._current != record.id:
            fed = record.continuation
            if self.answer == "full" or not fed:
                fed = self._generate(CachePolicy(), record, self.more)
            self._full = fed, self._run(CachePolicy(), record.prompt, fed)
            self._current = record.id
        return self._full

    def _run(self, policy: CachePolicy, prompt: list[int], fed: list[int]) -> Run:
        session, before = Session(self.lab, policy), self.lab.counts.copy()
        begin = self.lab.clock()
        session.prefill(prompt)
        read = self.lab.clock()
        logits = session.score(fed)
        took = self.lab.clock() - read
        figures = dict(policy.figures(session.cache))
        each = took / max(1, len(fed) - 1)
        return Run(logits, session.bytes, session.peak_bytes, self.lab.counts - before, read - begin, each, figures)

    def _generate(self, policy: CachePolicy, record: Record, most: int) -> list[int]:
        """Greedy, as many tokens for all: nothing ends it."""
        session, counts = Session(self.lab, policy), self.lab.counts.copy()
        session.prefill(record.prompt)
        said = session.generate(most)
        vars(self.lab.counts).update(vars(counts))
        return said


def _fidelity(
    ours: Run, full: Run, fed: list[int], answers: tuple[tuple[int, int], ...], exact: bool
) -> dict[str, float]:
    """Over the tokens that are answers."""
    rows = [i for start, stop in answers for i in range(start, stop)]
    ids = [fed[i] for i in rows]
    a, b = ours.logits[rows], full.logits[rows]
    said, whole = mean_log_probability(a, ids), mean_log_probability(b, ids)
    found = {
        "kl": kl_divergence(b, a), "top1_agreement": top1_agreement(b, a), "log_probability": said,
        "log_probability_change": said - whole, "perplexity": math.exp(-said), "perplexity_ratio": math.exp(whole - said),
        "logit_difference": float((a - b).abs().max()),
    }  # fmt: skip
    if exact:
        top = ours.logits.argmax(-1).tolist()
        found["recall"] = sum(top[s:e] == fed[s:e] for s, e in answers) / len(answers)
    return found


def _cost(ours: Run, full: Run) -> dict[str, float]:
    """Exact counts, and times."""
    return {
        "cache_bytes": ours.bytes, "cache_share": ours.bytes / full.bytes, "peak_bytes": ours.peak_bytes,
        "flops": ours.counts.flops, "flops_ratio": ours.counts.flops / full.counts.flops, "attended": ours.counts.attended,
        "prompt_time": ours.prompt_s, "token_time": ours.token_s,
    }  # fmt: skip
