"""First token: what a model says after a prompt, against what was spent until its first token, with equal training for all."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from torch import Tensor

from steelyard.benchmarks.serving.first_token import records, tiny, trivia
from steelyard.benchmarks.serving.first_token.records import DEFAULTS, Record
from steelyard.core.contender import source_hash
from steelyard.core.errors import InputError, MissingError, SteelyardError
from steelyard.core.interfaces import Outcome
from steelyard.core.words import Case, Status
from steelyard.lab import CachePolicy, KVCache, LabModel, Session, open_model, recall, recall_training, texts
from steelyard.lab.fidelity import kl_divergence, mean_log_probability, top1_agreement
from steelyard.lab.opening import DTYPES
from steelyard.lab.training import Fitted, Training
from steelyard.stats.pareto import at_cost, front

Key = tuple[CachePolicy, int]


@dataclass(frozen=True)
class Heard:
    """A record answered. logits: (q, V) before each token that is fed. cache: as the prompt left it. output: generated."""

    logits: Tensor
    cache: KVCache
    flops: int
    output: str


class FirstToken:
    """model: tiny, recall, smollm2, or whatever the lab opens. count: of cases. length: tokens of a prompt, 0 for the model's
    own (32 words tiny, 96 recall, 256 text). more: tokens that follow it, of texts. steps, rate: of training, 0 for the
    model's own. seeds: trial n trains with seed n mod seeds. dtype, device: of the model.
    """

    def __init__(
        self, model: str = "tiny", count: int = 16, length: int = 0, more: int = 64, steps: int = -1, rate: float = 0.0,
        seeds: int = 1, dtype: str = "fp32", device: str = "cpu",
    ) -> None:  # fmt: skip
        if dtype not in DTYPES:
            raise InputError(f"first-token: dtype is {dtype!r}.", f"It may be {', '.join(DTYPES)}.")
        if min(count, more, seeds) < 1 or length < 0 or rate < 0 or steps < -1:
            raise InputError("first-token needs a case, a token after the prompt and a seed.", "steps=-1, rate=0 and length=0 are the model's own.")  # fmt: skip
        usual = DEFAULTS.get(model, DEFAULTS[""])
        self.model, self.count, self.more, self.seeds = model, count, more, seeds
        self.dtype, self.device = dtype, device
        self.length = length or {"tiny": tiny.LENGTH, "recall": 96}.get(model, 256)
        self.steps, self.rate = usual[0] if steps < 0 else steps, rate or usual[1]
        self.notes: list[str] = []
        self._learn: dict[str, str] = {}
        self._fitted: dict[Key, Fitted] = {}
        self._quality: dict[tuple[Key, str], dict[str, float]] = {}
        self._errors: dict[tuple[Key, str], str] = {}
        self._full: tuple[str, Heard] | None = None

    @cached_property
    def lab(self) -> LabModel:
        """The base model."""
        if self.model == "tiny":
            member = tiny.member("base")
            return replace(member, model=member.model.to(self.device, DTYPES[self.dtype]))
        return open_model(self.model, self.dtype, self.device)

    def cases(self, data: str | None) -> list[Case]:
        """One case a record; windows of a document are a group."""
        self.notes = []
        own = self.model in ("tiny", "recall")
        if data is not None and own:
            raise InputError(
                f"the model {self.model} does not speak the language of {data}.", "Write first-token[model=smollm2]."
            )
        if own:
            found = (records.facts if self.model == "tiny" else records.lookups)(self.lab, self.count, self.length)
        else:
            documents, found = {}, []
            if data is not None:
                documents, found, self.notes = records.read(self.lab, data, self.count, self.more)
            self._learn, held = records.split(documents or texts.topics())
            found = found or records.windows(self.lab, held, self.count, self.length, self.more)
        room = self.lab.context
        kept = [r for r in found if len(r.prompt) + max(len(r.fed), trivia.MOST if r.aliases else 0) <= room]
        self.notes += [
            f"{r.id} is left out: it does not fit the model's {room} tokens." for r in found if r not in kept
        ]
        if not kept:
            raise InputError(f"no text of {self.length + self.more} tokens is there.", "Ask for a smaller length.")
        return [Case(r.id, r, {"task": r.task, "prompt_tokens": len(r.prompt)}, r.group) for r in kept]

    def training(self, seed: int) -> Training:
        """What every contender may learn from: the same batches in the same order."""
        if self.model == "tiny":
            key, make, family = f"facts {source_hash(tiny)}", tiny.batch, tiny.family()
        elif self.model == "recall":
            key, make, family = f"recall {source_hash(recall, recall_training, records)}", records.recall_batch, {}
        else:
            (key, make), family = records.text_batches(self.lab, self._learn, self.length), {}
        return Training(key, lambda s, n: make(s, n).to(self.lab.device), self.steps, self.rate, seed, family)

    def fitted(self, contender: CachePolicy, seed: int) -> Fitted:
        """What the contender has learnt with that seed, from an earlier run where there was one."""
        if (contender, seed) not in self._fitted:
            self._fitted[contender, seed] = contender.fit(self.lab, self.training(seed))
        return self._fitted[contender, seed]

    def warm(self, contender: CachePolicy, case: Case) -> None:
        """Training, where it has not been done, and a prompt whose time does not count."""
        try:
            fitted = self.fitted(contender, 0)
            Session(fitted.lab, fitted.policy).prefill(case.payload.prompt)
        except SteelyardError:
            pass  # measure says so

    def measure(self, contender: CachePolicy, case: Case, trial: int) -> dict[str, float] | Outcome:
        """A prompt from its tokens to the first token, everything included; quality once for all trials of a seed."""
        record: Record = case.payload
        key = (contender, trial % self.seeds)
        try:
            fitted = self.fitted(*key)
            begin = time.perf_counter()
            session = Session(fitted.lab, fitted.policy)
            int(session.prefill(record.prompt)[-1].argmax())
            taken = time.perf_counter() - begin
            if (key, record.id) not in self._quality:
                self._judge(key, fitted, record)
        except MissingError:
            raise
        except SteelyardError as error:
            return Outcome({}, Status.FAILED, str(error))
        artifacts = {"cache_error": self._errors[key, record.id]} if (key, record.id) in self._errors else {}
        if fitted.learnt:
            artifacts["weights"] = str(fitted.learnt.place)
        return Outcome({"time_to_first_token": taken, **self._quality[key, record.id]}, artifacts=artifacts)

    def summary(self, values: Any) -> dict[str, str | float]:
        """Where a contender stands among the others: on the front of loss and operations, and against it at its own cost."""
        points = {v.contender: _mean(v) for v in (values, *values.others)}
        mine = points.pop(values.contender)
        others = [p for p in points.values() if p]
        if not mine or not others:
            return {}
        cost, loss = mine
        return {
            "relative FLOPs": cost, "nll": loss, "nll of the others there": at_cost(others, cost),
            "on the front": "yes" if (cost, loss) in front([*others, mine]) else "no",
        }  # fmt: skip

    def _judge(self, key: Key, fitted: Fitted, record: Record) -> None:
        """Quality, fidelity to the whole base, and exact counts of one record."""
        if self._full is None or self._full[0] != record.id:
            self._full = (record.id, self._hear(Fitted(self.lab, CachePolicy()), record))
        full, ours = self._full[1], self._hear(fitted, record)
        rows = [i for start, stop in record.answers for i in range(start, stop)]
        a, b = ours.logits[rows], full.logits[rows]
        said = mean_log_probability(a, [record.fed[i] for i in rows])
        found = {
            "continuation_nll": -said, "kl": kl_divergence(b, a), "top1_agreement": top1_agreement(b, a),
            "max_logit_difference": float((ours.logits - full.logits).abs().max()), "ttft_flops": ours.flops,
            "relative_ttft_flops": ours.flops / full.flops, "weight_bytes": fitted.weight_bytes,
        }  # fmt: skip
        if record.exact:
            top = ours.logits.argmax(-1).tolist()
            found["exact_match"] = sum(top[s:e] == record.fed[s:e] for s, e in record.answers) / len(record.answers)
        elif record.aliases:
            found["exact_match"] = trivia.exact_match(ours.output, record.aliases)
        if fitted.learnt:
            found |= {"training_tokens": fitted.learnt.tokens, "training_time": fitted.learnt.seconds}
        if fitted.lab is self.lab and all(
            x.length == y.length for x, y in zip(full.cache.layers, ours.cache.layers, strict=True)
        ):
            layers = [_apart(x, y) for x, y in zip(full.cache.layers, ours.cache.layers, strict=True)]
            found |= {name: sum(x[name] for x in layers) / len(layers) for name in layers[0]}
            self._errors[key, record.id] = json.dumps(layers)
        self._quality[key, record.id] = found

    def _hear(self, fitted: Fitted, record: Record) -> Heard:
        session, before = Session(fitted.lab, fitted.policy), fitted.lab.counts.copy()
        session.prefill(record.prompt)
        flops, cache = (fitted.lab.counts - before).flops, session.cache.copy()
        output = ""
        if record.aliases:
            ended = lambda ids: any(s in fitted.lab.decode(ids) for s in trivia.STOPS)  # noqa: E731
            output = fitted.lab.decode(session.copy().generate(trivia.MOST, fitted.lab.stop_ids, done=ended))
        return Heard(session.score(record.fed).float(), cache, flops, output)


def _apart(full: Any, ours: Any) -> dict[str, float]:
    """Of one layer's keys and values: mean absolute difference, and the norm of the difference over that of the true ones."""
    found = {}
    for name in ("keys", "values"):
        a, b = getattr(full, name).float(), getattr(ours, name).float()
        found[f"{name[:-1]}_error"] = float((a - b).norm() / a.norm())
        found[f"{name[:-1]}_difference"] = float((a - b).abs().mean())
    return found


def _mean(values: Any) -> tuple[float, float] | None:
    """(relative FLOPs, loss), means over the cases that have both."""
    cost, loss = values("relative_ttft_flops"), values("continuation_nll")
    both = [case for case in loss if case in cost]
    return (sum(cost[c] for c in both) / len(both), sum(loss[c] for c in both) / len(both)) if both else None
