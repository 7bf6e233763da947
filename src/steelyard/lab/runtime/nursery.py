"""Calls a function in fresh processes that have PyTorch loaded: a crash, a flood of memory or a hang costs that call only."""

from __future__ import annotations

import atexit
import contextlib
import os
import pickle
import socket
import subprocess
import sys
import threading
from multiprocessing.connection import Connection
from typing import Any

from steelyard.core.errors import InputError, MissingError
from steelyard.core.words import Status
from steelyard.lab.runtime.forking import DiedError, Order, Place

__all__ = ["DiedError", "Place", "call", "stop"]

START_S, GRACE_S = 180.0, 20.0  # for PyTorch to be loaded, and for processes to be ended


def call(
    function: str, *args: Any, ranks: int = 1, threads: int = 1, memory: int | None = None,
    timeout_s: float = 120.0,
) -> list[Any]:  # fmt: skip
    """`function(place, *args)` in `ranks` new processes of `threads` cores each; what each of them returned.

    function: `module:name`, imported there. memory: bytes of address space that each may add to what it begins with,
    None for no limit.
    Raises DiedError when one crashes, runs out of memory or takes too long (then all are ended), a SteelyardError that
    one raised, MissingError for cores that are not here, InputError for arguments that cannot be sent there.
    """
    modules = {type(a).__module__: getattr(sys.modules[type(a).__module__], "__file__", "") for a in args}
    cure = "Put its class into a file, and name it file.py:Name."
    if "__main__" in modules:
        raise InputError(f"{args[0]!r} cannot be sent to a process of its own: its class is typed in.", cure)
    try:
        sent = pickle.dumps((function, args))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise InputError(f"{args[0]!r} cannot be sent to a process of its own: {error}.", cure) from error
    modules = {name: file for name, file in modules.items() if name.startswith("steelyard_user_")}
    cpus = _cpus(ranks * threads)
    shares = [cpus[r * threads : (r + 1) * threads] for r in range(ranks)]
    with _LOCK:
        answers = _nursery().ask(Order(sent, shares, memory, timeout_s, modules))
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
        argv = [sys.executable, "-c", f"from steelyard.lab.runtime.forking import serve; serve({theirs.fileno()})"]
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
        if isinstance(lacking := self._take(), MissingError):
            self.stop()
            raise lacking

    def ask(self, order: Order) -> Any:
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
