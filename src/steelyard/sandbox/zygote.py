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

from __future__ import annotations

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
import signal
import site
import struct
import sys
import time
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from steelyard.sandbox import inmate, watcher
else:  # beside this file, not in a package: the jail has no package
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import inmate
    import watcher

NEW_PID, SHARE_MEMORY, DETACH = 0x20000000, 0x00000100, 2
STACK = 16 << 20  # bytes, of the thread that becomes a program's main thread


class Zygote:
    """One at a time, programs come in on a socket and their ends go out."""

    def __init__(self, channel: int) -> None:
        self.channel = channel
        self.jail, blobs = self.receive()
        self.jail["filter"] = blobs[0]
        self.mounted: tuple[int, int] | None = None
        self.bounds: tuple[str, dict[str, Any], list[Any]] = "", {}, []
        # the first process of a program's namespace shares our memory and waits on this stack
        self.stack = ctypes.create_string_buffer(1 << 14)
        self.top = ctypes.c_void_p((ctypes.addressof(self.stack) + len(self.stack)) & ~63)
        self.wait = ctypes.cast(inmate.libc.pause, ctypes.c_void_p)
        self.namespace = os.open("/proc/self/ns/pid", os.O_RDONLY)
        site.setquit()
        site.setcopyright()
        site.sethelper()
        for name in self.jail["preload"]:
            importlib.import_module(name)
        sys.path[0] = self.jail["tmp"]
        sys.path += self.jail["packages"]
        for name in self.jail["preload_packages"]:
            importlib.import_module(name)
        del sys.modules["inmate"], sys.modules["watcher"]
        self.jail["processors"] = os.sched_getaffinity(0)
        if self.jail["processor"] is not None:
            os.sched_setaffinity(0, {self.jail["processor"]})
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.environ.pop("LD_BIND_NOW", None)
        inmate.prepare(self.jail)
        if self.jail["keep"]:
            self.clean(self.jail["tmp_bytes"], True)
        watcher.out_of_memory()
        self.answer({"ready": sys.version})

    # The channel: a 4-byte length, a JSON header whose "sizes" are those of the blobs that follow.
    def receive(self) -> tuple[dict[str, Any], list[Any]]:
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

    def answer(self, header: dict[str, Any], blobs: tuple[Any, ...] = ()) -> None:
        head = json.dumps(header | {"sizes": [len(blob) for blob in blobs]}).encode()
        rest = memoryview(b"".join([struct.pack(">I", len(head)), head, *blobs]))
        while rest:
            rest = rest[os.write(self.channel, rest) :]

    def serve(self) -> None:
        """Start the thread that does everything: at its bottom a C loop takes steps from `self.todo`; each step adds the next."""
        self.pristine = dict(vars(builtins))  # for the tests, whatever the candidate did to the builtins it sees
        self.todo: collections.deque[Any] = collections.deque([self.cycle])
        take = self.todo.popleft
        steps = iter(take, None)
        ctypes.pythonapi.Py_IncRef(
            ctypes.py_object(steps)
        )  # its deallocator, alone here, does not bear to be untracked
        arguments = map(operator.call, steps), 0  # deque(steps, 0) takes each step and keeps none
        inmate.hide(arguments)
        for hidden in (steps, take, self.todo, self.pristine):
            inmate.untrack(hidden)
        gc.collect()
        inmate.libc.malloc_trim(0)
        gc.freeze()  # what is here now stays where it is in every child
        _thread.stack_size(STACK)
        _thread.start_new_thread(collections.deque, arguments)
        del arguments, steps, take
        forever = _thread.allocate_lock()
        forever.acquire()
        forever.acquire()

    def cycle(self) -> None:
        """Take one request and answer it; or, in the process forked for it, line up its steps and return to the loop."""
        request, blobs = self.receive()
        try:
            answer = self.program(request, blobs)
        except Exception as error:
            answer = {"end": "runner", "message": f"{type(error).__name__}: {error}"}, (b"", b"")
        if answer:
            self.answer(*answer)
            self.todo.append(self.cycle)

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

    def program(self, request: dict[str, Any], blobs: list[Any]) -> tuple[dict[str, Any], tuple[Any, ...]] | None:
        """Run one program to its end: the reply and (stdout, stderr). None in the program's own process."""
        limits, kind = request["limits"], request["kind"]
        if not self.jail["keep"] and request["clean"]:
            self.clean(limits["tmp_bytes"], kind == "command")
        if self.bounds[:2] != (kind, limits):
            self.bounds = kind, limits, inmate.bounds(self.jail, kind, limits)
        mark, mark_in = os.pipe2(os.O_DIRECT | os.O_CLOEXEC)  # packets, not a stream
        (out, out_in), (err, err_in) = os.pipe(), os.pipe()
        opened = [mark, mark_in, out, out_in, err, err_in]
        try:
            stdin = self.stdin(blobs.pop(0))
            opened.append(stdin)
            token = os.urandom(32)
            module = types.ModuleType("__main__" if kind == "run" else "candidate")
            steps = self.steps(request, blobs, module, mark_in, token)
            watch = watcher.Watch((out, err), mark, token, limits)
            started = time.monotonic()
            pid, init = self.fork()
            if not pid:
                opened.clear()
                self.enter(kind, (stdin, out_in, err_in, mark_in), module, token)
                self.todo.extend(steps)
                del self.todo, self.pristine  # from here on only the loop knows them
                return None
            try:
                return watch.run(pid, init, started)
            except BaseException:
                sys.excepthook(*sys.exc_info())
                os._exit(1)  # whatever went wrong here, the program does not go on: it ends with the jail
        finally:
            for fd in opened:
                os.close(fd)

    def stdin(self, text: bytes) -> int:
        """A file to read `text` from, as a descriptor."""
        if not text:
            return os.open("/dev/null", os.O_RDONLY)
        fd = os.memfd_create("stdin")
        with open(fd, "wb", closefd=False) as file:
            file.write(text)
        os.lseek(fd, 0, os.SEEK_SET)
        return fd

    def steps(
        self, request: dict[str, Any], blobs: list[Any], module: types.ModuleType, mark: int, token: bytes
    ) -> list[Any]:
        """What a program's process does once it is stripped; hidden."""
        space = vars(module)
        space["__builtins__"] = builtins
        if request["kind"] != "check":
            return [functools.partial(inmate.act, request["kind"], mark, request, blobs, space)]
        candidate, tests = (blob.decode("utf-8", "surrogatepass") for blob in blobs)
        blobs.clear()
        steps: list[Any] = [
            functools.partial(exec, candidate, space),
            functools.partial(space.__setitem__, "__builtins__", self.pristine),
            functools.partial(exec, compile(tests, "<tests>", "exec"), space),
            functools.partial(
                exec, inmate.FLUSH, {"streams": (sys.stdout, sys.stderr), "BaseException": BaseException}
            ),
            functools.partial(os.write, mark, token),
            functools.partial(os._exit, 0),
        ]
        inmate.hide(steps, space, self.pristine)
        return steps

    def fork(self) -> tuple[int, int]:
        """Fork into a pid namespace of its own: the child's pid, 0 in the child, and that of the namespace's first process."""
        if not self.jail["jailed"]:
            return os.fork(), 0
        inmate.must(inmate.libc.setns(self.namespace, NEW_PID), "setns")  # out of the last program's
        inmate.must(inmate.libc.unshare(NEW_PID), "unshare")
        # The namespace's first process only waits: when it is killed, the kernel kills all that the program started.
        init = inmate.must(inmate.libc.clone(self.wait, self.top, SHARE_MEMORY | signal.SIGCHLD, None), "clone")
        try:
            return os.fork(), init
        except OSError:
            os.kill(init, signal.SIGKILL)
            os.waitpid(init, 0)
            raise

    def enter(self, kind: str, fds: tuple[int, ...], module: types.ModuleType, token: bytes) -> None:
        """In the child: give up everything but what the program may have."""
        try:
            inmate.strip(self.jail, kind, self.bounds[2], fds)
            sys.modules["__main__"] = types.ModuleType("__main__")
            sys.modules[module.__name__] = module
            if kind == "check":
                inmate.guard(fds[3])
        except BaseException as error:
            os.write(fds[3], token + f"{type(error).__name__}: {error}".encode()[:1000])
            os._exit(1)


if __name__ == "__main__":
    Zygote(int(sys.argv[1])).serve()
