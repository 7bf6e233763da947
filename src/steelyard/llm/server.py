"""The llama.cpp server in this process, on a loopback port: started at first use, kept until it is stopped."""

from __future__ import annotations

import atexit
import importlib.util
import os
import threading
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from steelyard.core.errors import MissingError, unknown

CACHE_TYPES = ("f16", "bf16", "q8_0", "q4_1", "q4_0")  # of llama.cpp: blocks of 32 numbers with scales in 16 bits
_LOCK = threading.Lock()
_RUNNING: dict[tuple[str, int, int, int, str, str], Server] = {}


@dataclass
class Server:
    """A running server. url: its address, without a slash at the end."""

    url: str
    handle: Any = field(repr=False)


def serve(
    path: Path, context: int, threads: int | None = None, parallel: int = 2, cache_k: str = "f16", cache_v: str = "f16"
) -> Server:  # fmt: skip
    """The server of a GGUF file; one for each setting in a process.

    context: tokens of each of the `parallel` slots. Greedy decoding repeats exactly with parallel=1; with more slots
    the batch a token is computed in varies, and so may the last bits of its logits.
    cache_k, cache_v: how cached keys and values are stored; see CACHE_TYPES.
    Raises MissingError when xllamacpp is not installed or the model does not load, InputError for another cache type.
    """
    for kind in (cache_k, cache_v):
        if kind not in CACHE_TYPES:
            raise unknown("cache type", kind, CACHE_TYPES)
    threads = threads or max(1, len(os.sched_getaffinity(0)) - 1)  # a thread that waits for a core stalls the others
    key = (str(path), context, threads, parallel, cache_k, cache_v)
    with _LOCK:
        if key not in _RUNNING:
            _RUNNING[key] = _start(path, context, threads, parallel, cache_k, cache_v)
        return _RUNNING[key]


def require_engine() -> None:
    """Raises MissingError where llama.cpp is not installed."""
    if importlib.util.find_spec("xllamacpp") is None:
        raise MissingError("local models need xllamacpp, which is not installed.", "pip install 'steelyard[models]'")


def stop_all() -> None:
    """Stop every server of this process and free its memory; whoever holds a `Server` can start it again by `serve`."""
    with _LOCK:
        for server in _RUNNING.values():
            server.handle = None  # the last reference: llama.cpp ends its threads here
        _RUNNING.clear()


atexit.register(stop_all)  # before the interpreter goes: a server thread must not outlive it


def _start(path: Path, context: int, threads: int, parallel: int, cache_k: str, cache_v: str) -> Server:
    # OpenMP reads this once, when it is loaded: threads that spin while they wait starve the sandbox and one another
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    require_engine()
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.cache_type_k, params.cache_type_v = (
        getattr(xllamacpp.ggml_type, f"GGML_TYPE_{kind.upper()}") for kind in (cache_k, cache_v)
    )
    params.n_ctx = context * parallel
    params.n_parallel = parallel
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads = threads
        cpu.poll = 0  # the same for a build without OpenMP
    params.hostnames = ["127.0.0.1"]
    params.port = 0  # any free one
    params.verbosity = -1
    params.warmup = False
    params.ui = False
    params.cache_ram_mib = 0  # its default keeps up to 8 GiB of old prompts
    params.prefill_assistant = True
    try:
        handle = xllamacpp.Server(params)
    except (RuntimeError, ValueError, OSError) as error:
        raise MissingError(f"{path.name} does not load: {error}.", "steelyard models pull checks the file.") from error
    server = Server(handle.listening_address.rstrip("/"), handle)
    _await_loop(server.url)
    return server


def _await_loop(url: str) -> None:
    """Return when the server's own loop has answered: one that is stopped before its loop begins never ends."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy knows nothing of our loopback
    with direct.open(f"{url}/slots", timeout=120) as answer:
        answer.read()
