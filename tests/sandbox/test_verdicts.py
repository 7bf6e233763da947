"""How programs end, and what is said about it."""

import time

import pytest

from steelyard.core.errors import InputError, MissingError
from steelyard.sandbox import Limits, Sandbox, Verdict, health
from steelyard.sandbox import jail as jail_module

RIGHT = "def f(x):\n    return x + 1\n"
TESTS = "assert f(1) == 2\n"
QUICK = Limits(wall_s=0.7)


@pytest.mark.parametrize(
    ("candidate", "verdict", "exception"),
    [
        (RIGHT, Verdict.PASSED, ""),
        ("def f(x):\n    return x\n", Verdict.ASSERTION, "AssertionError"),
        ("def f(x):\n    return y\n", Verdict.EXCEPTION, "NameError"),
        ("f = None\n", Verdict.EXCEPTION, "TypeError"),
        ("def f(x):\n    return f(x)\n", Verdict.EXCEPTION, "RecursionError"),
        ("def f(x)\n    return x + 1\n", Verdict.SYNTAX, "SyntaxError"),
        ("def f(x):\nreturn x + 1\n", Verdict.SYNTAX, "IndentationError"),
        ("x = '\0'\n" + RIGHT, Verdict.SYNTAX, "SyntaxError"),
        ("x = '\ud800'\n" + RIGHT, Verdict.SYNTAX, "UnicodeEncodeError"),
        ("raise SyntaxError('not mine')\n", Verdict.EXCEPTION, "SyntaxError"),
        (" \n\t\n", Verdict.NO_CODE, ""),
        ("def f(x):\n    while True: pass\n", Verdict.TIMEOUT, ""),
        ("def f(x):\n    return 2 * (bytearray(5 << 30) and 1)\n", Verdict.MEMORY, "MemoryError"),
        ("import sys\nsys.exit(0)\n", Verdict.EARLY_EXIT, ""),
        ("import os\nos._exit(0)\n", Verdict.EARLY_EXIT, ""),
        ("raise SystemExit\n", Verdict.EARLY_EXIT, ""),
        ("exit()\n", Verdict.EARLY_EXIT, ""),
        ("def f(x):\n    import os\n    os._exit(0)\n", Verdict.EARLY_EXIT, ""),
        ("import os\nos.execv('/bin/true', ['true'])\n", Verdict.EARLY_EXIT, ""),
        ("import ctypes\nctypes.string_at(0)\n", Verdict.CRASHED, ""),
        ("import os\nos.abort()\n", Verdict.CRASHED, ""),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\n", Verdict.CRASHED, ""),
    ],
)
def test_each_end_has_its_verdict(sandbox: Sandbox, candidate: str, verdict: Verdict, exception: str) -> None:
    outcome = sandbox.check(candidate, TESTS, QUICK)
    assert (outcome.verdict, outcome.exception) == (verdict, exception), outcome


def test_what_failed_and_where_is_told(sandbox: Sandbox) -> None:
    outcome = sandbox.check("def f(x):\n    return 1 / x\n", "assert f(1) == 1\nassert f(0) == 1\n")
    assert outcome.message == "division by zero (<string>:2 in f)"
    outcome = sandbox.check("def f(x):\n    return x\n", "assert f(1) == 1\nassert f(0) == 1, 'zero'\n")
    assert outcome.message == "zero (<tests>:2 in <module>)"


def test_a_broken_test_is_not_held_against_the_program(sandbox: Sandbox) -> None:
    assert sandbox.check(RIGHT, "assert f(1) ==").verdict is Verdict.RUNNER_ERROR


def test_output_is_kept_up_to_the_limit(sandbox: Sandbox) -> None:
    outcome = sandbox.check("print('é' * 10)\nimport sys\nprint('no', file=sys.stderr)\n" + RIGHT, TESTS)
    assert (outcome.stdout, outcome.stderr) == ("é" * 10 + "\n", "no\n")
    outcome = sandbox.check("print('x' * 100_000)\n" + RIGHT, TESTS, Limits(output_bytes=1000))
    assert outcome.passed
    assert outcome.stdout == "x" * 1000


def test_run_is_a_plain_python_program(sandbox: Sandbox) -> None:
    echo = "import sys\nif __name__ == '__main__':\n    print(sum(map(int, sys.stdin)))\n"
    assert sandbox.run(echo, "1\n2\n").stdout == "3\n"
    assert sandbox.run("import sys; print('a'); sys.exit(0)").verdict is Verdict.PASSED
    left = sandbox.run("import sys; print('a'); sys.exit(3)")
    assert (left.verdict, left.exit_code, left.stdout) == (Verdict.EARLY_EXIT, 3, "a\n")
    failed = sandbox.run("def g():\n    raise KeyError('k')\ng()\n")
    assert (failed.verdict, failed.exception) == (Verdict.EXCEPTION, "KeyError")
    assert failed.stderr.endswith("KeyError: 'k'\n")
    assert "inmate" not in failed.stderr
    threads = "import threading, time, atexit\natexit.register(print, 'bye')\n"
    threads += "threading.Thread(target=lambda: (time.sleep(0.1), print('late'))).start()\n"
    assert sandbox.run(threads).stdout == "late\nbye\n"
    assert (
        sandbox.run("import random\nprint(random.random())").stdout
        != sandbox.run("import random\nprint(random.random())").stdout
    )


def test_what_programs_commonly_need_is_there(sandbox: Sandbox) -> None:
    uses = """
import asyncio, ctypes, dataclasses, multiprocessing, pickle, signal, sqlite3, subprocess, tempfile, threading, typing
@dataclasses.dataclass
class P:
    x: "int"
assert pickle.loads(pickle.dumps(P(1))) == P(1) and typing.get_type_hints(P) == {"x": int}
assert subprocess.run(["echo", "a"], capture_output=True).stdout == b"a\\n"
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map(abs, [-1, 2]) == [1, 2]
rang = []
signal.signal(signal.SIGALRM, lambda *_: rang.append(1))
signal.setitimer(signal.ITIMER_REAL, 0.01)
signal.pause()
assert rang and threading.current_thread() is threading.main_thread()
async def f():
    await asyncio.sleep(0)
    return 2
with tempfile.TemporaryFile() as file:
    file.write(b"x")
assert asyncio.run(f()) == 2
"""
    outcome = sandbox.check("import sys", uses)
    assert outcome.passed, outcome


def test_numpy_can_be_imported_and_our_own_package_cannot(sandbox: Sandbox) -> None:
    outcome = sandbox.check("import numpy", "assert numpy.arange(4).sum() == 6", Limits(wall_s=20))
    assert outcome.passed, outcome
    assert sandbox.check("import steelyard.sandbox", "pass").exception == "ModuleNotFoundError"


def test_commands(sandbox: Sandbox) -> None:
    done = sandbox.command(
        ["sh", "-c", "cat; cat sub/a; pwd; echo no >&2; echo r > r; exit 7"],
        {"sub/a": "A\n"},
        b"in\n",
        collect=["r", "s"],
    )
    assert (done.stdout, done.stderr, done.exit_code) == (b"in\nA\n/tmp\n", b"no\n", 7)
    assert done.files == {"r": b"r\n"}
    assert sandbox.command(["./go"], {"go": "#!/bin/sh\necho went\n"}, cwd="w").stdout == b"went\n"
    assert sandbox.command(["env"], env={"A": "b"}).stdout.count(b"\n") == 5
    assert sandbox.command(["no-such-program"]).exit_code == 127
    assert sandbox.command(["/etc/passwd"]).exit_code == 126
    killed = sandbox.command(["sh", "-c", "kill -9 $$"])
    assert (killed.exit_code, killed.signal, killed.limit) == (None, 9, "")
    slow = sandbox.command(["sleep", "9"], limits=QUICK)
    assert (slow.exit_code, slow.limit) == (None, "timeout")
    assert slow.duration_s < 2
    assert sandbox.command(["sh", "-c", "test $$ -lt 9 && cat /proc/$$/comm"]).stdout == b"sh\n", "its own /proc"


def test_check_many_keeps_the_order_and_reads_no_further_than_it_must() -> None:
    read = []

    def pairs():  # type: ignore[no-untyped-def]
        for i in range(200):
            read.append(i)
            yield f"def f(): return {i % 3}", "assert f() == 0"

    with Sandbox(jobs=2) as sandbox:
        verdicts = []
        for outcome in sandbox.check_many(pairs()):
            verdicts.append(outcome.passed)
            if len(verdicts) == 10:
                assert len(read) < 90
    assert verdicts == [i % 3 == 0 for i in range(200)]


def test_a_dead_jail_is_replaced(sandbox: Sandbox) -> None:
    assert sandbox.check(RIGHT, TESTS).passed
    sandbox._idle[0]._process.kill()
    sandbox._idle[0]._channel.shutdown(2)
    assert sandbox.check(RIGHT, TESTS).passed


def test_none_is_explicit_and_still_limits_and_kills(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError):
        Sandbox(isolation="docker")
    with Sandbox(isolation="none", jobs=1) as sandbox:
        assert sandbox.check(RIGHT, TESTS).passed
        assert sandbox.check("import os\nos._exit(0)", TESTS).verdict is Verdict.EARLY_EXIT
        assert sandbox.check("x = bytearray(5 << 30)", TESTS).verdict is Verdict.MEMORY
        mark = tmp_path / "alive"
        daemon = f"import os, time\nif not os.fork():\n    os.setsid()\n    if not os.fork():\n        time.sleep(1)\n        open({str(mark)!r}, 'w')\n"
        assert sandbox.check(daemon + "time.sleep(0.2)\n" + RIGHT, TESTS).passed
        time.sleep(1.2)
        assert not mark.exists()
        assert sandbox.command(["sh", "-c", "echo $HOME $SECRET"]).stdout.startswith(b"/tmp/steelyard-")


def test_without_bubblewrap_nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jail_module.shutil, "which", lambda name: None)
    with pytest.raises(MissingError, match="bubblewrap") as raised:
        Sandbox()
    assert "apt install bubblewrap" in str(raised.value)
    assert health()[0][:2] == ("bubblewrap", False)


def test_a_jail_that_cannot_start_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jail_module, "bubblewrap", lambda: "/bin/false")
    with pytest.raises(MissingError, match="could not be started"), Sandbox(jobs=1) as sandbox:
        sandbox.check(RIGHT, TESTS)


def test_health_tries_a_jail(sandbox: Sandbox) -> None:
    rows = health()
    assert [name for name, *_ in rows] == ["bubblewrap", "verdict", "no network", "no home folder", "process limit"]
    assert all(ok for _, ok, *_ in rows), rows
