"""Tiny random models of each family, made on the spot."""

import functools

import torch
import transformers as t

from steelyard.lab.opening import from_model

SMALL = {
    "vocab_size": 101, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 256, "head_dim": 8,
}  # fmt: skip
MADE = {
    "llama": lambda: t.LlamaForCausalLM(t.LlamaConfig(**SMALL)),
    "mistral": lambda: t.MistralForCausalLM(t.MistralConfig(**SMALL, sliding_window=12)),
    "qwen2": lambda: t.Qwen2ForCausalLM(
        t.Qwen2Config(**SMALL, use_sliding_window=True, sliding_window=10, max_window_layers=1)
    ),
    "qwen3": lambda: t.Qwen3ForCausalLM(t.Qwen3Config(**SMALL)),
    "gemma3": lambda: t.Gemma3ForCausalLM(
        t.Gemma3TextConfig(
            **SMALL, sliding_window=9, layer_types=["sliding_attention", "full_attention", "sliding_attention"]
        )
    ),
}


@functools.cache
def tiny(family, seed=0):
    """A random model whose attention is far from uniform, so that a wrong mask shows."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    model = MADE[family]()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 2 and "embed" not in name:
                weight.mul_(8)
    return from_model(model, name=family)
