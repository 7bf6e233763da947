"""The cases: pieces of work as whole steps, each kind of module in each direction, and the largest batch that fits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from steelyard.core.errors import InputError
from steelyard.core.words import Case
from steelyard.lab.runtime.traces import Trace, closed, poisson, read
from steelyard.lab.runtime.work import Work

KINDS = ("attention", "mlp", "norm", "embedding", "head", "layer", "loss")
TRAINING_PARTS = (
    *((kind, direction) for kind in KINDS for direction in ("forward", "backward", "recompute") if (kind, direction) != ("loss", "recompute")),
    ("optimiser", "optimiser"), ("communication", "communication"),
)  # fmt: skip
INFERENCE_PARTS = tuple((kind, "forward") for kind in KINDS[:-1])
SIZES = {  # (batch, tokens) of training, of prompts, and of what is decoded after
    "default": {"pretrain": ((2, 128),), "finetune": ((2, 64),), "prefill": ((1, 128), (4, 128), (1, 512)), "decode": ((1, 128), (4, 128))},
    "full": {
        "pretrain": ((2, 128), (4, 256), (4, 512)), "finetune": ((2, 64), (8, 128)),
        "prefill": ((1, 128), (4, 128), (1, 256), (1, 512), (1, 1024), (1, 2048)),
        "decode": ((1, 128), (4, 128), (1, 256), (1, 1024), (1, 2048)),
    },
}  # fmt: skip
PHASES = {"train": ("pretrain", "finetune"), "infer": ("prefill", "decode"), "serve": (), "operators": (), "batch": ()}
NEW = 16  # tokens that a decoding step generates
CLIENTS, RATES = (2, 8), (2.0, 8.0)  # of closed loops; requests a second of open ones
REQUESTS = {"default": (20, 64, 16), "full": (100, 512, 64)}  # how many, tokens of each prompt, tokens generated
ROWS = {"default": (1, 256), "full": (1, 128, 512, 2048)}  # of operators
OPERATORS = ("qkv", "o", "gate-up", "down", "head", "softmax", "rmsnorm", "rope", "embedding", "copy")
MESSAGES = {"default": (1, 256, 4096), "full": (1, 16, 256, 4096, 65536)}  # KiB


@dataclass(frozen=True)
class Part:
    """What of a work is looked at. level: step, module, or batch (the largest that fits). kind, direction: of a module."""

    work: Work
    level: str
    kind: str = ""
    direction: str = ""
    name: str = ""

    def case(self) -> Case:
        """The case, with the attributes that claims filter by; parts of one work are one group."""
        w = self.work
        called = self.name or f"{w.phase}-{w.batch}x{w.tokens}"
        about = {
            "phase": w.phase, "model": w.model, "batch": w.batch, "tokens": w.tokens, "level": self.level,
            "module": self.kind, "direction": self.direction, "operator": w.operator, "clients": w.trace.clients if w.trace else 0,
        }  # fmt: skip
        end = "/".join(dict.fromkeys((self.kind, self.direction))) if self.level == "module" else self.level
        return Case(f"{called}/{end}", self, about, called)


def parts(phase: str, model: str, sizes: str, seed: int, patience: float) -> Iterator[Part]:
    """All parts of a phase (see PHASES), the whole step of each work first."""
    if phase == "operators":
        yield from _operators(model, sizes, seed)
    if phase == "serve":
        count, prompt, new = REQUESTS[sizes]
        for clients in CLIENTS:
            yield served(closed(clients, count, prompt, new, seed), f"closed-{clients}", model, patience)
        for rate in RATES:
            yield served(poisson(rate, count, prompt, new, seed), f"open-{rate:g}", model, patience)
    for each in PHASES[phase]:
        for batch, tokens in SIZES[sizes][each]:
            work = Work(each, model, batch, tokens, NEW if each == "decode" else 0, seed)
            yield Part(work, "step")
            for kind, direction in TRAINING_PARTS if work.trains else INFERENCE_PARTS:
                yield Part(work, "module", kind, direction)
    if phase == "batch":
        batch, tokens = SIZES[sizes]["pretrain"][0]
        yield Part(Work("pretrain", model, batch, tokens, 0, seed), "batch")


def served(trace: Trace, name: str, model: str, patience: float) -> Part:
    """A trace as a case."""
    longest = max(len(r.prompt) for r in trace.requests)
    work = Work("serve", model, 1, longest, max(r.new for r in trace.requests), trace=trace, patience=patience)
    return Part(work, "step", name=f"serve-{name}")


def given(data: str, model: str, seed: int, patience: float) -> Iterator[Part]:
    """The traces of a file or of a folder. Raises InputError where there is none."""
    path = Path(data)
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    if not files:
        raise InputError(f"no trace at {path}.", "Give a .jsonl file, or a folder of them; `show` tells the fields.")
    for file in files:
        yield served(read(file, seed), file.stem, model, patience)


def _operators(model: str, sizes: str, seed: int) -> Iterator[Part]:
    for rows in ROWS[sizes]:
        for name in OPERATORS:
            yield Part(Work("operator", model, 1, rows, 0, seed, name), "step", name=f"{name}-{rows}")
    for size in MESSAGES[sizes]:
        for name in ("all-reduce", "all-gather", "broadcast"):
            yield Part(Work("operator", model, 2, size, 0, seed, name, processes=2), "step", name=f"{name}-{size}KiB")
