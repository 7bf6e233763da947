"""One warm jail on the host's side: how bubblewrap is asked for it, and the talk with the zygote inside."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..core.errors import MissingError
from . import seccomp

# What programs import most. Not more: each page that the zygote has is work at every fork.
PRELOAD = [
    "abc",
    "bisect",
    "collections",
    "collections.abc",
    "copy",
    "datetime",
    "enum",
    "functools",
    "hashlib",
    "heapq",
    "itertools",
    "json",
    "math",
    "operator",
    "random",
    "re",
    "string",
    "time",
    "typing",
]
USER = 1000  # who a program is inside
NOBODY = 65534  # who it is outside when we are root, whom no process limit binds
TOOLS = "/run/steelyard"  # where this package's files for the inside stand
PACKAGES = "/run/packages"
_SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64")
_SETTINGS = ("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime", "/etc/mime.types")
_CAPABILITIES = ("SYS_ADMIN", "SETUID", "SETGID", "SETPCAP", "KILL", "SYS_PTRACE", "SYS_RESOURCE", "DAC_OVERRIDE")

CURE = (
    "Debian and Ubuntu: apt install bubblewrap. Fedora: dnf install bubblewrap.\n"
    "Or run programs you trust without a jail: --isolation none."
)


class JailDied(Exception):
    """The jail ended, or did not answer in time: a fault of ours, not of the program."""


def bubblewrap() -> str:
    """The path of `bwrap`. Raises MissingError where it is not installed."""
    path = shutil.which("bwrap")
    if path is None:
        raise MissingError("bubblewrap (the program bwrap) is not installed; programs are not run without it.", CURE)
    return path


class Jail:
    """A running zygote, in a bubblewrap jail or (isolation="none") beside us; runs one program at a time.

    packages: a folder of Python packages that programs may import (read-only); None for the standard library alone.
    readable: more host paths that programs may read (toolchains), at their own place.
    mounts: place inside (below /run) -> host folder to show there, read-only, wherever it lies here (/tmp is hidden).
    preload: modules out of `packages`, beside those that programs import most, that every program finds imported.
    processor: where the zygote itself stays, so that a fork finds its memory near; programs may run on all.
    keep: files in /tmp stay from one program to the next, up to tmp_bytes together.
    line: a socket that a resident program (`command_in(..., resident=True)`) finds as its descriptor 3.
    Raises MissingError where a jail cannot be had, saying why.
    """

    def __init__(
        self,
        isolation: str = "bubblewrap",
        packages: Path | None = None,
        readable: Sequence[Path] = (),
        keep: bool = False,
        tmp_bytes: int = 0,
        processor: int | None = None,
        line: socket.socket | None = None,
        preload: Sequence[str] = (),
        mounts: Mapping[str, Path] | None = None,
    ) -> None:
        self._lock = threading.Lock()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._inside = -1
        jailed = isolation == "bubblewrap"
        hello: dict[str, Any] = {
            "jailed": jailed,
            "keep": keep,
            "processor": processor,
            "tmp_bytes": tmp_bytes,
            "preload": PRELOAD,
            "preload_packages": list(preload),
            "user": USER,
            "line": line.fileno() if line else None,
        }
        lines = [line.fileno()] if line else []
        ours, theirs = socket.socketpair()
        self._channel = ours
        self._log = tempfile.TemporaryFile()
        flags = ["-s", "-P", "-S", "-B", "-X", "utf8"]
        try:
            if jailed:
                hello |= {"tmp": "/tmp", "packages": [PACKAGES] if packages else []}
                command = [os.path.realpath(sys.executable), *flags, f"{TOOLS}/zygote.py", str(theirs.fileno())]
                self._process = self._wrap(command, [theirs.fileno(), *lines], packages, readable, mounts or {})
            else:
                self._folder = tempfile.TemporaryDirectory(prefix="steelyard-")
                hello |= {"tmp": self._folder.name, "packages": [str(packages)] if packages else []}
                inside = str(Path(__file__).with_name("zygote.py"))
                self._process = subprocess.Popen(
                    [os.path.realpath(sys.executable), *flags, inside, str(theirs.fileno())],
                    env=_environment(self._folder.name),
                    pass_fds=[theirs.fileno(), *lines],
                    stdin=subprocess.DEVNULL,
                    stdout=self._log,
                    stderr=self._log,
                    start_new_session=True,
                )
        finally:
            theirs.close()
        self.home: str = hello["tmp"]
        try:
            ready, _ = self._talk(hello, [seccomp.program(seccomp.machine()) if jailed else b""], 30.0)
        except JailDied as error:
            raise MissingError(
                f"the jail could not be started: {error}",
                "`bwrap --unshare-all --ro-bind / / true` tells whether bubblewrap works at all; it needs user namespaces.\n"
                "Ubuntu 24.04 and later: sysctl kernel.apparmor_restrict_unprivileged_userns=0, or a profile for bwrap.\n"
                "In a container: let it create user namespaces.\n" + CURE.splitlines()[1],
            ) from None
        self.python: str = ready["ready"]

    def _wrap(
        self,
        command: list[str],
        channels: Sequence[int],
        packages: Path | None,
        readable: Sequence[Path],
        mounts: Mapping[str, Path],
    ) -> subprocess.Popen[bytes]:
        """Start `command` under bubblewrap, with the descriptors `channels`."""
        root = os.getuid() == 0
        files = {
            "passwd": f"user:x:{USER}:{USER}::/tmp:/bin/sh\n",
            "group": f"user:x:{USER}:\n",
            "hosts": "127.0.0.1 localhost\n",
        }
        passed = [*channels]
        arguments = [
            bubblewrap(),
            "--unshare-all",
            "--unshare-user",
            "--hostname",
            "sandbox",
            "--new-session",
            "--as-pid-1",
            "--clearenv",
        ]
        for name, value in _environment("/tmp").items():
            arguments += ["--setenv", name, value]
        arguments += ["--cap-drop", "ALL"]
        for capability in _CAPABILITIES:
            arguments += ["--cap-add", f"CAP_{capability}"]
        shown = [path.resolve() for path in (Path(sys.base_prefix), *readable)]
        shown = [path for path in dict.fromkeys(shown) if not path.is_relative_to("/usr")]
        open_to_all = {Path(name) for name in ("/etc", "/run", "/var", TOOLS)}.union(*(path.parents for path in shown))
        for folder in sorted(open_to_all - {Path("/")}):
            arguments += ["--perms", "0755", "--dir", str(folder)]
        arguments += ["--ro-bind", "/usr", "/usr"]
        for path in _SYSTEM:
            if os.path.islink(path):
                arguments += ["--symlink", os.readlink(path), path]
            else:
                arguments += ["--ro-bind-try", path, path]
        for path in _SETTINGS:
            arguments += ["--ro-bind-try", path, path]
        for folder in shown:
            arguments += ["--ro-bind", str(folder), str(folder)]
        here = Path(__file__).parent
        for name in ("zygote.py", "watcher.py", "inmate.py"):
            arguments += ["--ro-bind", str(here / name), f"{TOOLS}/{name}"]
        if packages:
            arguments += ["--ro-bind", str(packages), PACKAGES]
            if (packages / "steelyard").is_dir():  # what we know about tests is not for programs
                arguments += ["--tmpfs", f"{PACKAGES}/steelyard", "--remount-ro", f"{PACKAGES}/steelyard"]
        for place, folder in mounts.items():
            arguments += ["--ro-bind", str(folder), place]
        for name, text in files.items():
            fd = os.memfd_create(name)
            os.write(fd, text.encode())
            os.lseek(fd, 0, os.SEEK_SET)
            passed.append(fd)
            arguments += ["--ro-bind-data", str(fd), f"/etc/{name}"]
        arguments += ["--tmpfs", "/dev"]
        for device in ("null", "zero", "full", "random", "urandom"):
            arguments += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
        for name, target in {"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"}.items():
            arguments += ["--symlink", f"/proc/self/fd{target}", f"/dev/{name}"]
        arguments += ["--symlink", "/tmp", "/dev/shm", "--symlink", "/tmp", "/var/tmp", "--remount-ro", "/dev"]
        arguments += ["--proc", "/proc", "--perms", "0755", "--tmpfs", "/tmp", "--chdir", "/"]
        told, tell = os.pipe()
        wait, go = os.pipe()
        passed += [tell, wait]
        arguments += ["--info-fd", str(tell)]
        if root:
            arguments += ["--uid", "0", "--gid", "0", "--userns-block-fd", str(wait)]
        else:
            arguments += ["--uid", str(USER), "--gid", str(USER)]
        arguments += ["--remount-ro", "/", "--", *command]
        try:
            process = subprocess.Popen(
                arguments, env={}, pass_fds=passed, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log
            )
        finally:
            for fd in passed[len(channels) :]:
                os.close(fd)
        with open(told, "rb") as information, open(go, "wb", buffering=0) as gate:
            told_us = b""
            while not told_us.rstrip().endswith(b"}") and (part := information.read1()):
                told_us += part
            if told_us:
                child = json.loads(told_us)["child-pid"]
                self._inside = os.pidfd_open(child)
                if root:  # two users inside: the zygote, who owns the jail's mounts, and the program, who is nobody
                    for table in ("uid_map", "gid_map"):
                        Path(f"/proc/{child}/{table}").write_text(f"0 0 1\n{USER} {NOBODY} 1\n")
                    gate.write(b"1")
        return process

    def ask(self, request: dict[str, Any], blobs: Sequence[bytes], wall_s: float) -> tuple[dict[str, Any], list[bytes]]:
        """Run one program: the zygote's reply and (stdout, stderr). Raises JailDied."""
        with self._lock:
            return self._talk(request, blobs, wall_s + 20.0)

    def _talk(
        self, header: dict[str, Any], blobs: Sequence[bytes], patience_s: float
    ) -> tuple[dict[str, Any], list[bytes]]:
        head = json.dumps(header | {"sizes": [len(blob) for blob in blobs]}).encode()
        self._channel.settimeout(patience_s)
        try:
            self._channel.sendall(b"".join([struct.pack(">I", len(head)), head, *blobs]))
            reply: dict[str, Any] = json.loads(self._take(struct.unpack(">I", self._take(4))[0]))
            return reply, [self._take(size) for size in reply.pop("sizes")]
        except OSError as error:
            self.close()
            self._log.seek(0)
            said = self._log.read()[-2000:].decode("utf-8", "replace").strip()
            raise JailDied(said.splitlines()[-1] if said else str(error)) from None

    def _take(self, size: int) -> bytes:
        taken = bytearray()
        while len(taken) < size:
            part = self._channel.recv(min(size - len(taken), 1 << 20))
            if not part:
                raise ConnectionResetError("it ended without a word")
            taken += part
        return bytes(taken)

    def kill(self) -> None:
        """End everything in the jail at once, from any thread; who waits for an answer hears that the jail died."""
        if self._inside >= 0:
            signal.pidfd_send_signal(self._inside, signal.SIGKILL)
        else:
            self._process.kill()

    def close(self) -> None:
        """End the jail with everything in it. Once more does nothing."""
        self._channel.close()  # the zygote leaves when nobody listens
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            if self._inside >= 0:
                signal.pidfd_send_signal(self._inside, signal.SIGKILL)  # the jail's first process: all go with it
            self._process.kill()
            self._process.wait()
        if self._inside >= 0:
            os.close(self._inside)
            self._inside = -1
        if self._folder:
            self._folder.cleanup()


def _environment(home: str) -> dict[str, str]:
    """All that a program sees of an environment. The fixed hash seed makes the order of sets repeatable."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": home,
        "TMPDIR": home,
        "LANG": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        "LD_BIND_NOW": "1",  # the zygote looks functions up once, not every program again
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def site_packages() -> Path | None:
    """The folder of packages of the running interpreter."""
    folder = Path(sysconfig.get_path("purelib"))
    return folder if folder.is_dir() else None
