"""What is run: a model, made on the spot or a real one, and a batch of a phase, the same for everybody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from steelyard.core.errors import InputError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from steelyard.lab.runtime.traces import Trace

TRAINING, INFERENCE = ("pretrain", "finetune"), ("prefill", "decode")
IGNORED = -100  # a label that no loss is taken of
# name -> layers, width, feed-forward, query heads, key heads, vocabulary; the last two are SmolLM2's and Llama 3.2 1B's
SHAPES = {
    "tiny": (4, 192, 512, 4, 2, 1024),
    "small": (8, 512, 1408, 8, 4, 8192),
    "random-135m": (30, 576, 1536, 9, 3, 49152),
    "random-1b": (16, 2048, 8192, 32, 8, 128256),
}


@dataclass(frozen=True)
class Work:
    """One thing to do again and again.

    phase: pretrain (rows of random tokens, a loss on each), finetune (rows of different lengths, padded to the longest,
    a loss on the second half of each), prefill (a prompt, logits of its last token), decode (`new` tokens after a
    prompt of `tokens`, greedy), serve (the requests of a trace, `slots` at a time, given up after `patience` seconds) or
    operator (one of lab.runtime.operators). model: a name in SHAPES (random weights) or whatever the lab opens.
    batch, tokens: rows, and tokens of the longest. processes: that the work itself needs, whatever runs it.
    """

    phase: str
    model: str = "tiny"
    batch: int = 2
    tokens: int = 128
    new: int = 0
    seed: int = 0
    operator: str = ""
    trace: Trace | None = None
    slots: int = 8
    patience: float = 60.0
    processes: int = 1

    @property
    def trains(self) -> bool:
        return self.phase in TRAINING

    @property
    def lengths(self) -> list[int]:
        """True tokens of each row: all but in fine-tuning, where they fall evenly to a half."""
        if self.phase != "finetune":
            return [self.tokens] * self.batch
        return [self.tokens - (self.tokens // 2) * r // max(1, self.batch) for r in range(self.batch)]

    @property
    def counted(self) -> int:
        """Tokens of one step that throughput counts: padding is none, and of decoding only what is new."""
        return self.batch * self.new if self.phase == "decode" else sum(self.lengths)

    def batch_of(self, vocabulary: int) -> tuple[Tensor, Tensor]:
        """(batch, tokens) ids and labels, seeded; a label belongs to the position that predicts it."""
        import torch

        rng = torch.Generator().manual_seed(self.seed)
        ids = torch.randint(0, vocabulary, (self.batch, self.tokens), generator=rng)
        labels = torch.full_like(ids, IGNORED)
        for row, length in enumerate(self.lengths):
            first = length // 2 if self.phase == "finetune" else 1
            labels[row, first - 1 : length - 1] = ids[row, first:length]
            ids[row, length:] = 0
        return ids, labels


def open_for(work: Work, attention: str = "eager", dtype: torch.dtype | None = None) -> Any:
    """The library's model, on the CPU, ready to be changed; fp32 by default.

    Raises InputError for rows that are longer than its context.
    """
    import torch
    import transformers

    dtype = dtype or torch.float32

    torch.manual_seed(work.seed)
    if work.model in SHAPES:
        layers, width, feed, heads, kv_heads, vocabulary = SHAPES[work.model]
        config = transformers.LlamaConfig(
            vocab_size=vocabulary, hidden_size=width, intermediate_size=feed, num_hidden_layers=layers,
            num_attention_heads=heads, num_key_value_heads=kv_heads, max_position_embeddings=8192,
            tie_word_embeddings=True, attn_implementation=attention,
        )  # fmt: skip
        model = transformers.LlamaForCausalLM(config).to(dtype)
    else:
        from steelyard.lab.opening import open_model

        names = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}
        threads = torch.get_num_threads()
        model = open_model(work.model, names[dtype]).model.requires_grad_(True)
        torch.set_num_threads(threads)
        model.set_attn_implementation(attention)
    if (needed := work.tokens + work.new) > model.config.max_position_embeddings:
        raise InputError(f"{work.model} takes {model.config.max_position_embeddings} tokens, not {needed}.", "Give it shorter rows.")  # fmt: skip
    return model
