"""A vision-language model's prompt goes through the lab as through the library; its image tokens can be merged."""

import pytest
import torch
import transformers as t

from steelyard.contenders.caches.elastic import Elastic
from steelyard.core.errors import InputError
from steelyard.lab import CachePolicy, Session
from steelyard.lab.vision import with_images
from tests.lab.making import SMALL

IMAGE = 100


@pytest.fixture(scope="module")
def llava():
    torch.manual_seed(5)
    seeing = t.CLIPVisionConfig(
        hidden_size=24, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=16, patch_size=4
    )
    config = t.LlavaConfig(
        vision_config=seeing, text_config=t.LlamaConfig(**SMALL), image_token_index=IMAGE, image_token_id=IMAGE,
        vision_feature_layer=-1,
    )  # fmt: skip
    return t.LlavaForConditionalGeneration(config).eval()


def prompt():
    return [1, 5, *[IMAGE] * 16, 7, 9, 11, 2]  # 16 patches


def test_logits_are_those_of_the_library(llava):
    pixels = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    lab, ids = with_images(llava, pixels, prompt())
    session = Session(lab, CachePolicy())
    session.prefill(ids)
    with torch.no_grad():
        theirs = llava(input_ids=torch.tensor([prompt()]), pixel_values=pixels).logits[0, -1]
    assert torch.allclose(session.logits, theirs, atol=1e-5)
    other, ids = with_images(llava, -pixels, prompt())
    again = Session(other, CachePolicy())
    again.prefill(ids)
    assert not torch.allclose(again.logits, theirs, atol=1e-5)  # the image is seen


def test_image_tokens_are_merged_like_any_others(llava):
    lab, ids = with_images(llava, torch.ones(1, 3, 16, 16), prompt())
    session = Session(lab, Elastic(ratio=0.5))
    session.prefill(ids)
    assert session.cache.layers[0].length == 11
    assert any(2 <= p < 18 for p in session.cache.layers[0].positions[0, 0].tolist())
    assert len(session.generate(4)) == 4


def test_a_prompt_without_room_for_the_image_is_refused(llava):
    with pytest.raises(InputError, match="2 image tokens, the images give 16"):
        with_images(llava, torch.ones(1, 3, 16, 16), [1, IMAGE, IMAGE])
