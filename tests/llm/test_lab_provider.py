"""`lab/NAME`: a model in PyTorch with a cache method, through Inspect."""

import asyncio

import pytest
import torch
from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, GenerateConfig

from steelyard import catalog
from steelyard.catalog.models import find_model
from steelyard.core.errors import InputError
from steelyard.core.spec import parse_spec
from steelyard.llm import run_model
from steelyard.llm.bridge import resolve
from steelyard.llm.lab_provider import LabAPI, _chooser
from steelyard.llm.provider import RAW
from tests.conftest import lacking, need

CARD = catalog.benchmark("humaneval").card


@pytest.fixture(scope="module")
def smollm2():
    if not find_model("smollm2").present():
        lacking("SmolLM2 is not here (steelyard models pull smollm2)")


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
    short = answer(
        api, [*asked, ChatMessageAssistant(content="The capital of France is")], max_tokens=8, stop_seqs=["."]
    )
    assert short.completion.strip() == "Paris"


def test_a_given_text_is_as_probable_as_the_library_says(smollm2):
    api = LabAPI("smollm2")
    asked, text = [ChatMessageUser(content="def double(x):\n", metadata={RAW: True})], "    return 2 * x\n"
    prompt, ids = api.lab.encode(asked[0].text), api.lab.encode(text)
    labels = torch.tensor([[-100] * len(prompt) + ids])  # the library leaves -100 out of its mean
    loss = api.lab.model(input_ids=torch.tensor([prompt + ids]), labels=labels).loss
    assert asyncio.run(api.log_probability(asked, text)) == pytest.approx(-float(loss), abs=1e-5)
    told = asyncio.run(api.log_probability(asked, text))
    api.keeps_prompt = True
    answer(api, asked, max_tokens=3)
    read = api.lab.counts.tokens_computed
    assert asyncio.run(api.log_probability(asked, text)) == pytest.approx(told, abs=1e-5)
    assert api.lab.counts.tokens_computed - read == len(ids) - 1, "the prompt is not read again"
    assert asyncio.run(api.log_probability(asked, "x" * 100_000)) is None
    assert asyncio.run(api.log_probability(asked, "")) is None


def test_a_benchmark_that_asks_gets_it_of_models_that_can_tell(smollm2, tmp_path):
    need("tree_sitter")
    entry = catalog.benchmark("multicodebench")
    bench = entry.load()()
    case = next(iter(bench.cases()))
    seen = {}
    for spec in ("lab/smollm2[route=completion,max_tokens=1]", "mockllm/model[route=completion]"):
        run_model(
            entry.card, bench, parse_spec(spec), [(case, 0)], lambda *a, to=spec: seen.update({to[:3]: a[2]}),
            log_dir=str(tmp_path), seed=0, time_s=None, cell_timeout_s=60,
        )  # fmt: skip
    api, raw = LabAPI("smollm2"), bench.prompt(case, route="completion")[0].content
    answer = bench.reference(case, route="completion")
    assert raw.endswith(case.payload.declaration)
    assert case.payload.signature + answer == case.payload.truth
    told = asyncio.run(api.log_probability([ChatMessageUser(content=raw, metadata={RAW: True})], answer))
    assert seen["lab"].metrics["reference_logprob"] == pytest.approx(told, abs=1e-6)
    assert "reference_logprob" not in seen["moc"].metrics


def test_sampling_keeps_to_top_k_and_top_p():
    logits = torch.tensor([0.0, 3.0, 2.0, -1.0])
    assert _chooser(GenerateConfig(temperature=0.0)) is None
    draw = _chooser(GenerateConfig(temperature=1.0, top_k=2, seed=1))
    assert {draw(logits) for _ in range(50)} == {1, 2}
    draw = _chooser(GenerateConfig(temperature=1.0, top_p=0.5, seed=1))
    assert {draw(logits) for _ in range(20)} == {1}
