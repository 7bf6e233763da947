"""Calls a function in fresh processes that have PyTorch loaded: a crash, a flood of memory or a hang costs that call only."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import importlib
import importlib.util
import os
import pickle
import re
import resource
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from steelyard.core.errors import InputError, MissingError, SteelyardError
from steelyard.core.words import Status

PRELOADED = ("torch", "torch.distributed.fsdp", "transformers.models.llama.modeling_llama", "scipy.stats", "steelyard.lab.runtime.measuring")  # fmt: skip
START_S, GRACE_S, TAIL = 180.0, 20.0, 3000
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
class _Order:
    """What the nursery is asked for. call: the name of a function and pickled arguments. cpus: of each rank. memory: bytes of address
    space that each process may add; None for no limit. modules: name -> file of modules that cannot be imported by name."""

    call: bytes
    cpus: Sequence[Sequence[int]]
    memory: int | None
    timeout_s: float
    modules: dict[str, str]


def call(
    function: str, *args: Any, ranks: int = 1, threads: int = 1, memory: int | None = None,
    timeout_s: float = 120.0,
) -> list[Any]:  # fmt: skip
    """`function(place, *args)` in `ranks` new processes of `threads` cores each; what each of them returned.

    function: `module:name`, imported there. memory: bytes of address space that each may add to what it begins with, None for no limit.
    Raises DiedError when one crashes, runs out of memory or takes too long (then all are ended), a SteelyardError that
    one raised, MissingError for cores that are not here, InputError for arguments that cannot be sent there.
    """
    try:
        sent = pickle.dumps((function, args))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise InputError(f"{args[0]!r} cannot be sent to a process of its own: {error}.", "Put the class into a file, and name it file.py:Name.") from error  # fmt: skip
    cpus = _cpus(ranks * threads)
    shares = [cpus[r * threads : (r + 1) * threads] for r in range(ranks)]
    names = {type(a).__module__ for a in args}
    modules = {n: str(sys.modules[n].__file__) for n in names if importlib.util.find_spec(n) is None or n.startswith("steelyard_user_")}  # fmt: skip
    with _LOCK:
        answers = _nursery().ask(_Order(sent, shares, memory, timeout_s, modules))
    if isinstance(answers, Exception):
        raise answers
    return answers


def _cpus(count: int) -> list[int]:
    """The last `count` cores that this process may use, or, where it was pinned for a timing, its parent."""
    if not hasattr(os, "sched_getaffinity"):
        return []
    own = os.sched_getaffinity(0)
    if len(own) < count:
        with contextlib.suppress(OSError):
            own = own | os.sched_getaffinity(os.getppid())
    if len(own) < count:
        raise MissingError(f"{count} cores are needed, and {len(own)} are here.", "Take fewer threads or processes.")
    return sorted(own)[-count:]


class _Nursery:
    """The process that forks others; it imports and never computes, so that what it forks begins clean."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        argv = [sys.executable, "-c", f"from steelyard.lab.runtime.nursery import serve; serve({theirs.fileno()})"]
        path = os.pathsep.join(p or os.getcwd() for p in sys.path)
        environment = {
            "OMP_WAIT_POLICY": "PASSIVE",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            **os.environ,
            "PYTHONPATH": path,
        }
        self.child = subprocess.Popen(argv, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env=environment)
        theirs.close()
        self.connection = Connection(ours.detach())
        if not self.connection.poll(START_S):
            self.stop()
            raise DiedError(Status.TIMEOUT, f"PyTorch was not loaded within {START_S:g} s")
        self._take()

    def ask(self, order: _Order) -> Any:
        try:
            self.connection.send(order)
            if self.connection.poll(order.timeout_s + GRACE_S):
                return self._take()
            raise DiedError(Status.TIMEOUT, "the processes could not be ended in time")
        except BaseException:  # Ctrl-C too: what was asked for must not go on
            self.stop()
            raise

    def _take(self) -> Any:
        try:
            reply = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self.stop()
            raise DiedError(
                Status.FAILED, f"the process that starts others ended (code {self.child.returncode})"
            ) from None
        if isinstance(reply, MissingError):
            self.stop()
            raise reply
        return reply

    @property
    def alive(self) -> bool:
        return self.child.poll() is None and not self.connection.closed

    def stop(self) -> None:
        self.connection.close()
        self.child.kill()
        self.child.wait()


_LOCK = threading.Lock()
_KEPT: list[_Nursery] = []


def _nursery() -> _Nursery:
    if not _KEPT or not _KEPT[0].alive:
        _KEPT[:] = [_Nursery()]
    return _KEPT[0]


@atexit.register
def stop() -> None:
    """End the nursery of this process, if there is one; the next call starts another."""
    while _KEPT:
        _KEPT.pop().stop()


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
    connection.send("ready")
    while True:
        try:
            order = connection.recv()
        except (EOFError, ConnectionResetError):
            return
        connection.send(_raise(order))


def _raise(order: _Order) -> Any:
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
        said: dict[int, bytes] = {}
        trouble = _listen(pipes, said, time.monotonic() + order.timeout_s, ranks)
        for fd in pipes:
            os.close(fd)
        codes = [_end(pid, trouble) for pid in pids]
        log.seek(0)
        tail = log.read().decode(errors="replace")[-TAIL:]
    if trouble == "late":
        return DiedError(Status.TIMEOUT, f"no result within {order.timeout_s:g} s", tail)
    answers = []
    for rank in sorted(
        range(ranks), key=lambda r: r not in said
    ):  # one that says what happened before one that was ended
        who = f"rank {rank}: " if ranks > 1 else ""
        if rank not in said:
            how = signal.Signals(-codes[rank]).name if codes[rank] < 0 else f"code {codes[rank]}"
            more = "; SIGKILL mostly means: out of memory" if how == "SIGKILL" else ""
            return DiedError(Status.FAILED, f"{who}the process ended with {how}{more}", tail)
        kind, value = pickle.loads(said[rank])
        if kind == "ok":
            answers.append((rank, value))
        elif kind == "raised":
            return value
        else:
            return DiedError(Status.FAILED, f"{who}{kind}", f"{tail}\n{value}".strip())
    return [value for _, value in sorted(answers, key=lambda pair: pair[0])]


def _listen(pipes: dict[int, int], said: dict[int, bytes], deadline: float, ranks: int) -> str:
    """Fill `said` by rank. Returns "" when all have spoken, "late" at the deadline, "failed" when one has failed."""
    poll = select.poll()
    for fd in pipes:
        poll.register(fd, select.POLLIN)
    heard = dict.fromkeys(pipes, b"")
    while len(said) < ranks:
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
            if not heard[fd]:
                return "failed"
            said[pipes[fd]] = heard[fd]
            if pickle.loads(heard[fd])[0] != "ok":
                return "failed"
    return ""


def _end(pid: int, trouble: str) -> int:
    """The exit code of a rank; where there is trouble it is killed, unless it has ended by itself."""
    found, status = os.waitpid(pid, os.WNOHANG if trouble else 0)
    if found == 0:
        if trouble == "failed":
            time.sleep(0.05)  # of two that die together the cause may be the second one seen
            found, status = os.waitpid(pid, os.WNOHANG)
        if found == 0:
            os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def _child(order: _Order, place: Place, answer: int, log: int) -> None:
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


def _said(order: _Order, place: Place) -> bytes:
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
