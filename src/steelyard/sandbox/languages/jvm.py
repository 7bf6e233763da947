"""Resident JVMs in jails: built once from the sources beside this file, kept warm, thrown away when a program spoils one."""

from __future__ import annotations

import atexit
import functools
import hashlib
import os
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ...core.errors import MissingError
from ..jail import Jail, JailDied
from ..outcome import MIB, CommandResult, Limits
from ..pool import command_in
from ..sharing import isolation

JARS = Path("/usr/share/java")
CURE = "Debian and Ubuntu: apt install openjdk-17-jdk-headless junit5 junit4 libapiguardian-java libopentest4j-java libunivocity-parsers-java libasm-java."
JUNIT = tuple(
    JARS / f"{name}.jar"
    for name in (
        "junit-jupiter-api",
        "junit-jupiter-engine",
        "junit-jupiter-params",
        "junit-platform-commons",
        "junit-platform-engine",
        "junit-platform-launcher",
        "junit-vintage-engine",
        "junit4",
        "hamcrest",
        "opentest4j",
        "apiguardian-api",
        "univocity-parsers",
    )
)
_PROBES = (JARS / "asm.jar", JARS / "asm-tree.jar")
# Without jdk.unsupported there is no sun.misc.Unsafe, with which a program could reach into the runner.
_MODULES = "java.se,jdk.httpserver,jdk.charsets,jdk.localedata,jdk.zipfs,jdk.crypto.ec,jdk.net,jdk.management,asm,asm.tree"
_UNSAFE = ("objenesis", "mockito")  # libraries that do not work without it
_USES = 200  # programs of one JVM: whatever leaks, leaks no further
_BOOT_S = 60.0


class JVMDied(Exception):
    """The JVM ended before its answer; `result` is how, None where its jail died."""

    def __init__(self, result: CommandResult | None) -> None:
        super().__init__("the JVM ended")
        self.result = result


@functools.cache
def home() -> Path:
    """The folder of the JDK. Raises MissingError."""
    javac = shutil.which("javac")
    if javac is None:
        raise MissingError("there is no Java compiler (javac) here.", CURE)
    return Path(javac).resolve().parent.parent


@functools.cache
def version() -> str:
    """What `javac -version` says, such as "javac 17.0.15"."""
    said = subprocess.run([home() / "bin/javac", "-version"], capture_output=True, text=True, timeout=60)
    return (said.stdout + said.stderr).strip()


@functools.cache
def runner() -> Path:
    """The folder of our runner's class files, compiled once for these sources and this JDK. Raises MissingError."""
    import platformdirs

    lacking = [jar.name for jar in (*JUNIT, *_PROBES) if not jar.exists()]
    if lacking:
        raise MissingError(f"{JARS} lacks {', '.join(lacking)}.", CURE)
    major = re.search(r"\d+", version())
    if not major or int(major[0]) < 17:
        raise MissingError(f"the Java compiler is {version()}, and 17 is needed.", CURE)
    sources = sorted(Path(__file__).with_name("jvm").rglob("*.java"))
    digest = hashlib.sha256("\0".join([version(), *(source.read_text() for source in sources)]).encode()).hexdigest()
    built = platformdirs.user_cache_path("steelyard") / "java" / digest[:16]
    if built.is_dir():
        return built
    built.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=built.parent) as folder:
        os.chmod(folder, 0o755)
        for part, where, jars in (("runner", "--module-path", _PROBES), ("judge", "--class-path", JUNIT)):
            texts = [str(source) for source in sources if source.parent.name == part]
            path = ":".join(map(str, jars))
            done = subprocess.run(
                [home() / "bin/javac", "-d", f"{folder}/{part}", where, path, *texts], capture_output=True, text=True
            )
            if done.returncode:
                raise MissingError(f"the Java runner does not compile here: {done.stderr.strip()[:500]}", CURE)
        try:
            os.rename(folder, built)
        except OSError:
            if not built.is_dir():  # another process was quicker
                raise
        else:
            os.mkdir(folder)  # for the context manager to remove
    return built


class JVM:
    """One resident JVM. Raises MissingError where it cannot be started.

    runs: whether it runs programs, and not only compiles them. jars: class path, to be seen inside. limits: of the whole JVM (memory, processes, files, output); wall_s is not used here.
    """

    def __init__(self, runs: bool, jars: Sequence[Path], limits: Limits) -> None:
        self._ours, theirs = socket.socketpair()
        conf = (home() / "conf/security/java.security").resolve().parent.parent  # Debian keeps it below /etc
        self._buffer = b""
        self.uses = 0
        self.result: CommandResult | None = None
        with theirs:
            self._jail = Jail(isolation(), None, [runner(), conf, *jars], line=theirs)
        modules = _MODULES + (",jdk.unsupported" if not runs or _unsafe(jars) else "") + (",jdk.compiler" if not runs else "")
        self._argv = [
            str(home() / "bin/java"),
            "-XX:+UseSerialGC",
            "-XX:-UsePerfData",
            "-XX:+DisableAttachMechanism",
            f"-Xmx{limits.memory_bytes // 2 // MIB}m",
            "-Xss1m",
            "-Djava.security.manager=disallow",
            "-Djava.awt.headless=true",
            f"-Djava.io.tmpdir={self._jail.home}",
            "-Dfile.encoding=UTF-8",
            "--limit-modules",
            modules + ",steelyard.runner",
            "--add-modules",
            modules + (",jdk.unsupported" if runs and _unsafe(jars) else ""),
            "--module-path",
            ":".join(map(str, (runner() / "runner", *_PROBES))),
            "--add-opens",
            "java.base/java.io=steelyard.runner",
            "--module",
            "steelyard.runner/steelyard.runner.Runner",
            *map(str, (runner() / "judge", *JUNIT) if runs else ()),
        ]
        self._limits = replace(limits, wall_s=7 * 86400.0, cpu_s=7 * 86400.0)
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()
        try:
            self.java = self.take(time.monotonic() + _BOOT_S)[1].decode()
        except (JVMDied, TimeoutError) as error:
            said = self.result.stderr.decode(errors="replace").strip() if self.result else str(error)
            raise MissingError(f"the Java runner does not start: {said[-500:]}", CURE) from None

    def _live(self) -> None:
        env = {"LD_LIBRARY_PATH": f"{home()}/lib"}  # without /proc the loader does not find it beside the program
        try:
            self.result = command_in(self._jail, self._argv, {}, b"", self._limits, ".", env, resident=True)
        except JailDied:
            pass
        finally:
            self._ours.shutdown(socket.SHUT_RDWR)

    def send(self, *blobs: str | bytes) -> None:
        """Ask something. Raises JVMDied."""
        parts = [blob.encode("utf-8", "replace") if isinstance(blob, str) else blob for blob in blobs]
        self.uses += 1
        try:
            self._ours.settimeout(_BOOT_S)
            self._ours.sendall(
                struct.pack(">i", len(parts)) + b"".join(struct.pack(">i", len(part)) + part for part in parts)
            )
        except OSError:
            self._died()

    def take(self, until: float) -> list[bytes]:
        """The next message. until: a time of the monotonic clock. Raises JVMDied, TimeoutError."""
        (count,) = struct.unpack(">i", self._read(4, until))
        return [self._read(struct.unpack(">i", self._read(4, until))[0], until) for _ in range(count)]

    def _read(self, size: int, until: float) -> bytes:
        while len(self._buffer) < size:
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._ours.settimeout(left)
            try:
                part = self._ours.recv(1 << 20)
            except TimeoutError:
                raise
            except OSError:
                part = b""
            if not part:
                self._died()
            self._buffer += part
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def _died(self) -> None:
        self._thread.join(10.0)
        raise JVMDied(self.result)

    def close(self) -> None:
        """End it with everything it started."""
        self._jail.kill()
        self._thread.join(10.0)
        self._jail.close()
        self._ours.close()


class Fleet:
    """The warm JVMs of one kind: taken one at a time by each caller, replaced in the background when one is spoiled."""

    def __init__(self, runs: bool, jars: Sequence[Path], limits: Limits) -> None:
        self._start = functools.partial(JVM, runs, jars, limits)
        self._idle: list[JVM] = []
        self._coming = 0
        self._closed = False
        self._turn = threading.Condition()

    def take(self, fresh: bool = False) -> JVM:
        """A JVM of one's own until `give`; `fresh`: one that has run no program yet."""
        with self._turn:
            while True:
                for jvm in self._idle:
                    if not fresh or not jvm.uses:
                        self._idle.remove(jvm)
                        return jvm
                if not self._coming:
                    break
                self._turn.wait()
        return self._start()

    def give(self, jvm: JVM, spoiled: bool) -> None:
        """Bring it back; a spoiled or old one is ended, and a spare one started meanwhile."""
        if not spoiled and jvm.uses < _USES and not self._closed:
            with self._turn:
                self._idle.append(jvm)
                self._turn.notify_all()
            return
        jvm.close()
        with self._turn:
            if self._closed or self._idle or self._coming:
                return
            self._coming += 1
        threading.Thread(target=self._spare, daemon=True).start()

    def _spare(self) -> None:
        jvm: JVM | None = None
        try:
            jvm = self._start()
        except MissingError:
            pass  # who needs one starts it and hears why it does not
        finally:
            with self._turn:
                self._coming -= 1
                if jvm and not self._closed:
                    self._idle.append(jvm)
                    jvm = None
                self._turn.notify_all()
        if jvm:
            jvm.close()

    def close(self) -> None:
        with self._turn:
            self._closed = True
            idle, self._idle = self._idle, []
        for jvm in idle:
            jvm.close()


_FLEETS: dict[tuple[object, ...], Fleet] = {}
_LOCK = threading.Lock()


def fleet(runs: bool, jars: Sequence[Path], limits: Limits) -> Fleet:
    """The JVMs of this process that run (or only compile) programs with a class path, under limits whatever their wall_s."""
    outside = tuple(sorted(jar.resolve() for jar in jars if not jar.is_relative_to(JARS)))
    key = (os.getpid(), isolation(), runs, outside, runs and _unsafe(jars), replace(limits, wall_s=0.0, cpu_s=None))
    with _LOCK:
        if key not in _FLEETS:
            if not _FLEETS:
                atexit.register(close)
            _FLEETS[key] = Fleet(runs, jars, limits)
        return _FLEETS[key]


def _unsafe(jars: Sequence[Path]) -> bool:
    return any(word in jar.name for jar in jars for word in _UNSAFE)


def close() -> None:
    """End every JVM of this process."""
    with _LOCK:
        fleets: Iterator[Fleet] = iter([one for key, one in _FLEETS.items() if key[0] == os.getpid()])
        for one in fleets:
            one.close()
        _FLEETS.clear()
