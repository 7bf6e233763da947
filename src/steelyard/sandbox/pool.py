"""The sandbox: programs nobody trusts, on as many warm jails as asked for."""

from __future__ import annotations

import itertools
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from ..core.errors import InputError, MissingError
from .jail import Jail, JailDied, bubblewrap, site_packages
from .outcome import CommandResult, Limits, Outcome, Verdict, outcome_of_check, outcome_of_run

Reply = tuple[dict[str, Any], list[bytes]]
STARVED = 0.05  # of the wall time spent in line for a processor: more, and a timeout is not the program's own


class Sandbox:
    """Runs programs in jails without network, without sight of the host beyond read-only toolchains, and with limits.

    isolation: "bubblewrap", or "none" for code you trust: limits and kills only, no jail. jobs: programs at once.
    packages: a folder of Python packages programs may import; by default those of this interpreter; None for none.
    readable: more host paths to show, read-only. preload: modules of `packages` that programs find imported: trusted ones
    only, for they are imported with the jail's own rights. mounts: place inside, below /run -> host folder to show there,
    read-only (with isolation="none" it is not there). A context manager; every method may be called from several threads.
    Raises MissingError where bubblewrap is missing or cannot make a jail: it never runs a program without one unasked.
    """

    def __init__(
        self,
        isolation: str = "bubblewrap",
        jobs: int | None = None,
        packages: Path | None = site_packages(),
        readable: Sequence[Path] = (),
        preload: Sequence[str] = (),
        mounts: Mapping[str, Path] | None = None,
    ) -> None:
        if isolation not in ("bubblewrap", "none"):
            raise InputError(f"unknown isolation {isolation!r}.", 'Known: "bubblewrap", "none".')
        if isolation == "bubblewrap":
            bubblewrap()
        self.isolation = isolation
        self.jobs = jobs or len(os.sched_getaffinity(0))
        processors = itertools.cycle(sorted(os.sched_getaffinity(0)))
        self._start: Callable[[], Jail] = lambda: Jail(
            isolation, packages, readable, processor=next(processors), preload=preload, mounts=mounts
        )
        self._idle: list[Jail] = []
        self._running = 0
        self._alone = False
        self._closed = False
        self._turn = threading.Condition()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def check(self, candidate: str, tests: str, limits: Limits = Limits()) -> Outcome:
        """Run `candidate`, then `tests` in the same namespace (its `__name__` is "candidate"), in a fresh process.

        Only a program whose tests ran to their last statement has passed. A timeout on a machine so busy that the program
        waited for a processor is run once more, alone. Tests that do not compile are a RUNNER_ERROR.
        """
        if not candidate.strip():
            return Outcome(Verdict.NO_CODE, message="there is no code")
        blobs = [b"", _source(candidate), _source(tests)]
        return self._python("check", blobs, limits, outcome_of_check)

    def run(self, program: str, stdin: str = "", limits: Limits = Limits()) -> Outcome:
        """Run a whole Python program as `__main__`; PASSED is exit code 0."""
        return self._python("run", [stdin.encode(), _source(program)], limits, outcome_of_run)

    def command(
        self,
        argv: Sequence[str],
        files: Mapping[str, str | bytes] | None = None,
        stdin: bytes = b"",
        limits: Limits = Limits(),
        cwd: str = ".",
        env: Mapping[str, str] | None = None,
        collect: Sequence[str] = (),
    ) -> CommandResult:
        """Run one command of any language in an empty private /tmp, holding `files` (path below `cwd`: contents).

        cwd: the working folder, below /tmp. collect: files (below `cwd`) to bring back, such as a compiler's output.
        A program that is not there ends with exit code 127, one that may not be run with 126. A file that starts with
        "#!" is made executable. Raises MissingError when the jail fails twice.
        """
        with self._place() as jail:
            for last in (False, True):
                try:
                    return command_in(jail[0], argv, files or {}, stdin, limits, cwd, env or {}, collect)
                except JailDied as error:
                    jail[0] = self._start()
                    if last:
                        raise MissingError(
                            f"the jail died twice: {error}", "`steelyard doctor` tries it step by step."
                        ) from None
            raise AssertionError  # the loop returns

    def check_many(self, pairs: Iterable[tuple[str, str]], limits: Limits = Limits()) -> Iterator[Outcome]:
        """`check` for each (candidate, tests), `jobs` at once, in their order; reads `pairs` only as far as needed."""
        with ThreadPoolExecutor(self.jobs) as threads:
            waiting: deque[Future[Outcome]] = deque()
            for candidate, tests in pairs:
                waiting.append(threads.submit(self.check, candidate, tests, limits))
                if len(waiting) >= 32 * self.jobs:  # so that one slow program does not hold up the others
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def close(self) -> None:
        """End every jail. Waits for programs that still run."""
        with self._turn:
            self._closed = True
            self._turn.wait_for(lambda: self._running == 0)
            idle, self._idle = self._idle, []
        for jail in idle:
            jail.close()

    def _python(self, kind: str, blobs: Sequence[bytes], limits: Limits, outcome: Callable[..., Outcome]) -> Outcome:
        request = {"kind": kind, "limits": limits.wire(), "clean": True}
        reply, (stdout, stderr) = self._ask(request, blobs, limits.wall_s)
        starved = reply["end"] == "timeout" and reply.get("waited", 0.0) > STARVED * limits.wall_s
        if starved:
            reply, (stdout, stderr) = self._ask(request, blobs, limits.wall_s, alone=True)
        return outcome(reply, stdout, stderr, retried=starved)

    def _ask(self, request: dict[str, Any], blobs: Sequence[bytes], wall_s: float, alone: bool = False) -> Reply:
        """The zygote's reply; a jail that dies is replaced once, a second death is an `end` of "runner"."""
        with self._place(alone) as jail:
            for last in (False, True):
                try:
                    return jail[0].ask(request, blobs, wall_s)
                except JailDied as error:
                    jail[0] = self._start()
                    if last:
                        return {"end": "runner", "message": f"the jail died twice: {error}"}, [b"", b""]
            raise AssertionError  # the loop returns

    @contextmanager
    def _place(self, alone: bool = False) -> Iterator[list[Jail]]:
        """Wait for a free place (or, `alone`, for all of them); a list of one jail, which may be replaced by another."""
        with self._turn:
            self._turn.wait_for(
                lambda: self._closed or (not self._alone and self._running < (1 if alone else self.jobs))
            )
            if self._closed:
                raise InputError("the sandbox is closed.", "Use it inside its `with` block.")
            self._running += 1
            self._alone = alone
            jail = self._idle.pop() if self._idle else None
        held: list[Jail] = []
        try:
            held.append(jail or self._start())
            yield held
        finally:
            with self._turn:
                self._idle += held
                self._running -= 1
                self._alone = self._alone and not alone
                self._turn.notify_all()


def command_in(
    jail: Jail,
    argv: Sequence[str],
    files: Mapping[str, str | bytes],
    stdin: bytes,
    limits: Limits,
    cwd: str,
    env: Mapping[str, str],
    collect: Sequence[str] = (),
    clean: bool = True,
    resident: bool = False,
) -> CommandResult:
    """Run one command in `jail`. Raises JailDied.

    resident: it has the jail's line as descriptor 3, no /proc, and files below /tmp cannot be mapped executable.
    """
    if not argv:
        raise InputError("an empty command.", 'Give the program and its arguments: ["sh", "-c", "ls"].')
    request: dict[str, Any] = {
        "kind": "resident" if resident else "command",
        "limits": limits.wire(),
        "clean": clean,
        "argv": list(argv),
        "env": dict(env),
    }
    request |= {"cwd": os.path.join(jail.home, cwd), "home": jail.home, "files": list(files)}
    contents = [text.encode() if isinstance(text, str) else text for text in files.values()]
    reply, (stdout, stderr) = jail.ask(request, [stdin, *contents], limits.wall_s)
    if reply["end"] == "runner":
        raise JailDied(reply["message"])
    found: dict[str, bytes] = {}
    for name in collect:
        got, contents = file_in(jail, os.path.join(request["cwd"], name), limits.tmp_bytes)
        if got["end"] == "exit" and got["code"] == 0:
            found[name] = contents[0]
    end = reply["end"]
    return CommandResult(
        exit_code=reply.get("code"),
        signal=reply.get("signal"),
        stdout=stdout,
        stderr=stderr,
        duration_s=reply["seconds"],
        cpu_s=reply["cpu_seconds"],
        limit=end if end in ("timeout", "memory") else "",
        truncated=reply["truncated"],
        refused=(reply.get("report") or {}).get("exception") == "PermissionError",
        files=found,
    )


def file_in(jail: Jail, path: str, most: int) -> Reply:
    """Read a file of at most `most` bytes in `jail`: end is "exit", or "report" with the exception's name. Raises JailDied."""
    limits = Limits(wall_s=60.0, output_bytes=most).wire()
    return jail.ask({"kind": "read", "limits": limits, "clean": False, "path": path, "most": most}, [b""], 60.0)


def health() -> list[tuple[str, bool, str, str]]:
    """Whether programs can be run here, by really running some: (name, ok, detail, cure) for each thing tried."""
    try:
        path = bubblewrap()
        with Sandbox(jobs=1) as sandbox:
            trials = [
                ("verdict", "def f(x): return x + 1", "assert f(1) == 2"),
                (
                    "no network",
                    "import socket",
                    "s = socket.socket()\ns.settimeout(1)\nassert s.connect_ex(('1.1.1.1', 53))",
                ),
                ("no home folder", "import os", f"assert not os.path.exists({str(Path.home() / '.bashrc')!r})"),
                ("process limit", "import os", _MANY),
            ]
            results = [(name, sandbox.check(candidate, tests)) for name, candidate, tests in trials]
    except MissingError as error:
        return [("bubblewrap", False, error.what, error.cure)]
    cure = "Linux 5.14 or later and a bubblewrap that may create user namespaces are needed."
    return [("bubblewrap", True, path, "")] + [
        (
            name,
            got.passed,
            "" if got.passed else f"{got.verdict}: {got.exception} {got.message}",
            "" if got.passed else cure,
        )
        for name, got in results
    ]


_MANY = """
import time
try:
    for _ in range(100):
        if not os.fork():
            time.sleep(9)
            os._exit(0)
except BlockingIOError:
    pass
else:
    raise AssertionError("100 processes where 64 are allowed")
"""


def _source(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
