"""SCBench: several questions about one long context, asked of a model whose cache a method has shaped."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch

from steelyard.benchmarks.serving.scbench.generate import generate
from steelyard.benchmarks.serving.scbench.metrics import score
from steelyard.benchmarks.serving.scbench.prompts import Prompts, prompts, reference, room_for
from steelyard.benchmarks.serving.scbench.protocol import Heard, converse
from steelyard.benchmarks.serving.scbench.records import MODES, TASKS, Record, Turn, read
from steelyard.benchmarks.serving.scbench.shift import top_key_overlap
from steelyard.core.errors import InputError, MissingError, SteelyardError, unknown
from steelyard.core.interfaces import Outcome
from steelyard.core.words import Case, Status
from steelyard.lab import CachePolicy, LabModel, open_model
from steelyard.lab.fidelity import kl_divergence, mean_log_probability, top1_agreement
from steelyard.lab.recall import TASKS as RECALL_TASKS

WORDS = {"recall": 320, "text": 160}  # of a context of our own where no length is asked for
OWN_MOST = 32  # new tokens of an answer on our own contexts, whose answers are short
# (label, answer): what letter-by-letter scoring makes of an answer that holds the label, and of one that does not
PLANTED = {"scbench_qa_chn": ("图书馆", "在图书馆里面"), "scbench_many_shot": ("zura miko", "z")}


class SCBench:
    """model: recall, recall-hybrid, smollm2, or whatever the lab opens. mode: multi-turn or multi-request.

    length: words of a generated context, 0 for the default. contexts: generated sessions a task. turns: questions each.
    golden: reference answers stay in the conversation, not the model's own. most: new tokens an answer, 0 for the
    task's own (on generated contexts 32 at most). profile: how answers are scored. dtype, device: of the model.
    task: one task only; its cases are numbered alike for every task, so that two tasks can be set side by side.
    shift: above 0, nothing is asked, and attention after so many generated tokens is compared with the prompt's end.
    """

    def __init__(
        self, model: str = "recall", mode: str = "multi-turn", length: int = 0, contexts: int = 5, turns: int = 5,
        golden: bool = True, most: int = 0, profile: str = "sound", dtype: str = "fp32", device: str = "cpu",
        task: str = "all", shift: int = 0,
    ) -> None:  # fmt: skip
        if mode not in MODES or profile not in ("sound", "published"):
            raise InputError(
                f"scbench: mode is {mode!r}, profile {profile!r}.", f"{', '.join(MODES)}; sound, published."
            )
        if min(contexts, turns) < 1 or turns > 5:
            raise InputError(
                f"scbench: {contexts} contexts of {turns} turns.", "At least one of each, at most 5 turns."
            )
        self.model, self.mode, self.length, self.contexts, self.turns = model, mode, length, contexts, turns
        self.golden, self.most, self.profile, self.dtype, self.device = golden, most, profile, dtype, device
        if task != "all" and task not in TASKS:
            raise unknown("task", task, TASKS, where="scbench")
        self.task, self.shift = task, shift
        self.notes: list[str] = []
        self._tasks: set[str] = set()
        self._own = True
        self._current = ""
        self._heard: dict[object, list[Heard]] = {}

    @cached_property
    def lab(self) -> LabModel:
        """The open model."""
        return open_model(self.model, self.dtype, self.device)

    def cases(self, data: str | None) -> list[Case]:
        """One case a turn; the turns of a context are its group. Sessions whose references do not score are left out."""
        self._own = data is None
        records, notes = ([], []) if data is None else read(data)
        self.notes = notes
        if data is not None and self.model.startswith("recall"):
            raise InputError(
                f"the recall model does not speak the language of {data}.", "Add model=smollm2: scbench[model=smollm2]."
            )
        if data is None:
            records = self._generated()
        cases = []
        for record in records:
            if self.task not in ("all", record.task):
                continue
            odd = [t for t in record.turns if score(record, t, reference(t)) < 1 or score(record, t, "") > 0]
            if odd:
                self.notes.append(f"{record.id} is left out: its own answer {odd[0].answer!r} does not score 1.")
                continue
            length = len(self.lab.encode(record.context))
            for number, turn in enumerate(record.turns[: self.turns], 1):
                attributes = {
                    "task": record.task, "subtask": turn.task, "ability": TASKS[record.task].ability, "turn": number,
                    "depth": round(turn.depth, 3), "length": length, "lang": record.lang,
                }  # fmt: skip
                place = record.id if self.task == "all" else f"context/{record.id.partition('/')[2]}"
                cases.append(Case(f"{place}/{number}", (record, number - 1), attributes, place))
            self._tasks.add(record.task)
        return [c for c in cases if c.attributes["turn"] == 1] if self.shift else cases

    def _generated(self) -> list[Record]:
        language = "recall" if self.model.startswith("recall") else "text"
        tasks = [f"scbench_{t}" for t in RECALL_TASKS] if language == "recall" else list(TASKS)
        length = self.length or WORDS[language]
        return [r for task in tasks for r in generate(task, self.contexts, length, self.turns, language)]

    def measure(self, contender: Any, case: Case, trial: int) -> dict[str, float] | Outcome:
        """One turn of one session; see the card for the metrics. `gold` gives what the references score."""
        record, index = case.payload
        turn = record.turns[index]
        if not isinstance(contender, CachePolicy):
            found = {"score": score(record, turn, reference(turn), self.profile, self.mode), "tasks": len(self._tasks)}
            planted = PLANTED.get(turn.task)
            if planted is not None:
                found["planted"] = score(record, Turn("", planted[0], turn.task), planted[1], self.profile)
            return found
        if self.shift and getattr(contender, "steelyard_name", "") != "full":
            return Outcome({}, Status.UNSUPPORTED, "shift looks at the attention of the full cache only")
        if self.shift:
            said = self._prompts(record)
            ids = [*said.first, *said.questions[0]]
            return {"top_key_overlap": top_key_overlap(self.lab, ids, len(said.first), self.shift)}
        try:
            heard, full = self._session(contender, record), self._session(CachePolicy(), record)
        except MissingError:
            raise
        except SteelyardError as error:
            return Outcome({}, Status.FAILED, str(error))
        except (MemoryError, torch.OutOfMemoryError):
            return Outcome(
                {}, Status.FAILED, f"out of memory at {case.attributes['length']} tokens: ask for less length"
            )
        if not math.isfinite(heard[index].fidelity["log_probability"]):
            return Outcome({}, Status.FAILED, "logits are not numbers: the cache has overflowed")
        metrics = {**self._quality(record, index, heard, full), **heard[index].fidelity}
        metrics |= {**_cost(heard[index], full[index]), "answer_cut": float(self._prompts(record).lost[index])}
        output = self.lab.decode(heard[index].output)
        return Outcome(metrics, artifacts={"question": turn.input, "output": output, "reference": reference(turn)})

    def _session(self, policy: CachePolicy, record: Record) -> list[Heard]:
        """The session of one method, run once and kept while the turns of its context are asked for."""
        if self._current != record.id:
            self._current, self._heard = record.id, {}
        key = (type(policy), policy)
        if key not in self._heard:
            said = self._prompts(record)
            heard = converse(self.lab, policy, said, self.mode, self._most(record), self.golden)
            whole = self._session(CachePolicy(), record) if type(policy) is not CachePolicy else heard
            facts = [_fidelity(h, f, a) for h, f, a in zip(heard, whole, said.answers, strict=True)]
            nothing = torch.empty(0)  # logits are large, and only those of the full cache are needed again
            self._heard[key] = [
                replace(h, fidelity=f, logits=h.logits if heard is whole else nothing)
                for h, f in zip(heard, facts, strict=True)
            ]
        return self._heard[key]

    def _most(self, record: Record) -> list[int]:
        """New tokens of each turn's answer."""
        task = TASKS[record.task]
        own = [task.second_most if t.task == task.second else task.most for t in record.turns[: self.turns]]
        return [min(m, self.most or OWN_MOST) for m in own] if self.most or self._own else own

    def _prompts(self, record: Record) -> Prompts:
        asked = replace(record, turns=record.turns[: self.turns])
        return prompts(self.lab, asked, self.mode, room_for(self.lab, asked, max(self._most(record)), self.mode))

    def _worth(self, record: Record, index: int, heard: Heard) -> float:
        return score(record, record.turns[index], self.lab.decode(heard.output), self.profile, self.mode)

    def _quality(self, record: Record, index: int, heard: list[Heard], full: list[Heard]) -> dict[str, float]:
        ours, whole = ([self._worth(record, i, h[i]) for i in (0, index)] for h in (heard, full))
        change = [a - b for a, b in zip(ours, whole, strict=True)]
        found = {"score": ours[1], "score_change": change[1]}
        return found | ({"change_since_first": change[1] - change[0]} if index else {})


def _fidelity(heard: Heard, full: Heard, answer: list[int]) -> dict[str, float]:
    """How far the reference's next-token distributions are from the full cache's."""
    ours, whole = (mean_log_probability(h.logits, answer) for h in (heard, full))
    return {
        "log_probability": ours, "log_probability_change": ours - whole,
        "kl": kl_divergence(full.logits, heard.logits), "top1_agreement": top1_agreement(full.logits, heard.logits),
        "identical_to_full": float(torch.equal(full.logits, heard.logits)),
    }  # fmt: skip


def _cost(heard: Heard, full: Heard) -> dict[str, float]:
    """Exact counts of the turn, and its times."""
    counts = heard.counts
    return {
        "cache_bytes": heard.bytes, "cache_share": heard.bytes / full.bytes, "flops": counts.flops,
        "attended": counts.attended, "attended_share": counts.attended / full.counts.attended,
        "forward_passes": counts.forward_passes, "tokens_computed": counts.tokens_computed,
        "tokens_reused": counts.tokens_reused, "prompt_time": heard.prompt_s, "answer_time": heard.answer_s,
    }  # fmt: skip
