"""Asks a model plain questions, outside of any weighing: to write or to label what a benchmark is built from."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from inspect_ai.model import ChatMessageUser, GenerateConfig

from steelyard.core.card import Card
from steelyard.core.spec import parse_spec
from steelyard.llm.bridge import _quiet, model_of, resolve
from steelyard.llm.server import stop_all


def ask(model: str, card: Card, questions: Sequence[str], max_tokens: int = 300) -> list[str]:
    """The answers of a model (a spec), greedy, in the order of the questions.

    Raises InputError and MissingError before anything is asked where the model is unknown or not here.
    """
    spec = parse_spec(model)
    chosen = resolve(spec, card)
    asked = model_of(chosen, spec)
    config = GenerateConfig(**{"temperature": 0.0, "max_tokens": max_tokens, **chosen.generation})

    async def all_of_them() -> list[str]:
        found = await asyncio.gather(*(asked.generate([ChatMessageUser(content=q)], config=config) for q in questions))
        return [answer.completion for answer in found]

    try:
        with _quiet():
            return asyncio.run(all_of_them())
    finally:
        stop_all()
