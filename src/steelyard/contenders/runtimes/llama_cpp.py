"""llama.cpp's server on a loopback port: prefill, decoding and requests over HTTP."""

from __future__ import annotations

import importlib.util
import json
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, ClassVar

from steelyard.catalog.models import find_model, path_of
from steelyard.core.contender import contender
from steelyard.core.errors import MissingError
from steelyard.lab import runtime
from steelyard.lab.runtime.traces import reply

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy knows nothing of our loopback


@contender("llama-cpp", interface="runtime", source="github.com/ggml-org/llama.cpp, through xllamacpp")
@dataclass(frozen=True)
class LlamaCpp:
    """The model's GGUF file as it is (its weights stay quantised), one greedy completion at a time or several.

    threads: of the server.
    """

    threads: int = 1
    ranks: ClassVar[int] = 1
    depends_on: ClassVar[tuple[Any, ...]] = runtime.sources()

    def supported(self) -> str:
        """Why this cannot run here, or ""."""
        if importlib.util.find_spec("xllamacpp"):
            return ""
        return "llama.cpp is not installed: pip install 'steelyard[models]'"

    def open(self, work: Any, place: Any) -> Any:
        """A client of a new server. Raises MissingError for a model without a GGUF file, and for training."""
        model = find_model(work.model)
        if model is None or work.phase not in ("prefill", "decode", "serve"):
            raise MissingError(
                "llama.cpp runs GGUF files, and does not train.", "llm-runtime[phase=infer,model=smollm2]"
            )
        from steelyard.llm.server import serve

        slots = work.slots if work.phase == "serve" else work.batch
        lengths = [len(r.prompt) + r.new for r in work.trace.requests] if work.trace else [work.tokens + work.new]
        url = serve(path_of(model), max(lengths) + 8, self.threads, slots).url
        if work.phase == "serve":
            return Loaded(url, work.patience)
        ids, _ = work.batch_of(1000)
        return Completion(url, ids.tolist(), work.new)


@dataclass
class Completion:
    """A batch of prompts, sent at once; with `new` tokens to decode only the last token of each is computed again."""

    url: str
    prompts: list[list[int]]
    new: int

    def step(self) -> float:
        bodies = [body(prompt, self.new or 1, bool(self.new)) for prompt in self.prompts]
        with ThreadPoolExecutor(len(bodies)) as pool:
            list(pool.map(lambda sent: _post(self.url, sent), bodies))
        return float("nan")


@dataclass
class Loaded:
    """Clients of a server, each request in a thread of its own. patience: seconds after which they are given up."""

    url: str
    patience: float
    first: dict[str, float] = field(default_factory=dict)
    last: dict[str, float] = field(default_factory=dict)
    due: dict[str, float] = field(default_factory=dict)
    trouble: list[OSError] = field(default_factory=list)

    def serve(self, trace: Any) -> list[Any]:
        """See lab.runtime.traces. Raises what went wrong where no request was answered at all."""
        began = time.perf_counter()
        now = lambda: time.perf_counter() - began  # noqa: E731
        for kept in (self.first, self.last, self.due):
            kept.clear()
        todo = iter(trace.requests)
        lock = threading.Lock()

        def client() -> None:
            while now() < self.patience:
                with lock:
                    request = next(todo, None)
                if request is None:
                    return
                self._ask(request, now(), now)

        if trace.clients:
            threads = [threading.Thread(target=client, daemon=True) for _ in range(trace.clients)]
            for thread in threads:
                thread.start()
        else:
            threads = []
            for request in trace.requests:
                time.sleep(max(0.0, request.due - now()))
                threads.append(threading.Thread(target=self._ask, args=(request, request.due, now), daemon=True))
                threads[-1].start()
        for thread in threads:
            thread.join(max(0.0, self.patience - now()))
        if self.trouble and not self.last:
            raise self.trouble[0]
        return [reply(r, self.due.get(r.id, r.due), self.first.get(r.id), self.last.get(r.id)) for r in trace.requests]

    def _ask(self, request: Any, due: float, now: Any) -> None:
        self.due[request.id] = due
        sent = urllib.request.Request(
            f"{self.url}/completion", json.dumps(body(list(request.prompt), request.new, False) | {"stream": True}).encode(),
            {"Content-Type": "application/json"},
        )  # fmt: skip
        try:
            with _DIRECT.open(sent, timeout=self.patience) as answer:
                for line in answer:
                    if line.startswith(b"data: "):
                        self.first.setdefault(request.id, now())
            self.last[request.id] = now()
        except OSError as error:
            self.trouble.append(error)


def body(prompt: list[int], new: int, cached: bool) -> dict[str, Any]:
    """What /completion is asked: greedy decoding of exactly `new` tokens."""
    return {"prompt": prompt, "n_predict": new, "temperature": 0, "cache_prompt": cached, "ignore_eos": True}


def _post(url: str, sent: dict[str, Any]) -> None:
    request = urllib.request.Request(
        f"{url}/completion", json.dumps(sent).encode(), {"Content-Type": "application/json"}
    )
    with _DIRECT.open(request) as answer:
        answer.read()
