"""A random model made on the spot, over bytes: it says nothing sensible, but every method can be run and counted on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from steelyard.lab import LabModel, from_model
from steelyard.lab.opening import check_device

SEED = 66
SHARPER = 2.5  # weights are that much larger than usual, so that attention is far from uniform


class Bytes:
    """Bytes as tokens."""

    eos_token_id = 0
    chat_template = None

    def __call__(self, text: str, **_: Any) -> dict[str, list[int]]:
        return {"input_ids": list(text.encode())}

    def decode(self, ids: Sequence[int], **_: Any) -> str:
        return bytes(ids).decode(errors="replace")


def tiny(dtype: torch.dtype = torch.float32, device: str = "cpu") -> LabModel:
    """Eight layers of width 64, seeded; one thread. Raises MissingError where the device is not here."""
    check_device(device)
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    config = LlamaConfig(
        vocab_size=256, hidden_size=64, intermediate_size=128, num_hidden_layers=8, num_attention_heads=4,
        num_key_value_heads=2, head_dim=16, max_position_embeddings=4096, tie_word_embeddings=True,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for layer in model.model.layers:
            for weight in layer.parameters():
                if weight.dim() == 2:
                    weight.mul_(SHARPER)
    return from_model(model.to(device, dtype), Bytes(), "tiny")
