"""Inspect's provider `steelyard/NAME`: local models by their short names, in any Inspect task."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
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

from steelyard.catalog.models import MODELS, find_model, path_of
from steelyard.core.errors import unknown
from steelyard.llm.server import require_engine, serve

CONTEXT = 8192  # tokens of a request, where neither the spec nor the model says less
MAX_TOKENS = 1024
PARALLEL = 2
RAW = "steelyard_raw"  # a user message with this in its metadata is text to continue, without a chat template


class _TooLong(Exception):
    """The prompt does not fit the context."""


class LocalAPI(ModelAPI):
    """A model served by llama.cpp in this process.

    threads: of the server, default one less than there are cores. parallel: requests at once. context: tokens of each
    request, prompt and answer together; default all the model has, at most 8192. cache_k, cache_v: how cached keys and
    values are stored: f16, bf16, q8_0, q4_1, q4_0.
    """

    def __init__(
        self, model_name: str, base_url: str | None = None, api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(), threads: int | None = None, parallel: int = PARALLEL, context: int | None = None,
        cache_k: str = "f16", cache_v: str = "f16",
        **_: Any,
    ) -> None:  # fmt: skip
        super().__init__(model_name, base_url, api_key, [], config)
        model = find_model(model_name)
        if model is None:
            raise unknown("model", model_name, [m.name for m in MODELS])
        require_engine()
        self.model = model
        self.parallel = parallel
        self.settings = (path_of(model), min(context or CONTEXT, model.context), threads, parallel, cache_k, cache_v)

    def max_connections(self) -> int:
        return self.parallel

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        body: dict[str, Any] = {
            "temperature": config.temperature if config.temperature is not None else 0.0,
            "max_tokens": config.max_tokens or MAX_TOKENS, "top_p": config.top_p, "top_k": config.top_k,
            "seed": config.seed, "stop": config.stop_seqs, "frequency_penalty": config.frequency_penalty,
            "presence_penalty": config.presence_penalty, "cache_prompt": False,
        }  # fmt: skip
        body = {key: value for key, value in body.items() if value is not None}
        if tools:
            raise RuntimeError(f"{self.model.name} calls no tools; this task gives it {len(tools)}")
        raw = len(input) == 1 and (input[0].metadata or {}).get(RAW)
        messages = [{"role": m.role, "content": m.text} for m in input]
        if raw or not self.model.chat:
            body["prompt"] = "\n\n".join(message.text for message in input)
        else:  # the template applied first, then a completion: a last assistant turn is continued, and not repeated
            body["prompt"] = (await self._post("/apply-template", {"messages": messages}))["prompt"]
        try:
            reply = await self._post("/v1/completions", body)
        except _TooLong as error:
            return ModelOutput.from_content(self.model.name, "", stop_reason="model_length", error=str(error))
        text = reply["choices"][0]["text"]
        usage = reply.get("usage") or {}
        reason = "max_tokens" if reply["choices"][0].get("finish_reason") == "length" else "stop"
        return ModelOutput(
            model=self.model.name,
            choices=[ChatCompletionChoice(message=ChatMessageAssistant(content=text), stop_reason=reason)],
            usage=ModelUsage(
                input_tokens=usage.get("prompt_tokens", 0), output_tokens=usage.get("completion_tokens", 0),
                total_tokens=usage.get("total_tokens", 0),
            ),
        )  # fmt: skip

    async def _post(self, route: str, body: dict[str, Any]) -> dict[str, Any]:
        # a client of its own for each request: Inspect keeps a model over several event loops, a client lives in one
        url = (await asyncio.to_thread(serve, *self.settings)).url
        async with httpx.AsyncClient(base_url=url, timeout=None, trust_env=False) as client:
            answer = await client.post(route, json=body)
        if answer.status_code == 400 and "exceed_context_size" in answer.text:
            raise _TooLong(answer.json()["error"]["message"])
        if answer.status_code != 200:
            raise RuntimeError(f"the model's server answered {answer.status_code}: {answer.text[:300]}")
        return dict(answer.json())


@modelapi(name="steelyard")
def steelyard_models() -> type[ModelAPI]:
    return LocalAPI
