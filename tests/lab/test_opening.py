"""Opening models: what there is, and what is said where there is none. The recall model nearly always recalls."""

import random

import pytest
import torch
import transformers

from steelyard.core.errors import InputError, MissingError
from steelyard.lab import CachePolicy, Session, from_model, open_model
from steelyard.lab.recall import TASKS, make
from tests.lab.making import SMALL, tiny


def test_what_cannot_be_opened_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(InputError, match="dtype is 'fp4'"):
        open_model("smollm2", dtype="fp4")
    with pytest.raises(MissingError, match="no file"):
        open_model(str(tmp_path / "none.gguf"))
    with pytest.raises(MissingError, match="cannot be opened"):
        open_model(str(tmp_path))
    config = transformers.GPT2Config(n_embd=32, n_layer=1, n_head=2, vocab_size=50)
    with pytest.raises(InputError, match="family 'gpt2'"):
        from_model(transformers.GPT2LMHeadModel(config))
    assert SMALL["vocab_size"] == tiny("llama").config.vocab_size


@pytest.mark.parametrize("task", TASKS)
def test_the_recall_model_recalls_with_the_full_cache(task):
    lab = open_model("recall")
    right = asked = 0
    for seed in range(3):
        context, questions = make(task, 320, random.Random(seed))
        session = Session(lab, CachePolicy())
        session.prefill(lab.encode(context))
        for question in questions:
            turn = session.copy()
            turn.extend(lab.encode(question.input))
            right += lab.decode(turn.generate(4, lab.stop_ids)) == question.answer.removesuffix(" ;")
            asked += 1
    assert right / asked > 0.9


def test_the_recipe_begins_at_a_circuit_that_looks_one_word_back():
    from steelyard.lab.recall_training import network

    model = network().eval()
    model.config._attn_implementation = "eager"
    with torch.no_grad():
        weights = model(torch.arange(2, 32)[None], output_attentions=True).attentions[0][0]
    for back in (1, 2, 3, 4):
        assert float(weights[back - 1].diagonal(-back).mean()) > 0.9
