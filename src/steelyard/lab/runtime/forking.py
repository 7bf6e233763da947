"""The nursery's own side: it imports PyTorch once, never computes, and forks the processes of each call clean."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import importlib.util
import os
import pickle
import re
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from steelyard.core.errors import MissingError, SteelyardError
from steelyard.core.words import Status

PRELOADED = ("torch", "torch.distributed.fsdp", "transformers.models.llama.modeling_llama", "scipy.stats", "steelyard.lab.runtime.measuring")  # fmt: skip
TAIL = 3000  # characters of what processes printed that are kept
_FULL = re.compile(r"not enough memory|can't allocate memory|out of memory|std::bad_alloc", re.IGNORECASE)


class DiedError(Exception):
    """A call that gave no value. status: failed or timeout. log: the end of what its processes printed."""

    def __init__(self, status: Status, what: str, log: str = "") -> None:
        super().__init__(what)
        self.status, self.what, self.log = status, what, log

    def __reduce__(self) -> tuple[Any, ...]:
        return DiedError, (self.status, self.what, self.log)


@dataclass(frozen=True)
class Place:
    """Where a call runs. rank: of `ranks` processes. store: a path at which they find each other. threads: of each."""

    rank: int = 0
    ranks: int = 1
    store: str = ""
    threads: int = 1


@dataclass(frozen=True)
class Order:
    """What the nursery is asked for.

    call: the name of a function and its arguments, pickled. cpus: of each rank. memory: bytes of address space that each
    process may add, None for no limit. modules: name -> file of modules that cannot be imported by name.
    """

    call: bytes
    cpus: Sequence[Sequence[int]]
    memory: int | None
    timeout_s: float
    modules: dict[str, str]


def serve(fd: int) -> None:
    """The nursery's own loop: an order in, the answers of its ranks out."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_parent()
    connection = Connection(fd)
    for name in PRELOADED:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            connection.send(
                MissingError(f"the library {error.name!r} is not installed.", "pip install 'steelyard[lab]'")
            )
            return
    gc.collect()
    gc.freeze()  # a collection in a child would look through all of PyTorch, and copy its pages
    connection.send("ready")
    while True:
        try:
            order = connection.recv()
        except (EOFError, ConnectionResetError):
            return
        connection.send(_raise(order))


def _raise(order: Order) -> Any:
    """Fork the ranks, gather what they say until all have or one has failed; end them all."""
    ranks = len(order.cpus)
    with tempfile.TemporaryDirectory(prefix="steelyard-") as folder, open(f"{folder}/log", "w+b", buffering=0) as log:
        pipes, pids = {}, []
        for rank in range(ranks):
            read, write = os.pipe()
            pid = os.fork()
            if pid == 0:
                _child(order, Place(rank, ranks, f"{folder}/store", max(1, len(order.cpus[rank]))), write, log.fileno())
            os.close(write)
            pipes[read] = rank
            pids.append(pid)
        said: dict[int, tuple[str, Any]] = {}
        trouble = _listen(pipes, said, time.monotonic() + order.timeout_s)
        for fd in pipes:
            os.close(fd)
        codes = _end(pids, trouble)
        log.seek(0)
        tail = log.read().decode(errors="replace")[-TAIL:]
    if trouble == "late":
        return DiedError(Status.TIMEOUT, f"no result within {order.timeout_s:g} s", tail)
    # first those that died, then those that say what happened, at last those that were ended because of them
    for rank in sorted(range(ranks), key=lambda r: (r in said or codes[r] is None, r not in said)):
        who = f"rank {rank}: " if ranks > 1 else ""
        if rank not in said:
            return DiedError(Status.FAILED, f"{who}the process ended with {_named(codes[rank])}", tail)
        kind, value = said[rank]
        if kind == "raised":
            return value
        if kind != "ok":
            return DiedError(Status.FAILED, f"{who}{kind}", f"{tail}\n{value}".strip())
    return [said[rank][1] for rank in range(ranks)]


def _listen(pipes: dict[int, int], said: dict[int, tuple[str, Any]], deadline: float) -> str:
    """Fill `said` by rank. Returns "" when all have spoken, "late" at the deadline, "failed" when one has failed."""
    poll = select.poll()
    for fd in pipes:
        poll.register(fd, select.POLLIN)
    heard = dict.fromkeys(pipes, b"")
    while len(said) < len(pipes):
        left = deadline - time.monotonic()
        ready = poll.poll(max(0.0, left) * 1000)
        if not ready:
            return "late"
        for fd, _ in ready:
            part = os.read(fd, 1 << 20)
            heard[fd] += part
            if part:
                continue
            poll.unregister(fd)
            try:
                said[pipes[fd]] = pickle.loads(heard[fd])
            except Exception:  # it ended before it had said all, or anything
                return "failed"
            if said[pipes[fd]][0] != "ok":
                return "failed"
    return ""


def _end(pids: Sequence[int], trouble: str) -> list[int | None]:
    """The exit code of each rank; where there is trouble those that go on are killed, and have none."""
    if trouble == "failed":
        time.sleep(0.05)  # a process that has closed its pipe needs a moment to be gone
    codes: list[int | None] = []
    for pid in pids:
        found, status = os.waitpid(pid, os.WNOHANG if trouble else 0)
        codes.append(os.waitstatus_to_exitcode(status) if found else None)
        if not found:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    return codes


def _named(code: int | None) -> str:
    if code is None or code >= 0:
        return f"code {code}"
    how = signal.Signals(-code).name
    return f"{how}; SIGKILL mostly means: out of memory" if how == "SIGKILL" else how


def _child(order: Order, place: Place, answer: int, log: int) -> None:
    """A rank: never returns."""
    code = 1
    try:
        _die_with_parent()
        os.dup2(log, 1)
        os.dup2(log, 2)
        if order.cpus[place.rank]:
            os.sched_setaffinity(0, order.cpus[place.rank])
        if order.memory is not None:
            held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (held + order.memory,) * 2)
        with os.fdopen(answer, "wb") as out:
            out.write(_said(order, place))
        code = 0
    finally:
        os._exit(code)


def _said(order: Order, place: Place) -> bytes:
    try:
        for name, file in order.modules.items():
            _load(name, file)
        function, args = pickle.loads(order.call)
        module, _, attribute = function.partition(":")
        return pickle.dumps(("ok", getattr(importlib.import_module(module), attribute)(place, *args)))
    except SteelyardError as error:
        return pickle.dumps(("raised", type(error)(error.what, error.cure)))
    except BaseException as error:
        said, where = f"{type(error).__name__}: {error}".splitlines()[0], traceback.format_exc()[-TAIL:]
        full = isinstance(error, MemoryError) or _FULL.search(str(error)) is not None
        return pickle.dumps((f"out of memory: {said}" if full else said, where))


def _load(name: str, file: str) -> None:
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is not None and spec.loader is not None:
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])


def _die_with_parent() -> None:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG, Linux
