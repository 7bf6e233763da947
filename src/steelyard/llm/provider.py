"""Inspect's provider `steelyard/NAME`: local models by their short names, in any Inspect task."""

from __future__ import annotations

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

from steelyard.core.errors import unknown
from steelyard.llm.models import MODELS, find_model, path_of
from steelyard.llm.server import serve

RAW = "steelyard_raw"  # a user message with this in its metadata is text to continue, without a chat template


class LocalAPI(ModelAPI):
    """A model served by llama.cpp in this process. threads, parallel, context: of the server."""

    def __init__(
        self, model_name: str, base_url: str | None = None, api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(), threads: int | None = None, parallel: int = 2, context: int = 4096,
        **_: Any,
    ) -> None:  # fmt: skip
        super().__init__(model_name, base_url, api_key, [], config)
        model = find_model(model_name)
        if model is None:
            raise unknown("model", model_name, [m.name for m in MODELS])
        self.model = model
        self.parallel = parallel
        self.server = serve(path_of(model), min(context, model.context), threads, parallel)

    def max_connections(self) -> int:
        return self.parallel

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        body: dict[str, Any] = {
            "temperature": config.temperature if config.temperature is not None else 0.0,
            "max_tokens": config.max_tokens or 1024, "top_p": config.top_p, "top_k": config.top_k,
            "seed": config.seed, "stop": config.stop_seqs, "frequency_penalty": config.frequency_penalty,
            "presence_penalty": config.presence_penalty, "cache_prompt": False,
        }  # fmt: skip
        body = {key: value for key, value in body.items() if value is not None}
        raw = len(input) == 1 and (input[0].metadata or {}).get(RAW)
        if raw or not self.model.chat:
            body["prompt"] = "\n\n".join(message.text for message in input)
            reply = await self._post("/v1/completions", body)
            text = reply["choices"][0]["text"]
        else:
            body["messages"] = [{"role": m.role, "content": m.text} for m in input]
            reply = await self._post("/v1/chat/completions", body)
            text = reply["choices"][0]["message"].get("content") or ""
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
        async with httpx.AsyncClient(base_url=self.server.url, timeout=None) as client:
            answer = await client.post(route, json=body)
        if answer.status_code != 200:
            raise RuntimeError(f"the model's server answered {answer.status_code}: {answer.text[:300]}")
        return dict(answer.json())


@modelapi(name="steelyard")
def steelyard_models() -> type[ModelAPI]:
    return LocalAPI
