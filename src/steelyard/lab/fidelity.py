"""How far a model with a shaped cache is from the same model with the full one: defined even where accuracy is nought."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from steelyard.core.errors import InputError
from steelyard.lab.opening import LabModel
from steelyard.lab.policy import CachePolicy
from steelyard.lab.session import Session


def kl_divergence(full: Tensor, other: Tensor) -> float:
    """Mean over rows of KL(full || other) of next-token distributions, logits (q, V) each (nats)."""
    p, q = full.float().log_softmax(-1), other.float().log_softmax(-1)
    return float((p.exp() * (p - q)).sum(-1).mean())


def top1_agreement(full: Tensor, other: Tensor) -> float:
    """Share of rows (q, V) whose most likely token is the same."""
    return float((full.argmax(-1) == other.argmax(-1)).float().mean())


def mean_log_probability(logits: Tensor, ids: Sequence[int]) -> float:
    """Of given tokens under the logits (q, V) that predicted them, per token (nats)."""
    chosen = torch.tensor(list(ids), device=logits.device)[:, None]
    return float(logits.float().log_softmax(-1).gather(-1, chosen).mean())


def perplexity(lab: LabModel, policy: CachePolicy, ids: Sequence[int], prompt: int) -> float:
    """Of a text whose first `prompt` tokens are prefilled; the rest is fed as an answer. exp(mean negative log-prob.).

    Raises InputError where nothing is left to predict.
    """
    if not 0 < prompt < len(ids):
        raise InputError(f"a prompt of {prompt} of {len(ids)} tokens leaves nothing to predict.", "Give a longer text.")
    session = Session(lab, policy)
    session.prefill(ids[:prompt])
    return math.exp(-mean_log_probability(session.score(ids[prompt:]), ids[prompt:]))


def rouge_l(reference: Sequence[object], hypothesis: Sequence[object]) -> float:
    """F of the longest common subsequence, weighed with beta = precision / recall as the package `rouge` does; 0 for nothing."""
    if not reference or not hypothesis:
        return 0.0
    row = [0] * (len(hypothesis) + 1)
    for wanted in reference:
        before = row
        row = [0]
        for i, got in enumerate(hypothesis):
            row.append(before[i] + 1 if got == wanted else max(before[i + 1], row[-1]))
    recall, precision = row[-1] / len(reference), row[-1] / len(hypothesis)
    if not row[-1]:
        return 0.0
    square = (precision / recall) ** 2
    return (1 + square) * recall * precision / (recall + square * precision)
