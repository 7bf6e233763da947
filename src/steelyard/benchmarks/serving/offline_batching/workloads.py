"""Made-up offline jobs: requests that share prefixes as labelling, snippet and multi-task jobs do, and some that do not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from steelyard.lab.serving.job import Request, Tokens, request

Draw = Callable[[int], Tokens]


@dataclass(frozen=True)
class Workload:
    """kind: what it is called in `where`. parts: tokens of system prompt, document, question and answer (the most).

    groups, members: documents, and requests of each (the most, where there is a long tail). varied: answers differ in
    length between groups.
    """

    name: str
    kind: str
    groups: int
    members: int
    system: int
    document: int
    question: int
    answer: int
    varied: bool = False


def at_full_length() -> tuple[Workload, ...]:
    """About 200 requests each, with the lengths of the paper's microbenchmark as far as they are known."""
    return (
        Workload("grid-2000x16", "grid", 12, 16, 0, 2000, 500, 100),
        Workload("grid-1000x4", "grid", 50, 4, 0, 1000, 100, 100),
        Workload("grid-500x64", "grid", 3, 64, 0, 500, 100, 200),
        Workload("snippets", "snippets", 48, 24, 0, 1500, 40, 60),
        Workload("two-level", "two-level", 24, 8, 400, 800, 60, 80),
        Workload("tasks", "tasks", 16, 12, 0, 800, 200, 400, varied=True),
        Workload("decode-heavy", "decode-heavy", 200, 1, 0, 0, 60, 200),
        Workload("unshared", "unshared", 200, 1, 0, 0, 800, 60),
        Workload("identical", "identical", 1, 200, 0, 800, 1, 60),
        Workload("chain", "chain", 8, 25, 0, 200, 60, 40),
    )


def at_small_length() -> tuple[Workload, ...]:
    """For a small model on one thread of a processor."""
    return (
        Workload("small-grid", "grid", 6, 8, 0, 192, 24, 12),
        Workload("small-snippets", "snippets", 12, 12, 0, 192, 16, 12),
        Workload("small-two-level", "two-level", 6, 8, 64, 128, 16, 12),
        Workload("small-tasks", "tasks", 6, 6, 0, 128, 32, 32, varied=True),
        Workload("small-unshared", "unshared", 24, 1, 0, 0, 160, 12),
    )


def for_language_model() -> tuple[Workload, ...]:
    """For a language model of some 100 million parameters on one thread: minutes."""
    return (
        Workload("lm-grid", "grid", 6, 6, 0, 256, 32, 8),
        Workload("lm-unshared", "unshared", 8, 1, 0, 0, 192, 8),
    )


LENGTHS = {"small": at_small_length, "language": for_language_model, "full": at_full_length}


def make(workload: Workload, *, vocabulary: int, shuffled: bool, seed: int) -> list[Request]:
    """Its requests with random tokens below `vocabulary`, in an order of arrival: shuffled, or group after group.

    True output lengths are uniform between half of the limit and the limit; what is expected is the mean of the task.
    """
    rng = np.random.default_rng([seed, *workload.name.encode()])

    def draw(count: int) -> Tokens:
        return rng.integers(0, vocabulary, count, dtype=np.int32)

    system, requests = draw(workload.system), []
    for g, size in enumerate(_sizes(workload)):
        document = np.concatenate([system, draw(workload.document)])
        most = workload.answer
        if workload.varied:  # from a label to a page: one task generates sixteen times as much as another
            most = max(2, round(workload.answer / 2 ** (4 * ((g * 7) % workload.groups) / max(1, workload.groups - 1))))
        for k in range(size):
            question = draw(workload.question)
            if workload.kind == "identical":
                question = document[-1:]
            if workload.kind == "chain":  # each prompt goes on from the one before
                document = np.concatenate([document, question])
                question = draw(1)
            new = int(rng.integers(most // 2, most + 1))
            prompt = np.concatenate([document, question])
            requests.append(request(f"{workload.name}-{g}-{k}", prompt, most, 0.75 * most, new))
    return [requests[i] for i in rng.permutation(len(requests))] if shuffled else requests


def _sizes(workload: Workload) -> Sequence[int]:
    """Members of each group: alike, or of snippets with a long tail: the k-th document has members / k questions."""
    if workload.kind != "snippets":
        return [workload.members] * workload.groups
    return [max(1, round(workload.members / (k + 1))) for k in range(workload.groups)]
