"""`lab/NAME`: a model in PyTorch with a cache method, through Inspect."""

import asyncio

import pytest
import torch
from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, GenerateConfig

from steelyard import catalog
from steelyard.catalog.models import find_model
from steelyard.core.errors import InputError
from steelyard.core.spec import parse_spec
from steelyard.llm.bridge import resolve
from steelyard.llm.lab_provider import LabAPI, _chooser

CARD = catalog.benchmark("humaneval").card


@pytest.fixture(scope="module")
def smollm2():
    if not find_model("smollm2").present():
        pytest.skip("SmolLM2 is not here (steelyard models pull smollm2)")


def answer(api, messages, **config):
    return asyncio.run(api.generate(messages, [], "auto", GenerateConfig(**config)))


def test_options_go_to_the_method_and_unknown_ones_are_refused(smollm2):
    chosen = resolve(parse_spec("lab/smollm2[cache=snapkv,keep=0.5,max_tokens=9]"), CARD)
    assert chosen.model_args == {"cache": "snapkv", "keep": 0.5}
    assert chosen.generation == {"max_tokens": 9}
    other = resolve(parse_spec("lab/smollm2[cache=snapkv,keep=0.25]"), CARD)
    assert other.source != resolve(parse_spec("lab/smollm2"), CARD).source
    with pytest.raises(InputError, match="unknown option 'keeps'"):
        resolve(parse_spec("lab/smollm2[cache=snapkv,keeps=0.5]"), CARD)
    with pytest.raises(InputError, match=r"unknown cache 'snapkw'.*"):
        resolve(parse_spec("lab/smollm2[cache=snapkw]"), CARD)


def test_it_says_what_the_library_says(smollm2):
    api = LabAPI("smollm2")
    asked = [ChatMessageUser(content="What is the capital of France? Answer in one sentence.")]
    reply = answer(api, asked, max_tokens=12)
    ids = api.lab.tokenizer.apply_chat_template(
        [{"role": "user", "content": asked[0].text}], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    theirs = api.lab.model.generate(**ids, max_new_tokens=12, do_sample=False)[0, ids["input_ids"].shape[1] :]
    assert reply.completion == api.lab.decode(theirs.tolist())
    assert (reply.usage.input_tokens, reply.stop_reason) == (ids["input_ids"].shape[1], "stop")
    short = answer(api, [*asked, ChatMessageAssistant(content="The capital of France is")], max_tokens=8, stop_seqs=["."])
    assert short.completion.strip() == "Paris"


def test_sampling_keeps_to_top_k_and_top_p():
    logits = torch.tensor([0.0, 3.0, 2.0, -1.0])
    assert _chooser(GenerateConfig(temperature=0.0)) is None
    draw = _chooser(GenerateConfig(temperature=1.0, top_k=2, seed=1))
    assert {draw(logits) for _ in range(50)} == {1, 2}
    draw = _chooser(GenerateConfig(temperature=1.0, top_p=0.5, seed=1))
    assert {draw(logits) for _ in range(20)} == {1}
