"""Runs inside the sandbox, behind the text of a driver of pytest: the tests in a process of their own, the judge in another.

What the tests come to is told through a pipe, at once and line by line, each behind a word drawn for the run, to a process in which
nothing of the program ever runs. Behind all tests stands one that must fail: where it does not, the program has changed what its
tests rest on. Standard library and pytest only; nothing is imported from here.
"""

import builtins
import json
import os
import secrets
import select
import sys
import traceback
import unittest
from collections.abc import Callable, Iterator
from typing import Any

import pytest

Tell = Callable[..., None]
_NAMES = (
    "AssertionError", "abs", "all", "any", "bool", "dict", "enumerate", "filter", "float", "getattr", "hasattr", "int", "isinstance",
    "issubclass", "len", "list", "map", "max", "min", "range", "repr", "round", "set", "sorted", "str", "sum", "tuple", "type", "zip",
)  # fmt: skip
RELIED_ON = {name: getattr(builtins, name) for name in _NAMES}  # as they are before anything of the program is imported
MUST_FAIL = (("assertEqual", 1, 2), ("assertTrue", 0), ("assertIn", 1, ()), ("assertRaises", ValueError, int))


def apart(work: Callable[[Tell], None], hear: Tell = lambda *parts: None) -> list[list[Any]]:
    """Call `work(tell)` in a forked process: the parts of each `tell(*parts)`, which must be JSON, in order; `hear` has each at once.

    What `work` raises is raised here. Where its process ends by a signal, or before `work` returns, this one ends in the same way.
    """
    word = secrets.token_hex(16)
    out, into = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        _told(work, word, into)
    os.close(into)
    heard: list[list[Any]] = []
    for line in _lines(out, pid):
        if line.startswith(f'["{word}"'.encode()):
            heard.append(json.loads(line)[1:])
            hear(*heard[-1])
    os.close(out)
    status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status):
        os.kill(os.getpid(), os.WTERMSIG(status))
    if heard[-1:] != [["end"]]:
        os._exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 1)
    if raised := next((line[1:] for line in heard if line[0] == "raised"), None):
        raise (MemoryError if raised[0] == "MemoryError" else RuntimeError)(": ".join(raised))
    return heard[:-1]


def _told(work: Callable[[Tell], None], word: str, into: int) -> None:
    """The forked process, which never comes back from here, whatever the program does to `os`."""
    leave, write = os._exit, os.write
    code = 1
    try:

        def tell(*parts: object) -> None:
            line = (json.dumps([word, *parts]) + "\n").encode()
            while line:
                line = line[write(into, line) :]

        try:
            work(tell)
        except BaseException as error:
            traceback.print_exc()
            tell("raised", type(error).__name__, str(error)[:500])
        sys.stdout.flush()
        sys.stderr.flush()
        tell("end")
        code = 0
    finally:
        leave(code)


def _lines(out: int, pid: int) -> Iterator[bytes]:
    """What comes through the pipe, line by line, until its writer has ended: a child of it may hold the pipe for longer."""
    held, ended = b"", False
    while True:
        ready = select.select([out], [], [], 0.0 if ended else 0.05)[0]
        part = os.read(out, 1 << 16) if ready else b""
        if not part and (ready or ended):
            return
        *whole, held = (held + part).split(b"\n")
        yield from whole
        if not ready:
            ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def must_fail(items: list[pytest.Item], word: str) -> list[pytest.Item]:
    """A test to stand behind `items`, in the module of the last of them; none where there is no module. word: what it says."""
    home = next((node for item in items[-1:] for node in item.listchain() if isinstance(node, pytest.Module)), None)
    if home is None:
        return []
    return [pytest.Function.from_parent(home, name=f"test_{word}", callobj=lambda: _wrong(word))]


def _wrong(word: str) -> None:
    """Raise AssertionError(word), unless something that a test rests on does not do its work."""

    class Wrong(unittest.TestCase):
        def runTest(self) -> None:
            for name, *arguments in MUST_FAIL:
                with self.subTest(name):
                    getattr(self, name)(*arguments)

    found = unittest.TestResult()
    Wrong().run(found)
    # all() may be one of them
    changed = [name for name, value in RELIED_ON.items() if builtins.__dict__.get(name) is not value]
    try:
        with pytest.raises(ValueError):
            pass
    except pytest.fail.Exception:
        if not changed and len(found.failures) == len(MUST_FAIL):
            raise AssertionError(word) from None


def as_if_passed(report: pytest.TestReport) -> pytest.TestReport:
    """What pytest is to print of the test that must fail, once it has been told: it is none of the project's."""
    report.outcome, report.longrepr = "passed", None
    return report


def failed_as_it_must(end: str, message: str, word: str) -> bool:
    """Whether the test of `must_fail` came to the end that it has in a run that nobody changed."""
    return end not in ("passed", "skipped") and word in message
