"""Where cells run on this machine: in this process or in worker processes. Both yield (cell, weight) as they end."""

from __future__ import annotations

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Sequence
from multiprocessing.connection import Connection

from steelyard.core.interfaces import Outcome
from steelyard.core.words import Status
from steelyard.weigh.plan import Cell
from steelyard.weigh.worker import Job, Weight, Worker

Done = tuple[Cell, Weight]


def inline(worker: Worker, cells: Sequence[Cell]) -> Generator[Done, None, None]:
    """In this process: for Python objects, and for debugging."""
    for cell in cells:
        yield cell, worker.run(cell.case.id, cell.contender, cell.trial, cell.output)


class _Process:
    """One worker process. It is started at the first cell and again after every death."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.child: subprocess.Popen[bytes] | None = None
        self.connection: Connection | None = None
        self.lock = threading.Lock()
        self.over = False

    def start(self) -> Connection:
        with self.lock:
            if self.over:  # its thread was about to begin a cell when the run was stopped
                raise EOFError
            return self._start()

    def _start(self) -> Connection:
        ours, theirs = socket.socketpair()
        # not `-m`: its classes would be those of __main__, which this process cannot unpickle
        argv = [sys.executable, "-c", f"from steelyard.weigh.worker import serve; serve({theirs.fileno()})"]
        self.child = subprocess.Popen(
            argv, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True, env=environment()
        )
        theirs.close()
        self.connection = Connection(ours.detach())
        self.connection.send(self.job)
        return self.connection

    def run(self, cell: Cell, timeout_s: float) -> Weight:
        """One cell; a hang becomes `timeout`, a death `failed`, and both cost the process, not the run.

        The clock starts when the process is up and has its benchmark.
        """
        started, begin = time.time(), time.perf_counter()
        try:
            if self.connection is None:
                _answer(self.start())
            connection = self.connection
            if connection is None:  # stopped meanwhile
                raise EOFError
            started, begin = time.time(), time.perf_counter()
            connection.send((cell.case.id, cell.contender, cell.trial, cell.output))
            if connection.poll(timeout_s):
                reply = _answer(connection)
                assert isinstance(reply, Weight)
                return reply
            outcome = too_slow(timeout_s)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            outcome = Outcome({}, Status.FAILED, _death(self.child.wait() if self.child else 0))
        self.stop()
        return Weight(outcome, time.perf_counter() - begin, started)

    def end(self) -> None:
        """Stop for good."""
        with self.lock:
            self.over = True
            self.stop()

    def stop(self) -> None:
        if self.connection is not None:
            self.connection.close()
        if self.child is not None:
            try:
                os.killpg(self.child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.child.wait()
        self.child = self.connection = None


def _answer(connection: Connection) -> object:
    """What a worker process says next; its SteelyardError is raised here."""
    reply = connection.recv()
    if isinstance(reply, Exception):
        raise reply
    return reply


def processes(jobs: Sequence[Job], cells: Sequence[Cell], timeout_s: float) -> Generator[Done, None, None]:
    """In `len(jobs)` local processes; with one job the cells keep their order exactly."""
    todo: queue.SimpleQueue[Cell | None] = queue.SimpleQueue()
    done: queue.SimpleQueue[Done | BaseException] = queue.SimpleQueue()
    for cell in [*cells, *[None] * len(jobs)]:
        todo.put(cell)
    stopping = threading.Event()
    workers = [_Process(job) for job in jobs]

    def drive(process: _Process) -> None:
        try:
            while (cell := todo.get()) is not None and not stopping.is_set():
                done.put((cell, process.run(cell, timeout_s)))
        except BaseException as error:
            done.put(error)

    threads = [threading.Thread(target=drive, args=(w,), daemon=True) for w in workers]
    for thread in threads:
        thread.start()
    try:
        for _ in cells:
            item = done.get()
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopping.set()
        for worker in workers:
            worker.end()


def environment() -> dict[str, str]:
    """A worker finds the package and the user's modules where this process does, and its threads do not spin."""
    path = os.pathsep.join(p or os.getcwd() for p in sys.path)
    return {"OMP_WAIT_POLICY": "PASSIVE", **os.environ, "PYTHONPATH": path}


def too_slow(timeout_s: float) -> Outcome:
    """What a cell that hangs amounts to."""
    return Outcome({}, Status.TIMEOUT, f"no result within {timeout_s:g} s (--cell-timeout)")


def _death(code: int) -> str:
    if code >= 0:
        return f"the process of the contender ended by itself (exit code {code})"
    try:
        return f"crashed: {signal.Signals(-code).name}"
    except ValueError:
        return f"crashed: signal {-code}"
