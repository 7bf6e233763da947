"""Exact counts of a Llama's matrix products, from its shapes: what a step needs, whatever a technique adds to it."""

from __future__ import annotations

from typing import Any

from steelyard.lab.runtime.work import Work


def forward_flops(config: Any, rows: int, tokens: int, context: int = 0, logits: int | None = None) -> dict[str, int]:
    """Kind of module -> FLOPs of one forward pass; a multiplication and an addition are two.

    rows, tokens: new ones; context: tokens in a cache before them. logits: positions of each row that the output layer
    computes (all by default). Scores and values count the full square, masked or not, as PaLM's account does
    (arXiv:2204.02311, appendix B) and FlopCounterMode.
    """
    width, layers = config.hidden_size, config.num_hidden_layers
    size = getattr(config, "head_dim", None) or width // config.num_attention_heads
    queries, keys = config.num_attention_heads * size, config.num_key_value_heads * size
    places = rows * tokens
    projections = 2 * places * width * (2 * queries + 2 * keys)
    scores_and_values = 4 * places * (context + tokens) * queries
    return {
        "attention": layers * (projections + scores_and_values),
        "mlp": layers * 6 * places * width * config.intermediate_size,
        "head": 2 * rows * (tokens if logits is None else logits) * width * config.vocab_size,
    }


def model_flops(config: Any, work: Work) -> int:
    """FLOPs that one step of all processes needs: training is three forward passes (backward is two), however it is
    done; recomputation adds nothing to it, and frozen weights take nothing away."""
    if work.phase == "decode":
        return sum(sum(forward_flops(config, work.batch, 1, work.tokens + at).values()) for at in range(work.new))
    if work.phase == "prefill":
        return sum(forward_flops(config, work.batch, work.tokens, logits=1).values())
    return 3 * sum(forward_flops(config, work.batch, work.tokens).values())


def intensity(config: Any, work: Work, item: int = 4) -> float:
    """FLOPs for each byte that the layers' linear products of a forward pass move: operands and results once, `item` bytes
    a number."""
    rows = work.batch * (1 if work.phase == "decode" else work.tokens)
    width, feed = config.hidden_size, config.intermediate_size
    size = getattr(config, "head_dim", None) or width // config.num_attention_heads
    queries, keys = config.num_attention_heads * size, config.num_key_value_heads * size
    shapes = [(width, queries), (width, keys), (width, keys), (queries, width), (width, feed), (width, feed), (feed, width)]  # fmt: skip
    flops = sum(2 * rows * a * b for a, b in shapes)
    return flops / sum(item * (rows * a + a * b + rows * b) for a, b in shapes)
