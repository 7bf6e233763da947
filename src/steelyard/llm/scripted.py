"""Inspect's provider `steelyard_script/NAME`: models that follow a script, to test a harness without a model.

A script is a contender with interface `model`: `reply(answers, messages, seed) -> text`. It knows the right answers.
"""

from __future__ import annotations

import asyncio
from typing import Any

from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    GenerateConfig,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    modelapi,
)
from inspect_ai.tool import ToolChoice, ToolInfo

from steelyard import catalog
from steelyard.core.contender import build
from steelyard.core.interfaces import Message
from steelyard.llm.context import TOKEN, answers_of

PROVIDER = "steelyard_script"


class ScriptAPI(ModelAPI):
    """A script as a model. Its tokens are words: nothing is tokenised."""

    def __init__(
        self, model_name: str, base_url: str | None = None, api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(), **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(model_name, base_url, api_key, [], config)
        self.script = build(catalog.find(model_name).load(), options, model_name)

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        answers = answers_of(str((input[0].metadata or {}).get(TOKEN, "")))
        if answers is None:
            raise RuntimeError(f"{self.model_name} follows a script and works in Steelyard's benchmarks only")
        said = [Message(m.role, m.text) for m in input]
        text = await asyncio.to_thread(self.script.reply, answers, said, config.seed or 0)
        words = sum(len(m.content.split()) for m in said), len(text.split())
        return ModelOutput(
            model=self.model_name,
            choices=[ChatCompletionChoice(message=ChatMessageAssistant(content=text), stop_reason="stop")],
            usage=ModelUsage(input_tokens=words[0], output_tokens=words[1], total_tokens=sum(words)),
        )


@modelapi(name=PROVIDER)
def scripts() -> type[ModelAPI]:
    return ScriptAPI
