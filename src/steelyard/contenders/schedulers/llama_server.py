"""llama.cpp's own server as it comes: slots, each of which keeps the prefix of its last request."""

from __future__ import annotations

import importlib.util
import json
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from steelyard.catalog.models import find_model, path_of
from steelyard.core.contender import contender
from steelyard.core.errors import MissingError
from steelyard.lab import serving
from steelyard.lab.serving.batching import Machine, Served
from steelyard.lab.serving.job import Job, Request
from steelyard.lab.serving.prefix_tree import order_of

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy knows nothing of our loopback


@contender("llama-server", interface="engine", source="llama.cpp, tools/server (cache_prompt, continuous batching)")
@dataclass(frozen=True)
class LlamaServer:
    """Every slot serves one request at a time and keeps its keys and values; a new request goes to the slot whose last
    prompt it has most in common with. It runs the same weights as they are quantised, with kernels of its own, and tells
    neither steps nor blocks. Its memory is one context a slot: the limits of the job do not bind it.

    slots: requests at a time. order: of `arrival`, or prompts `sorted` by their tokens. threads: of the server.
    """

    slots: int = 8
    order: Literal["arrival", "sorted"] = "arrival"
    threads: int = 1
    depends_on: ClassVar[tuple[Any, ...]] = serving.sources()

    def supported(self) -> str:
        """Why this cannot run here, or ""."""
        if importlib.util.find_spec("xllamacpp") is None:
            return "llama.cpp is not installed: pip install 'steelyard[models]'"
        return ""

    def serve(self, job: Job, machine: Machine) -> Served:
        """See lab.serving. Raises MissingError where the machine has no model that is a GGUF file."""
        model = find_model(machine.lab.name) if hasattr(machine, "lab") else None
        if model is None:
            raise MissingError("llama.cpp needs a model that is a GGUF file.", "Run offline-batching[model=smollm2].")
        from steelyard.llm.server import serve

        context = max(len(r.prompt) + r.max_new for r in job.requests) + 8
        url = serve(path_of(model), context, self.threads, self.slots).url
        served = Served()
        prompts = [r.prompt for r in job.requests]
        order = order_of(prompts) if self.order == "sorted" else range(len(prompts))
        with ThreadPoolExecutor(self.slots) as pool:
            forget = [request_body([token], 1) for token in range(self.slots)]
            list(pool.map(lambda body: _post(url, body), forget))  # what slots keep from an earlier job
            bodies = [request_body(prompts[n].tolist(), job.requests[n].new) for n in order]
            for n, reply in zip(order, pool.map(lambda body: _post(url, body), bodies), strict=True):
                _note(served, job.requests[n], reply)
        return served


def request_body(prompt: list[int], new: int) -> dict[str, Any]:
    """What /completion is asked: greedy decoding of exactly `new` tokens."""
    return {
        "prompt": prompt, "n_predict": new, "temperature": 0, "cache_prompt": True, "ignore_eos": True,
        "return_tokens": True,
    }  # fmt: skip


def _post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    sent = urllib.request.Request(f"{url}/completion", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with _DIRECT.open(sent) as answer:
        return dict(json.load(answer))


def _note(served: Served, request: Request, reply: dict[str, Any]) -> None:
    served.outputs[request.id] = reply["tokens"][: request.new]
    served.prompt_computed += reply["timings"]["prompt_n"]
