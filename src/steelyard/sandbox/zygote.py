"""Runs inside the jail: waits warm for programs, forks one process for each, watches it and says how it ended.

Standard library only: nothing else is here. What keeps a program from forging success, its tests being in its own process:

- Success is a packet with 32 random bytes, written to a pipe by the step that follows the last statement of the tests. Another
  process (this one) reads it; a program cannot signal, trace or read this one: it runs in a pid namespace of its own, without
  capabilities, and as another user where the jail has two.
- The steps (run the candidate, run the tests with builtins of their own, write the token) are C functions called by a C loop at the
  very bottom of a thread that forked: there is no Python frame below the candidate, so frames lead nowhere. The objects that
  hold the token and the tests are off the garbage collector's lists, so `gc` does not lead to them either.
- Files under /tmp cannot be mapped executable, /proc/self/mem cannot be opened, trace functions (which may jump over an assert)
  are refused. Whatever else ends the process, from sys.exit to a kill, leaves no token and is no success.

What remains, since Python has no walls inside a process: native code by way of `ctypes` or a crafted code object can read the
token from memory; and a function under test can look at its caller's frame, whose constants include the expected value, rebind
a global name that a later assert uses, or return an object that is equal to everything.
"""

import _thread
import builtins
import collections
import ctypes
import functools
import gc
import importlib
import json
import operator
import os
import select
import signal
import site
import struct
import sys
import time
import types

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import inmate

NEW_PID, SHARE_MEMORY, DETACH = 0x20000000, 0x00000100, 2
TICK_S = 0.03  # between looks at the memory of a running program


class Zygote:
    """One at a time, programs come in on a socket and their ends go out."""

    def __init__(self, channel: int) -> None:
        self.channel = channel
        self.jail, blobs = self.receive()
        self.jail["filter"] = blobs[0]
        self.mounted: tuple[int, int] | None = None
        # pid 1 of a program's namespace shares our memory and waits on this stack
        self.stack = ctypes.create_string_buffer(1 << 16)
        site.setquit()
        site.setcopyright()
        site.sethelper()
        for name in self.jail["preload"]:
            importlib.import_module(name)
        sys.path[0] = self.jail["tmp"]
        sys.path += self.jail["packages"]
        del sys.modules["inmate"]
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.environ.pop("LD_BIND_NOW", None)
        inmate.prepare(self.jail)
        if self.jail["keep"]:
            self.clean(self.jail["tmp_bytes"], True)
        self.kills = 0
        self.out_of_memory()
        self.answer({"ready": sys.version})

    # The channel: a 4-byte length, a JSON header whose "sizes" are those of the blobs that follow.
    def receive(self) -> "tuple[dict, list]":
        header = json.loads(self.take(struct.unpack(">I", self.take(4))[0]))
        return header, [self.take(size) for size in header.pop("sizes")]

    def take(self, size: int) -> bytes:
        taken = bytearray()
        while len(taken) < size:
            part = os.read(self.channel, min(size - len(taken), 1 << 20))
            if not part:
                os._exit(0)  # nobody wants us any more
            taken += part
        return bytes(taken)

    def answer(self, header: dict, blobs: tuple = ()) -> None:
        head = json.dumps(header | {"sizes": [len(blob) for blob in blobs]}).encode()
        rest = memoryview(b"".join([struct.pack(">I", len(head)), head, *blobs]))
        while rest:
            rest = rest[os.write(self.channel, rest) :]

    def serve(self) -> None:
        pristine = dict(vars(builtins))  # for the tests, whatever the candidate did to the builtins it sees
        inmate.untrack(pristine)
        gc.freeze()  # what is here now stays where it is in every child
        while True:
            request, blobs = self.receive()
            try:
                reply, streams = self.program(request, blobs, pristine)
            except Exception as error:
                reply, streams = {"end": "runner", "message": f"{type(error).__name__}: {error}"}, (b"", b"")
            self.answer(reply, streams)

    def clean(self, size: int, executable: bool) -> None:
        """An empty /tmp of `size` bytes."""
        tmp = self.jail["tmp"]
        if not self.jail["jailed"]:
            import shutil

            for entry in list(os.scandir(tmp)):
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    os.unlink(entry.path)
            return
        if self.mounted == (size, executable) and not os.listdir(tmp):
            return
        if self.mounted:
            inmate.must(inmate.libc.umount2(tmp.encode(), DETACH), "umount /tmp")
        flags = inmate.HARDENED if not executable else inmate.HARDENED & ~8
        options = f"size={size},nr_inodes={max(1024, size >> 14)},mode=1777".encode()
        inmate.must(inmate.libc.mount(b"tmp", tmp.encode(), b"tmpfs", flags, options), "mount /tmp")
        self.mounted = size, executable

    def program(self, request: dict, blobs: list, pristine: dict) -> "tuple[dict, tuple]":
        """Run one program to its end: the reply and (stdout, stderr)."""
        limits, kind = request["limits"], request["kind"]
        if not self.jail["keep"] and request["clean"]:
            self.clean(limits["tmp_bytes"], kind == "command")
        mark, mark_in = os.pipe2(os.O_DIRECT | os.O_CLOEXEC)  # packets, not a stream
        (out, out_in), (err, err_in) = os.pipe(), os.pipe()
        stdin = os.memfd_create("stdin")
        opened = [mark, mark_in, out, out_in, err, err_in, stdin]
        try:
            with open(stdin, "wb", closefd=False) as file:
                file.write(blobs.pop(0))
            os.lseek(stdin, 0, os.SEEK_SET)
            token = os.urandom(32)
            module = types.ModuleType("__main__" if kind == "run" else "candidate")
            space = vars(module)
            space["__builtins__"] = builtins
            if kind == "check":
                candidate, tests = (blob.decode("utf-8", "surrogatepass") for blob in blobs)
                blobs.clear()
                actions = [
                    (exec, candidate, space),
                    (space.__setitem__, "__builtins__", pristine),
                    (exec, compile(tests, "<tests>", "exec"), space),
                    (exec, inmate.FLUSH, {"streams": (sys.stdout, sys.stderr), "BaseException": BaseException}),
                    (os.write, mark_in, token),
                    (os._exit, 0),
                ]
                del tests
            else:
                actions = [(inmate.act, kind, mark_in, request, blobs, space)]
            box: list = []
            ready = _thread.allocate_lock()
            ready.acquire()
            enter = (
                self.enter,
                kind,
                inmate.bounds(self.jail, kind, limits),
                (stdin, out_in, err_in, mark_in),
                box,
                ready,
                module,
                token,
            )
            steps = iter(collections.deque(functools.partial(*step) for step in (enter, *actions)))
            arguments = (map(operator.call, steps), 0)  # deque(steps, 0) takes each step and keeps none
            inmate.hide(arguments, space, pristine)
            started = time.monotonic()
            _thread.start_new_thread(collections.deque, arguments)
            del arguments, steps, actions
            ready.acquire()
            for fd in (stdin, out_in, err_in, mark_in):
                os.close(fd)
                opened.remove(fd)
            if isinstance(box[0], BaseException):
                raise box[0]
            try:
                return self.watch(box[0], box[1], (out, err), mark, token, limits, started)
            except BaseException:
                sys.excepthook(*sys.exc_info())
                os._exit(1)  # whatever went wrong here, the program does not go on: it ends with the jail
        finally:
            for fd in opened:
                os.close(fd)

    def enter(
        self, kind: str, limits: list, fds: tuple, box: list, ready: "_thread.LockType", module: object, token: bytes
    ) -> None:
        """First step, in the new thread: fork, and return in the child only, stripped and limited."""
        try:
            init = 0
            if self.jail["jailed"]:
                inmate.must(inmate.libc.unshare(NEW_PID), "unshare")
                # The namespace's first process only waits: when it is killed, the kernel kills all that the program started.
                top = ctypes.c_void_p((ctypes.addressof(self.stack) + len(self.stack)) & ~63)
                wait = ctypes.cast(inmate.libc.pause, ctypes.c_void_p)
                init = inmate.must(inmate.libc.clone(wait, top, SHARE_MEMORY | signal.SIGCHLD, None), "clone")
            pid = os.fork()
            if pid:
                box += [pid, init]
        except BaseException as error:
            box += [error]
        if box:
            ready.release()
            raise SystemExit  # ends this thread, silently
        try:
            inmate.strip(self.jail, kind, limits, fds)
            sys.modules["__main__"] = types.ModuleType("__main__")
            sys.modules[module.__name__] = module
            if kind == "check":
                inmate.guard(fds[3])
        except BaseException as error:
            os.write(fds[3], token + f"{type(error).__name__}: {error}".encode()[:1000])
            os._exit(1)

    def watch(
        self, pid: int, init: int, streams: tuple, mark: int, token: bytes, limits: dict, started: float
    ) -> "tuple[dict, tuple]":
        """Read what the program writes until it ends, by itself or by us; nothing of it is left when this returns."""
        kept = {fd: bytearray() for fd in streams}
        reply: dict = {"end": "", "truncated": False}
        handle = os.pidfd_open(pid)
        poller = select.poll()
        for fd in (*streams, mark, handle):
            if fd != handle:
                os.set_blocking(fd, False)
            poller.register(fd, select.POLLIN)
        room = bytearray(1 << 16)
        closed: set[int] = set()

        def forget(fd: int) -> None:
            if fd not in closed:
                closed.add(fd)
                poller.unregister(fd)

        def drain(fd: int, most: int) -> None:
            for _ in range(most):
                try:
                    size = os.readv(fd, [room])
                except BlockingIOError:
                    return None
                if not size:
                    return forget(fd)
                free = limits["output_bytes"] - len(kept[fd])
                kept[fd] += room[: min(size, free)]
                reply["truncated"] |= size > free

        def hear() -> None:
            while not reply["end"]:
                try:
                    packet = os.read(mark, 4096)
                except BlockingIOError:
                    return None
                if not packet:
                    return forget(mark)
                if packet == token:
                    reply["end"] = "passed"
                elif packet.startswith(token):  # from our own steps before the program's
                    reply.update(end="runner", message=packet[len(token) :].decode())
                elif packet.startswith(b"{"):  # anything else was written by the program for its own ends
                    try:
                        reply["report"] = {str(key): str(value) for key, value in json.loads(packet).items()}
                    except (ValueError, RecursionError):
                        continue
                    if "last" in reply["report"]:
                        reply["end"] = "report"

        ended, look = False, started + TICK_S
        while not reply["end"]:
            left = started + limits["wall_s"] - time.monotonic()
            if left <= 0:
                reply.update(end="timeout", waited=self.waited(pid))
                break
            for fd, _ in poller.poll(min(left, TICK_S) * 1000 + 1):
                if fd == handle:
                    ended = True
                elif fd == mark:
                    hear()
                else:
                    drain(fd, 16)
            if ended:
                hear()
                break
            most = limits["memory_bytes"]
            if not reply["end"] and time.monotonic() >= look:
                look = time.monotonic() + TICK_S
                if self.resident(pid, init, most) > most:
                    reply["end"] = "memory"
        os.close(handle)
        status, usage = self.kill(pid, init)
        for fd in streams:
            drain(fd, 64)
        reply["seconds"] = time.monotonic() - started
        reply["cpu_seconds"] = usage.ru_utime + usage.ru_stime
        code = os.waitstatus_to_exitcode(status)
        if not reply["end"]:
            reply["code" if code >= 0 else "signal"] = abs(code)
            reply["end"] = "report" if "report" in reply else "exit" if code >= 0 else "signal"
            if code == -signal.SIGKILL and reply["cpu_seconds"] >= limits["cpu_s"] - 0.1:
                reply["end"] = "timeout"
            elif code == -signal.SIGKILL and self.out_of_memory():
                reply["end"] = "memory"
        return reply, tuple(bytes(kept[fd]) for fd in streams)

    def kill(self, pid: int, init: int) -> "tuple[int, object]":
        """Kill a program with all that it started, and wait until it is gone."""
        for victim in (init, pid) if init else (pid, *self.family(pid)):
            try:
                os.kill(victim, signal.SIGKILL)
            except ProcessLookupError:
                pass
        _, status, usage = os.wait4(pid, 0)
        if init:
            os.waitpid(init, 0)
        while not init and (orphans := self.family(os.getpid())):  # not jailed: they are ours now
            for victim in orphans:
                try:
                    os.kill(victim, signal.SIGKILL)
                    os.waitpid(victim, 0)
                except (ProcessLookupError, ChildProcessError):
                    pass
        return status, usage

    def family(self, pid: int) -> "list[int]":
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

    def resident(self, pid: int, init: int, enough: int) -> int:
        """Memory of a program and all that it started (bytes): exact above `enough`, an upper bound below."""
        pids = {int(name) for name in os.listdir("/proc") if name.isdigit()} if init else {pid, *self.family(pid)}
        pids -= {os.getpid(), init} if init else set()
        quick = self.total(pids, "statm")
        return quick if quick <= enough else self.total(pids, "smaps_rollup")

    def total(self, pids: "set[int]", table: str) -> int:
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

    def out_of_memory(self) -> bool:
        """Whether the kernel killed something for want of memory since we last asked."""
        with open("/proc/vmstat") as file:
            kills = next((int(line.split()[1]) for line in file if line.startswith("oom_kill ")), 0)
        before, self.kills = self.kills, kills
        return kills > before

    def waited(self, pid: int) -> float:
        """How long a program's main thread stood in line for a processor (seconds)."""
        try:
            with open(f"/proc/{pid}/schedstat") as file:
                return int(file.read().split()[1]) / 1e9
        except OSError:
            return 0.0


if __name__ == "__main__":
    Zygote(int(sys.argv[1])).serve()
