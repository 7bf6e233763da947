"""Both shared-context modes: what goes into the cache, what is dropped at the end of a turn, what is measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from steelyard.benchmarks.serving.scbench.prompts import Prompts
from steelyard.lab import CachePolicy, Counts, LabModel, Session


@dataclass(frozen=True)
class Heard:
    """One turn. output: ids of the answer. logits: (n, V), those that predicted the reference's tokens.

    counts: of the turn's prompt and answer, without the scoring of the reference. bytes: held when the question had been
    read. prompt_s, answer_s: wall time of the prompt and of the answer. fidelity: to the full cache, once compared.
    """

    output: list[int]
    logits: Tensor
    counts: Counts
    bytes: int
    prompt_s: float
    answer_s: float
    fidelity: Mapping[str, float] = field(default_factory=dict)


def converse(
    lab: LabModel, policy: CachePolicy, said: Prompts, mode: str, most: list[int], golden: bool = True
) -> list[Heard]:
    """Run one session. most: new tokens of each answer.

    multi-turn: context and first question are the prompt; each later question is appended after the answer before it,
    the reference (golden) or the model's own. multi-request: the context alone is the prompt, and every question is
    asked over a fresh copy of its cache. In both, what is generated goes into a copy that is dropped with the turn.
    """
    heard: list[Heard] = []
    session = Session(lab, policy)
    for index, question in enumerate(said.questions):
        before, begin = lab.counts.copy(), lab.clock()
        if mode == "multi-request":
            if index == 0:
                session.prefill(said.first)
            turn = session.copy()
            turn.extend(question)
        else:
            turn = session
            if index == 0:
                session.prefill([*said.first, *question], question=len(question))
            else:
                session.extend([*(said.answers[index - 1] if golden else heard[-1].output), *said.ends, *question])
        held, asked = turn.bytes, lab.clock()
        output = turn.copy().generate(most[index], lab.stop_ids)
        spent, answered = lab.counts - before, lab.clock()
        logits = turn.copy().score(said.answers[index])
        heard.append(Heard(output, logits, spent, held, asked - begin, answered - asked))
    return heard
