"""The llama.cpp server in this process, on a loopback port: started at first use, kept, ended with the process."""

from __future__ import annotations

import atexit
import os
import socket
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from steelyard.core.errors import MissingError

_LOCK = threading.Lock()
_RUNNING: dict[tuple[str, int, int, int], Server] = {}


@dataclass
class Server:
    """A running server. url: its address, without a slash at the end."""

    url: str
    handle: Any = field(repr=False)


def serve(path: Path, context: int, threads: int | None = None, parallel: int = 2) -> Server:
    """The server of a GGUF file; one for each setting in a process.

    context: tokens of each of the `parallel` slots. Greedy decoding repeats exactly with parallel=1; with more slots
    the batch a token is computed in varies, and so may the last bits of its logits.
    Raises MissingError when xllamacpp is not installed or the model does not load.
    """
    threads = threads or max(1, len(os.sched_getaffinity(0)) - 1)  # a thread that waits for a core stalls the others
    key = (str(path), context, threads, parallel)
    with _LOCK:
        if key not in _RUNNING:
            _RUNNING[key] = _start(path, context, threads, parallel)
        return _RUNNING[key]


def stop_all() -> None:
    """Stop every server of this process."""
    with _LOCK:
        _RUNNING.clear()


atexit.register(stop_all)  # before the interpreter goes: a server thread must not outlive it


def _start(path: Path, context: int, threads: int, parallel: int) -> Server:
    try:
        import xllamacpp
    except ModuleNotFoundError as error:
        raise MissingError(
            "local models need xllamacpp, which is not installed.", "pip install 'steelyard[models]'"
        ) from error
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = context * parallel
    params.n_parallel = parallel
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads = threads
        cpu.poll = 0  # waiting threads sleep: spinning ones starve whatever else runs on a small machine
    params.hostnames = ["127.0.0.1"] if isinstance(params.hostnames, list) else params.hostnames
    params.port = _free_port()
    params.verbosity = -1
    params.warmup = False
    params.cache_prompt = True
    params.prefill_assistant = True
    try:
        handle = xllamacpp.Server(params)
    except (RuntimeError, ValueError, OSError) as error:
        raise MissingError(f"{path.name} does not load: {error}.", "steelyard models pull checks the file.") from error
    return Server(handle.listening_address.rstrip("/"), handle)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
