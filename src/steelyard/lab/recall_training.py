"""The recipe of the recall model: seeded, about a minute on one core.

    python -m steelyard.lab.recall_training

A decoder of three layers (Qwen 2, which is Llama with biases and windows) that begins at the known circuit for look-ups
and is trained on the answers of generated sessions, on contexts of 24 to 384 words. `hybrid` is the same but for its windows:
only its middle layer sees everything.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from steelyard.lab import recall
from steelyard.lab.recall import MARKS, TASKS, WORDS, WordTokenizer, make

SEED = 23
STEPS, RATE = 60, 3e-4
TOKENS = 1024  # of a step
SHORTEST, LONGEST = 24, 384
WINDOW = 32
CODE = 60
LOOK, GAIN, CARRY, RATHER, SAY = 7.0, 6.0, 0.09, 8.0, 0.5
VARIANTS = ("full", "hybrid")


def network(variant: str = "full") -> Any:
    """The untrained model, seeded."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(SEED)
    sides = "sliding_attention" if variant == "hybrid" else "full_attention"
    config = Qwen2Config(
        vocab_size=len(MARKS) + WORDS, hidden_size=128, intermediate_size=128, num_hidden_layers=3,
        num_attention_heads=4, num_key_value_heads=2, head_dim=64, max_position_embeddings=1024,
        rope_parameters={"rope_type": "default", "rope_theta": 1e8},
        tie_word_embeddings=True, use_sliding_window=variant == "hybrid", sliding_window=WINDOW,
        layer_types=[sides, "full_attention", sides], bos_token_id=None, eos_token_id=1, initializer_range=0.02,
    )  # fmt: skip
    model = Qwen2ForCausalLM(config)
    _start(model)
    return model


@torch.no_grad()
def _start(model: Any) -> None:
    """Begin at the circuit of Olsson et al. (arXiv:2209.11895), which training else finds late and by chance.

    The residual stream has rooms: the present word in its first CODE channels, the word before it in the next. The first
    layer's heads look one, two, three and four tokens back, by biases: after rotation q.k is a sum over pairs of channels
    of cos(frequency (distance - back)). The first head carries its word to the second room. In the second layer two
    heads look for places that come after the present word, and say what stands there; rather a word than a mark. They
    match on channels that rotation hardly turns over the lengths of the recipe.
    """
    config, base = model.config, model.model
    first, second = (layer.self_attn for layer in base.layers[:2])
    size, heads = config.head_dim, config.num_attention_heads
    frequencies = base.rotary_emb.inv_freq
    embedding = base.embed_tokens.weight
    embedding.mul_(0.05)
    embedding[:, :CODE] = torch.nn.functional.normalize(torch.randn(len(embedding), CODE), dim=1)
    quiet = [part for layer in base.layers for part in (layer.self_attn.o_proj, layer.mlp.down_proj)]
    for part in (first.q_proj, first.k_proj, *quiet):
        part.weight.mul_(0.1)
    first.k_proj.bias.view(-1, size)[:, : size // 2] = LOOK
    for back in range(1, heads + 1):
        turned = torch.cat([(frequencies * back).cos(), -(frequencies * back).sin()])
        first.q_proj.bias.view(heads, size)[back - 1] = LOOK * turned
    code = torch.arange(CODE)
    first.v_proj.weight[:size] = 0
    first.v_proj.weight[code, code] = 1
    first.o_proj.weight[:, :size] = 0
    first.o_proj.weight[CODE + code, code] = CARRY
    slow = (frequencies < 0.25 / LONGEST).repeat(2).nonzero()[:, 0][: CODE + 1]
    match, spare = slow[:-1], slow[-1]
    words = code[: len(match)]
    second.k_proj.weight[:size] = second.v_proj.weight[:size] = 0
    second.k_proj.weight[match, CODE + words] = 1
    second.k_proj.weight[spare, :CODE] = (embedding[MARKS.index(";")] + 2 * embedding[MARKS.index("?")])[:CODE]
    second.v_proj.weight[code, code] = 1
    for head in (0, 1):
        rows = slice(head * size, (head + 1) * size)
        second.q_proj.weight[rows] = 0
        second.q_proj.weight[head * size + match, words] = GAIN
        second.q_proj.bias[head * size + spare] = -RATHER
        second.o_proj.weight[:, rows] = 0
        second.o_proj.weight[code, head * size + code] = SAY


def batch(rng: random.Random, length: int, tokenizer: WordTokenizer) -> tuple[Tensor, Tensor]:
    """Ids and labels (rows, tokens): contexts of one length with as many questions as fit; labels are answers only."""
    rows, labels = [], []
    while sum(map(len, rows)) < TOKENS:
        task = rng.choice(TASKS)
        context, questions = make(task, length, rng, turns=max(5, length // 8))
        ids = tokenizer(context)["input_ids"]
        wanted = [-100] * len(ids)
        for question in questions:
            asked, answer = (tokenizer(text)["input_ids"] for text in (question.input, question.answer))
            ids, wanted = ids + asked + answer, wanted + [-100] * len(asked) + answer
        rows.append(ids)
        labels.append(wanted)
    width = max(map(len, rows))
    fill = lambda lists, value: torch.tensor([x + [value] * (width - len(x)) for x in lists])  # noqa: E731
    return fill(rows, 0), fill(labels, -100)


def train(variant: str = "full", steps: int = STEPS, report: bool = True) -> Any:
    """The trained model. AdamW, warm-up and cosine; contexts grow over the first half of the steps."""
    model, rng, tokenizer = network(variant).train(), random.Random(SEED), WordTokenizer()
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps, pct_start=0.1)
    begin = time.monotonic()
    for step in range(steps):
        most = SHORTEST + (LONGEST - SHORTEST) * min(1.0, 2 * step / steps)
        ids, labels = batch(rng, rng.randint(SHORTEST, int(most)), tokenizer)
        loss = model(input_ids=ids, labels=labels).loss
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if report and step % 20 == 0:
            left = (time.monotonic() - begin) / (step + 1) * (steps - step - 1)
            said = f"training the recall model ({variant}): step {step} of {steps}, loss {loss.item():.3f}"
            print(f"{said}, {left:.0f} s left", file=sys.stderr, flush=True)
    return model.eval()


def weights(variant: str) -> Path:
    """The folder of a trained model, in the user's cache; trains it where this recipe has not been followed yet."""
    import platformdirs

    recipe = hashlib.sha256(Path(__file__).read_bytes() + Path(recall.__file__).read_bytes()).hexdigest()[:12]
    folder = platformdirs.user_cache_path("steelyard") / "lab" / f"recall-{variant}-{recipe}"
    if not folder.is_dir():
        fresh = folder.with_name(f"{folder.name}.{os.getpid()}")
        train(variant).save_pretrained(fresh)
        try:
            fresh.rename(folder)
        except OSError:  # another process was faster
            shutil.rmtree(fresh)
    return folder


if __name__ == "__main__":
    for each in VARIANTS:
        print(weights(each))
