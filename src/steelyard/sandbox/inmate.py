"""Runs inside the jail, in the forked process of one program: gives up every right, then does what was asked.

Standard library only. `zygote` imports this file and explains the arrangement.
"""

from __future__ import annotations

import atexit
import collections
import ctypes
import functools
import gc
import json
import os
import resource
import signal
import stat
import struct
import sys
import types
from typing import Any

NEW_MOUNT, PRIVATE, HARDENED = (
    0x00020000,
    (1 << 14) | (1 << 18),
    2 | 4 | 8,
)  # MS_REC | MS_PRIVATE; nosuid, nodev, noexec
FLUSH = compile("for s in streams:\n try: s.flush()\n except BaseException: pass", "<flush>", "exec")

libc = ctypes.CDLL(None, use_errno=True)
libc.capset.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
untrack = ctypes.pythonapi.PyObject_GC_UnTrack
untrack.argtypes, untrack.restype = [ctypes.py_object], None


def must(result: int, what: str) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")
    return result


def prctl(option: int, first: int, second: int = 0) -> None:
    must(libc.prctl(option, first, second, 0, 0), f"prctl {option}")


def hide(root: object, *keep: object) -> None:
    """Take `root` and the containers below it off the collector's lists, except those in `keep`."""
    # these types may be untracked: their deallocators ask before they leave the collector's lists
    kinds: tuple[type, ...] = (
        tuple,
        list,
        dict,
        frozenset,
        map,
        functools.partial,
        collections.deque,
        type(iter(collections.deque())),
    )
    todo, kept = [root], {id(thing) for thing in keep}
    while todo:
        thing = todo.pop()
        if id(thing) in kept:
            continue
        if type(thing) is types.CodeType:  # not on the lists itself, but its constants are
            todo += [thing.co_consts, thing.co_names]
        elif type(thing) in kinds:
            kept.add(id(thing))
            todo += gc.get_referents(thing)
            if gc.is_tracked(thing):
                untrack(thing)


def refuse_tracing(event: str, arguments: object) -> None:
    if event == "sys.settrace" or event == "sys.setprofile":
        raise RuntimeError("tracing is off while a program is checked")


def prepare(jail: dict[str, Any]) -> None:
    """Before the first program: what every forked process inherits. Each page left alone after a fork saves microseconds."""
    prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: orphans of a program come here
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")  # if the machine runs out of memory all the same, a program goes first
    prctl(4, 0)  # PR_SET_DUMPABLE: nobody reads this process nor a fork of it, not even through its own /proc/self/mem
    if not jail["jailed"]:
        return
    if libc.prctl(39, 0, 0, 0, 0) != 1:  # PR_GET_NO_NEW_PRIVS
        raise OSError("bubblewrap did not take away the right to gain privileges")
    if os.getuid() == 0:
        os.setgroups([])
        os.setresgid(jail["user"], jail["user"], jail["user"])
    rules = jail["filter"]
    code = ctypes.create_string_buffer(rules, len(rules))
    fprog = struct.pack("@HP", len(rules) // 8, ctypes.addressof(code))  # struct sock_fprog
    header = struct.pack("=Ii", 0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    jail["buffers"] = code, ctypes.create_string_buffer(fprog, len(fprog)), ctypes.create_string_buffer(header, 8)
    jail["rules"], jail["capabilities"] = (ctypes.addressof(buffer) for buffer in jail["buffers"][1:])


def bounds(jail: dict[str, Any], kind: str, limits: dict[str, Any]) -> list[Any]:
    """The arguments of setrlimit for one program."""
    values = {
        resource.RLIMIT_CPU: limits["cpu_s"],
        resource.RLIMIT_FSIZE: limits["file_bytes"],
        resource.RLIMIT_NOFILE: limits["open_files"],
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 1 << 16,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    if kind in (
        "check",
        "run",
    ):  # virtual machines of other languages reserve far more than they use: those are watched
        values[resource.RLIMIT_AS] = limits["memory_bytes"]
    if jail["jailed"]:
        ours = 0 if os.getuid() == 0 else 3  # the zygote's threads and the first process count where all are one user
        values[resource.RLIMIT_NPROC] = limits["processes"] + ours
    pairs = []
    for what, value in values.items():
        hard = resource.getrlimit(what)[1]
        most = value + (
            what == resource.RLIMIT_CPU
        )  # SIGXCPU tells what happened; who ignores it is killed a second later
        if hard != resource.RLIM_INFINITY:
            value, most = min(value, hard), min(most, hard)
        pairs.append((what, (value, most)))
    return pairs


def strip(jail: dict[str, Any], kind: str, limits: list[Any], fds: tuple[Any, ...]) -> None:
    """Leave this process with three streams, the pipe for its end, its limits, and nothing else."""
    os.setsid()
    os.sched_setaffinity(0, jail["processors"])
    for number in range(3):
        os.dup2(fds[number], number)
    if kind == "resident":
        os.dup2(jail["line"], 3)
    os.closerange(4 if kind == "resident" else 3, fds[3])
    os.closerange(fds[3] + 1, 1 << 20)
    for pair in limits:
        resource.setrlimit(*pair)
    if not jail["jailed"]:
        os.chdir(jail["tmp"])
        return
    if kind in ("command", "resident"):
        must(libc.unshare(NEW_MOUNT), "unshare")
        must(libc.mount(None, b"/", None, PRIVATE, None), "mount /")
        if kind == "command":
            must(libc.mount(b"proc", b"/proc", b"proc", HARDENED, None), "mount /proc")
        else:  # programs share its process with our runner: nobody opens its memory or its descriptors there
            must(libc.mount(b"none", b"/proc", b"tmpfs", HARDENED | 1, b"size=4k"), "mount /proc")  # 1: MS_RDONLY
    os.setresuid(jail["user"], jail["user"], jail["user"])
    os.chdir(jail["tmp"])
    must(libc.capset(jail["capabilities"], bytes(24)), "capset")  # the ambient ones go with the permitted
    prctl(4, 0)  # a change of user may have made it readable again
    prctl(22, 2, jail["rules"])  # PR_SET_SECCOMP, a filter


def guard(mark: int) -> None:
    """What a checked program must not change, and how its failure is told."""
    sys.unraisablehook = functools.partial(last_words, mark)
    sys.addaudithook(refuse_tracing)
    for holder in gc.get_referrers(refuse_tracing):
        if type(holder) is list:
            untrack(holder)
    untrack(refuse_tracing)


def last_words(mark: int, unraisable: sys.UnraisableHookArgs) -> None:
    """The exception that left a checked program reaches the bottom of its thread and is reported here."""
    bottom = unraisable.object is collections.deque or "started by" in (unraisable.err_msg or "")
    if not bottom or unraisable.exc_value is None:
        sys.__unraisablehook__(unraisable)
        return
    try:
        exec(FLUSH, {"streams": (sys.stdout, sys.stderr), "BaseException": BaseException})
        tell(mark, describe(unraisable.exc_value) | {"last": True})
    finally:
        os._exit(1)


def describe(error: BaseException) -> dict[str, Any]:
    kind = "exception"
    if isinstance(error, AssertionError):
        kind = "assertion"
    elif isinstance(error, MemoryError):
        kind = "memory"
    elif isinstance(error, (SyntaxError, ValueError)) and error.__traceback__ is None:
        kind = "syntax"  # raised by no line of the program: it did not compile
    report = {"kind": kind, "exception": type(error).__name__, "message": "", "where": ""}
    try:
        report["message"] = str(error)[:500]
        trace = error.__traceback__
        while trace and trace.tb_next:
            trace = trace.tb_next
        if trace:
            code = trace.tb_frame.f_code
            report["where"] = f"{code.co_filename}:{trace.tb_lineno} in {code.co_name}"[:200]
    except BaseException:  # its own __str__ may do anything
        pass
    return report


def tell(mark: int, report: dict[str, Any]) -> None:
    os.write(mark, json.dumps(report).encode()[:4096])


def run(mark: int, request: dict[str, Any], blobs: list[Any], namespace: dict[str, Any]) -> None:
    """A program by itself, as `python program.py`: streams and exit code."""
    code = 0
    try:
        exec(compile(blobs[0].decode("utf-8", "surrogatepass"), "<program>", "exec"), namespace)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        if code:
            tell(mark, {"kind": "exit", "exception": "SystemExit", "message": str(error.code)[:500]})
        if code and not isinstance(error.code, int):
            print(error.code, file=sys.stderr)
    except BaseException as error:
        code = 1
        trace = error.__traceback__
        error.__traceback__ = trace and trace.tb_next  # the first frame is ours
        tell(mark, describe(error))
        sys.__excepthook__(type(error), error, error.__traceback__)
    finally:
        if "threading" in sys.modules:
            sys.modules["threading"]._shutdown()
        atexit._run_exitfuncs()
        exec(FLUSH, {"streams": (sys.stdout, sys.stderr), "BaseException": BaseException})
        os._exit(code & 255)


def command(mark: int, request: dict[str, Any], blobs: list[Any], namespace: dict[str, Any]) -> None:
    """Another program: write its files below the working folder, then become it."""
    os.makedirs(request["cwd"], exist_ok=True)
    os.chdir(request["cwd"])
    for name, blob in zip(request["files"], blobs, strict=True):
        put(name, blob)
        if blob.startswith(b"#!"):
            os.chmod(name, 0o755)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": request["home"], "TMPDIR": request["home"]}
    env |= {"LANG": "C.UTF-8"} | request["env"]
    code = 127
    try:
        os.execvpe(request["argv"][0], request["argv"], env)
    except PermissionError as error:
        code, problem = 126, error.strerror
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or str(error)
    os.write(2, f"{request['argv'][0]}: {problem}\n".encode(errors="replace"))
    tell(mark, {"kind": "exec", "exception": {126: "PermissionError"}.get(code, "FileNotFoundError"), "code": code})
    os._exit(code)


def put(path: str, blob: bytes) -> None:
    if os.path.dirname(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(blob)


def write(mark: int, request: dict[str, Any], blobs: list[Any], namespace: dict[str, Any]) -> None:
    put(request["path"], blobs[0])
    os._exit(0)


def read(mark: int, request: dict[str, Any], blobs: list[Any], namespace: dict[str, Any]) -> None:
    fd = os.open(request["path"], os.O_RDONLY | os.O_NONBLOCK)
    status = os.fstat(fd)
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(21, "is a directory")
    if not stat.S_ISREG(status.st_mode):
        raise PermissionError(1, "not a plain file")
    if status.st_size > request["most"]:
        raise OverflowError(f"{status.st_size} bytes, more than {request['most']}")
    while part := os.read(fd, 1 << 16):
        while part:
            part = part[os.write(1, part) :]
    os._exit(0)


def act(kind: str, mark: int, request: dict[str, Any], blobs: list[Any], namespace: dict[str, Any]) -> None:
    """Do what was asked and end; an error in our own steps (no such folder, no room) is told like a program's."""
    try:
        ACTIONS[kind](mark, request, blobs, namespace)
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode(errors="replace"))
        tell(mark, describe(error) | {"kind": "exec"})
    finally:
        os._exit(126)


ACTIONS = {"run": run, "command": command, "resident": command, "write": write, "read": read}
