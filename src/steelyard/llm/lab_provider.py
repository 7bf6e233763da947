"""Inspect's provider `lab/NAME`: a model opened in PyTorch with any cache method, in any Inspect task.

steelyard run humaneval --with "lab/smollm2[cache=snapkv,keep=0.5]"
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

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
from steelyard.catalog.models import find_model, path_of
from steelyard.core.contender import options_of, source_hash
from steelyard.core.errors import InputError, unknown
from steelyard.core.spec import Spec, Value
from steelyard.llm.provider import MAX_TOKENS, RAW

if TYPE_CHECKING:
    from torch import Tensor

    from steelyard.lab import CachePolicy, LabModel, Session

PREFIX = "lab/"
ARGUMENTS = {"cache": "full", "dtype": "fp32", "device": "cpu"}


def policy_of(options: Mapping[str, Value], where: str) -> CachePolicy:
    """The cache method that a spec's options name. Raises InputError for a method or an option that is not known."""
    name = str(options.get("cache", ARGUMENTS["cache"]))
    own = {key: value for key, value in options.items() if key not in ARGUMENTS}
    policy: CachePolicy = catalog.make_contender(Spec(name, own), "cache")
    if reason := policy.supported():
        raise InputError(f"{where}: {reason}.", "Choose another cache.")
    return policy


def arguments_of(spec: Spec) -> tuple[str, ...]:
    """Every option that `lab/NAME` takes: the provider's, and those of the cache method it names."""
    named = str(spec.options.get("cache", ARGUMENTS["cache"]))
    entry = catalog.entries().get(named.partition(":")[0])
    if entry is None or entry.card.interface != "cache":
        raise unknown("cache", named, [e.name for e in catalog.contenders("cache")], where=str(spec))
    cls = entry.load().named(named.partition(":")[2]) if ":" in named else entry.load()
    return (*ARGUMENTS, *options_of(cls), *(field.replace("_", "-") for field in options_of(cls)))


def identity(spec: Spec, options: Mapping[str, Value]) -> str:
    """What a number of it depends on: the checkpoint, the lab's code, the method's."""
    import importlib

    name = spec.name.removeprefix(PREFIX)
    local = find_model(name)
    if local is not None:
        path_of(local)
    policy = policy_of(options, str(spec))
    parts = ("attention", "cache", "forward_pass", "policy", "session", "opening")
    code = [importlib.import_module(f"steelyard.lab.{part}") for part in parts]
    return source_hash(local.sha256 if local else name, policy, *getattr(policy, "depends_on", ()), *code)


@cache
def _opened(name: str, dtype: str, device: str) -> LabModel:
    from steelyard.lab import open_model

    return open_model(name, dtype, device)


class LabAPI(ModelAPI):
    """One model, one cache method, one request at a time; every request begins with an empty cache.

    cache: a contender of interface `cache`; its options stand beside it. dtype: fp32, bf16, fp16. device: cpu or cuda.
    """

    def __init__(
        self, model_name: str, base_url: str | None = None, api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(), **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(model_name, base_url, api_key, [], config)
        self.policy = policy_of(options, f"{PREFIX}{model_name}")
        chosen = {key: str(options.get(key, value)) for key, value in ARGUMENTS.items()}
        self.lab = _opened(model_name, chosen["dtype"], chosen["device"])
        self.keeps_prompt = False  # whether a text will be scored after each prompt: its cache is then kept for that
        self._read: tuple[list[int], Session] | None = None

    def max_connections(self) -> int:
        return 1

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        if tools:
            raise RuntimeError(f"{self.model_name} calls no tools; this task gives it {len(tools)}")
        ids = self.lab.encode(self._text(input))
        most = config.max_tokens or MAX_TOKENS
        if len(ids) + 1 > self.lab.context:
            why = f"{len(ids)} tokens; the model's context is {self.lab.context}"
            return ModelOutput.from_content(self.model_name, "", stop_reason="model_length", error=why)
        out, reason = await asyncio.to_thread(self._answer, ids, min(most, self.lab.context - len(ids)), config)
        return ModelOutput(
            model=self.model_name,
            choices=[ChatCompletionChoice(message=ChatMessageAssistant(content=out[0]), stop_reason=reason)],
            usage=ModelUsage(input_tokens=len(ids), output_tokens=out[1], total_tokens=len(ids) + out[1]),
        )

    async def log_probability(self, messages: list[ChatMessage], text: str) -> float | None:
        """Of `text` as the answer to `messages`: per token, in nats; None where the two do not fit the context together."""
        prompt, ids = self.lab.encode(self._text(messages)), self.lab.encode(text)
        if not ids or len(prompt) + len(ids) > self.lab.context:
            return None
        return await asyncio.to_thread(self._given, prompt, ids)

    def _text(self, messages: list[ChatMessage]) -> str:
        raw = len(messages) == 1 and (messages[0].metadata or {}).get(RAW)
        if raw or not getattr(self.lab.tokenizer, "chat_template", None):
            return "\n\n".join(message.text for message in messages)
        said = [{"role": m.role, "content": m.text} for m in messages]
        goes_on = said[-1]["role"] == "assistant"
        return str(
            self.lab.tokenizer.apply_chat_template(
                said, tokenize=False, add_generation_prompt=not goes_on, continue_final_message=goes_on
            )
        )

    def _answer(self, ids: list[int], most: int, config: GenerateConfig) -> tuple[tuple[str, int], Any]:
        from steelyard.lab import Session

        session, stops = Session(self.lab, self.policy), tuple(config.stop_seqs or ())
        session.prefill(ids)
        self._read = (ids, session.copy()) if self.keeps_prompt else None
        done = (lambda out: any(s in self.lab.decode(out) for s in stops)) if stops else None
        out = session.generate(most, self.lab.stop_ids, choose=_chooser(config), done=done)
        text = self.lab.decode(out)
        for stop in stops:
            text = text.partition(stop)[0]
        return (text, len(out)), "max_tokens" if len(out) == most else "stop"

    def _given(self, prompt: list[int], ids: list[int]) -> float:
        from steelyard.lab import Session
        from steelyard.lab.fidelity import mean_log_probability

        known, self._read = self._read, None
        if known is not None and known[0] == prompt:
            session = known[1]
        else:
            session = Session(self.lab, self.policy)
            session.prefill(prompt)
        return mean_log_probability(session.score(ids), ids)


def _chooser(config: GenerateConfig) -> Callable[[Tensor], int] | None:
    """How a token is drawn from logits; None for the most likely one."""
    if not config.temperature:
        return None
    import torch

    generator = torch.Generator().manual_seed(config.seed or 0)

    def draw(logits: Tensor) -> int:
        chances = (logits.float().cpu() / config.temperature).softmax(-1).sort(descending=True)
        keep = torch.ones_like(chances.values, dtype=torch.bool)
        if config.top_k:
            keep[config.top_k :] = False
        if config.top_p is not None:
            keep &= chances.values.cumsum(-1) - chances.values < config.top_p
        return int(chances.indices[torch.multinomial(chances.values * keep, 1, generator=generator)])

    return draw


@modelapi(name="lab")
def lab_models() -> type[ModelAPI]:
    return LabAPI
