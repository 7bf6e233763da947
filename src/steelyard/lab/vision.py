"""The language part of a vision-language model, with images as tokens among the others: for caches, nothing is different."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from steelyard.core.errors import InputError
from steelyard.lab.opening import LabModel, from_model


class _Embedding(nn.Module):
    """Ids from `len(words)` on are image features."""

    def __init__(self, words: Any, features: Tensor) -> None:
        super().__init__()
        self.words, self.features = words, features

    def forward(self, ids: Tensor) -> Tensor:
        count = self.words.weight.shape[0]
        seen = self.features[(ids - count).clamp(min=0)]
        return torch.where((ids >= count)[..., None], seen, self.words(ids.clamp(max=count - 1)))


@torch.no_grad()
def with_images(model: Any, pixels: Tensor, ids: Sequence[int], tokenizer: Any = None) -> tuple[LabModel, list[int]]:
    """A lab model for one prompt of a model of the LLaVA kind, and the prompt in its tokens.

    pixels: (images, 3, height, width), as its processor gives them. ids: the prompt, an image token for each feature.
    Raises InputError where these two do not agree, or where the language part is of a family the lab does not open.
    """
    inner = model.model
    found = inner.get_image_features(pixel_values=pixels)
    features = torch.cat([*getattr(found, "pooler_output", found)]).to(model.dtype)
    places = [i for i, token in enumerate(ids) if token == model.config.image_token_id]
    if len(places) != len(features):
        raise InputError(
            f"the prompt has {len(places)} image tokens, the images give {len(features)} features.",
            "Use the ids that the model's processor makes.",
        )
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        language = AutoModelForCausalLM.from_config(model.config.text_config)
    words = inner.language_model.embed_tokens
    language.model, language.lm_head = _shallow(inner.language_model), model.lm_head
    language.model.embed_tokens = _Embedding(words, features)
    prompt = list(ids)
    for feature, place in enumerate(places):
        prompt[place] = words.weight.shape[0] + feature
    return from_model(language, tokenizer, model.config.model_type), prompt


def _shallow(module: nn.Module) -> nn.Module:
    """The same parts in an object of its own, so that one of them can be changed."""
    other = module.__class__.__new__(module.__class__)
    other.__dict__.update(module.__dict__)
    other._modules = dict(module._modules)
    return other
