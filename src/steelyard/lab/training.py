"""Training of small parts beside a model: seeded, checkpointed, resumable to the same weights, kept in the user's cache."""

from __future__ import annotations

import hashlib
import json
import math
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from steelyard.core.contender import source_hash
from steelyard.lab.opening import LabModel

if TYPE_CHECKING:
    from steelyard.lab.policy import CachePolicy

BETAS, EPS, DECAY, CLIP = (0.9, 0.95), 1e-8, 0.1, 1.0
WARM_UP, LOWEST = 0.1, 0.1  # share of the steps; share of the rate at the end
Z_LOSS = 1e-4
SAVE_EVERY, SAY_EVERY = 20.0, 5.0  # seconds
IGNORED = -100


@dataclass(frozen=True)
class Batch:
    """ids: (B, T). labels: the same, IGNORED where a token is not to be predicted. real: (B, T), False for padding."""

    ids: Tensor
    labels: Tensor
    real: Tensor

    @property
    def tokens(self) -> int:
        return int(self.real.sum())

    def to(self, device: torch.device) -> Batch:
        return Batch(self.ids.to(device), self.labels.to(device), self.real.to(device))


@dataclass(frozen=True)
class Training:
    """What there is to learn from, and the budget: every learner gets the same batches in the same order.

    key: names data and recipe, for what is kept. batches: (seed, step) -> Batch. rate: of AdamW at its highest.
    family: short name -> opens a model of the same family.
    """

    key: str
    batches: Callable[[int, int], Batch]
    steps: int
    rate: float = 1e-3
    seed: int = 0
    family: Mapping[str, Callable[[], LabModel]] = field(default_factory=dict)

    def batch(self, step: int) -> Batch:
        return self.batches(self.seed, step)


@dataclass(frozen=True)
class Learnt:
    """place: the file of the weights. tokens: learnt from. seconds: that it took when it was done. loss: of the last step."""

    place: Path
    tokens: int
    seconds: float
    loss: float


@dataclass(frozen=True)
class Fitted:
    """What a cache method has become. learnt: how, None where nothing was to be learnt. beside: modules used with the model."""

    lab: LabModel
    policy: CachePolicy
    learnt: Learnt | None = None
    beside: Sequence[nn.Module] = ()

    @property
    def weight_bytes(self) -> int:
        """Of all weights that the prompt needs, each counted once."""
        weights = {p.data_ptr(): p for module in (self.lab.model, *self.beside) for p in module.parameters()}
        return sum(p.numel() * p.element_size() for p in weights.values())


def cross_entropy(lab: LabModel, hidden: Tensor, batch: Batch) -> Tensor:
    """Mean over the labels of the next-token loss of (B, T, width), and Z_LOSS times the squared log of the partition sum."""
    wanted = batch.labels[:, 1:] != IGNORED
    logits = lab.model.lm_head(lab.model.model.norm(hidden[:, :-1][wanted])).float()
    return F.cross_entropy(logits, batch.labels[:, 1:][wanted]) + Z_LOSS * logits.logsumexp(-1).square().mean()


def train(
    name: str, parts: nn.Module, loss: Callable[[Batch], Tensor], training: Training, *depends: Any, first: int = 0,
    start: Callable[[], int] | None = None,
) -> Learnt:  # fmt: skip
    """Train `parts` in place, or load what the same recipe has given before. Ends with gradients switched off.

    depends: what the result depends on beside the training: texts, and modules or classes whose source counts.
    first: how many batches `start` uses up; it runs before the first step and gives the tokens that it looked at.
    AdamW (0.9, 0.95), decay 0.1 but of norms and biases, gradients clipped at 1, warm-up and cosine to a tenth of the rate.
    The state is saved every 20 s: a run that was stopped goes on from there and ends at the same weights.
    """
    place = kept_at(training, *depends)
    if place.is_file():
        saved = torch.load(place, map_location="cpu", weights_only=True)
    else:
        saved = _run(name, parts, loss, training, place.with_suffix(".part"), first, start)
        write(place, saved)
        place.with_suffix(".part").unlink(missing_ok=True)
        print(f"training {name}: done in {saved['seconds']:.0f} s, kept in {place}", file=sys.stderr, flush=True)
    parts.load_state_dict(saved["parts"])
    parts.requires_grad_(False)
    return Learnt(place, saved["tokens"], saved["seconds"], saved["loss"])


def kept_at(training: Training, *depends: Any) -> Path:
    """Where the weights of a recipe are, or will be."""
    import platformdirs

    texts = [x for x in depends if isinstance(x, str)]
    source = source_hash(sys.modules[__name__], *(x for x in depends if not isinstance(x, str)))
    recipe = [training.key, training.steps, training.rate, training.seed, source, *texts]
    key = hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:16]
    return platformdirs.user_cache_path("steelyard") / "lab" / "learnt" / f"{key}.pt"


def write(place: Path, state: Mapping[str, Any]) -> None:
    """Whole or not at all, also beside other processes that write the same."""
    place.parent.mkdir(parents=True, exist_ok=True)
    fresh = place.with_name(f"{place.name}.{os.getpid()}")
    torch.save(dict(state), fresh)
    fresh.replace(place)


def _run(
    name: str, parts: nn.Module, loss: Callable[[Batch], Tensor], training: Training, part: Path, first: int,
    start: Callable[[], int] | None,
) -> dict[str, Any]:  # fmt: skip
    begin = kept = said = time.monotonic()
    weights = list(parts.requires_grad_(True).parameters())
    flat = [p for p in weights if p.dim() < 2]
    groups = [
        {"params": [p for p in weights if p.dim() > 1], "weight_decay": DECAY},
        {"params": flat, "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=training.rate, betas=BETAS, eps=EPS)
    done, tokens, spent, last = first, 0, 0.0, float("nan")
    if part.is_file():
        saved = torch.load(part, map_location="cpu", weights_only=True)
        parts.load_state_dict(saved["parts"])
        optimiser.load_state_dict(saved["optimiser"])
        done, tokens, spent = saved["done"], saved["tokens"], saved["seconds"]
    elif start:
        tokens = start()
    for step in range(done, training.steps):
        for group in optimiser.param_groups:
            group["lr"] = training.rate * rate_at(step - first, training.steps - first)
        batch = training.batch(step)
        value = loss(batch)
        optimiser.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(weights, CLIP)
        optimiser.step()
        tokens, last, now = tokens + batch.tokens, float(value.detach()), time.monotonic()
        if now - said > SAY_EVERY:
            left = (now - begin) / (step + 1 - done) * (training.steps - step - 1)
            print(f"training {name}: step {step + 1} of {training.steps}, loss {last:.3f}, {left:.0f} s left", file=sys.stderr, flush=True)  # fmt: skip
            said = now
        if now - kept > SAVE_EVERY:
            state = {"parts": parts.state_dict(), "optimiser": optimiser.state_dict(), "done": step + 1}
            write(part, state | {"tokens": tokens, "seconds": spent + now - begin})
            kept = now
    return {"parts": parts.state_dict(), "tokens": tokens, "seconds": spent + time.monotonic() - begin, "loss": last}


def rate_at(step: int, steps: int) -> float:
    """Share of the highest rate: a straight line up over the first tenth, then a cosine down to a tenth."""
    rise = max(1, round(WARM_UP * steps))
    if step < rise:
        return (step + 1) / rise
    return LOWEST + (1 - LOWEST) * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise))) / 2
