"""Runs inside the jail, in the zygote: watches one program, keeps it within its limits and ends it.

Standard library only. `zygote` imports this file and explains the arrangement.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import time
from typing import Any

TICK_S = 0.03  # between looks at the memory of a running program
_room = bytearray(1 << 16)
_kills = [0]  # by the kernel for want of memory, when we last asked


class Watch:
    """Reads what one program writes until it ends, by itself or by us; nothing of it is left when `run` returns.

    Made before the fork: a page that is written to while a fork lives has to be copied.
    """

    def __init__(self, streams: tuple[int, int], mark: int, token: bytes, limits: dict[str, Any]) -> None:
        self.mark, self.token, self.limits = mark, token, limits
        self.kept = {fd: bytearray() for fd in streams}
        self.reply: dict[str, Any] = {"end": "", "truncated": False}
        self.closed: set[int] = set()
        self.poller = select.poll()
        for fd in (*streams, mark):
            os.set_blocking(fd, False)
            self.poller.register(fd, select.POLLIN)

    def run(self, pid: int, init: int, started: float) -> tuple[dict[str, Any], tuple[bytes, ...]]:
        """The reply, and what was kept of the streams. init: 0 where the program is not jailed."""
        reply, limits = self.reply, self.limits
        handle = os.pidfd_open(pid)
        self.poller.register(handle, select.POLLIN)
        ended, look = False, started + TICK_S
        while not reply["end"]:
            left = started + limits["wall_s"] - time.monotonic()
            if left <= 0:
                reply.update(end="timeout", waited=waited(pid))
                break
            for fd, _ in self.poller.poll(min(left, TICK_S) * 1000 + 1):
                if fd == handle:
                    ended = True
                elif fd == self.mark:
                    self.hear()
                else:
                    self.drain(fd, 16)
            if ended:
                self.hear()
                break
            most = limits["memory_bytes"]
            if not reply["end"] and time.monotonic() >= look:
                look = time.monotonic() + TICK_S
                if resident(pid, init, most) > most:
                    reply["end"] = "memory"
        os.close(handle)
        status, usage = kill(pid, init)
        for fd in self.kept:
            self.drain(fd, 64)
        reply["seconds"] = time.monotonic() - started
        reply["cpu_seconds"] = usage.ru_utime + usage.ru_stime
        if not reply["end"]:
            self.tell(os.waitstatus_to_exitcode(status))
        return reply, tuple(bytes(kept) for kept in self.kept.values())

    def tell(self, code: int) -> None:
        """How a program ended that we did not end: its exit code, or the signal -code."""
        reply, limits = self.reply, self.limits
        reply["code" if code >= 0 else "signal"] = abs(code)
        reply["end"] = "report" if "report" in reply else "exit" if code >= 0 else "signal"
        if code == -signal.SIGXCPU or (code == -signal.SIGKILL and reply["cpu_seconds"] > limits["cpu_s"] / 2):
            reply["end"] = "timeout"
        elif code == -signal.SIGKILL and out_of_memory():
            reply["end"] = "memory"

    def drain(self, fd: int, most: int) -> None:
        """Read a stream, up to `most` times; keep what there is room for and drop the rest."""
        kept = self.kept[fd]
        for _ in range(most):
            try:
                size = os.readv(fd, [_room])
            except BlockingIOError:
                return
            if not size:
                self.forget(fd)
                return
            free = self.limits["output_bytes"] - len(kept)
            kept += _room[: min(size, free)]
            self.reply["truncated"] |= size > free

    def hear(self) -> None:
        """Read the packets that tell of the end."""
        reply = self.reply
        while not reply["end"]:
            try:
                packet = os.read(self.mark, 4096)
            except BlockingIOError:
                return
            if not packet:
                self.forget(self.mark)
                return
            if packet == self.token:
                reply["end"] = "passed"
            elif packet.startswith(self.token):  # from our own steps before the program's
                reply.update(end="runner", message=packet[len(self.token) :].decode())
            elif packet.startswith(b"{"):  # anything else was written by the program for its own ends
                try:
                    reply["report"] = {str(key): str(value) for key, value in json.loads(packet).items()}
                except (ValueError, RecursionError):
                    continue
                if "last" in reply["report"]:
                    reply["end"] = "report"

    def forget(self, fd: int) -> None:
        if fd not in self.closed:
            self.closed.add(fd)
            self.poller.unregister(fd)


def kill(pid: int, init: int) -> tuple[int, resource.struct_rusage]:
    """Kill a program with all that it started, and wait until it is gone."""
    for victim in (init, pid) if init else (pid, *family(pid)):
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            pass
    _, status, usage = os.wait4(pid, 0)
    if init:
        os.waitpid(init, 0)
    while not init and (orphans := family(os.getpid())):  # not jailed: they are ours now
        for victim in orphans:
            try:
                os.kill(victim, signal.SIGKILL)
                os.waitpid(victim, 0)
            except (ProcessLookupError, ChildProcessError):
                pass
    return status, usage


def family(pid: int) -> list[int]:
    """The descendants of `pid`."""
    parents: dict[int, list[int]] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as file:
                parents.setdefault(int(file.read().rpartition(")")[2].split()[1]), []).append(int(name))
        except OSError:
            pass
    found: list[int] = []
    todo = [pid]
    while todo:
        children = parents.get(todo.pop(), [])
        found += children
        todo += children
    return found


def resident(pid: int, init: int, enough: int) -> int:
    """Memory of a program and all that it started (bytes): exact above `enough`, an upper bound below."""
    pids = {int(name) for name in os.listdir("/proc") if name.isdigit()} if init else {pid, *family(pid)}
    pids -= {os.getpid(), init} if init else set()
    quick = total(pids, "statm")
    return quick if quick <= enough else total(pids, "smaps_rollup")


def total(pids: set[int], table: str) -> int:
    """Memory by one table of /proc: `statm` is quick but counts shared pages once a process, `smaps_rollup` is exact."""
    total = 0
    for member in pids:
        try:
            with open(f"/proc/{member}/{table}") as file:
                if table == "statm":
                    total += int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
                else:
                    total += sum(int(line.split()[1]) for line in file if line.startswith("Pss:")) << 10
        except OSError:
            pass
    return total


def out_of_memory() -> bool:
    """Whether the kernel killed something for want of memory since we last asked."""
    with open("/proc/vmstat") as file:
        kills = next((int(line.split()[1]) for line in file if line.startswith("oom_kill ")), 0)
    before = _kills[0]
    _kills[0] = kills
    return kills > before


def waited(pid: int) -> float:
    """How long a program's main thread stood in line for a processor (seconds)."""
    try:
        with open(f"/proc/{pid}/schedstat") as file:
            return int(file.read().split()[1]) / 1e9
    except OSError:
        return 0.0
