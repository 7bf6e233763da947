"""Programs that really try: each attack runs, its effect is looked for, and after it the next program still runs correctly."""

import os
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from steelyard.sandbox import Limits, Sandbox, Verdict

RIGHT = "def f(x):\n    return x + 1\n"
TESTS = "assert f(1) == 2\n"
QUICK = Limits(wall_s=1.0)
PASSING = "\ndef f(x):\n    return x + 1\n"


def must_not(box: Sandbox, attack: str, limits: Limits = QUICK) -> None:
    """`attack` is a program that raises nothing exactly when it got what it wanted."""
    outcome = box.check(attack, "pass", limits)
    assert outcome.verdict in (Verdict.EXCEPTION, Verdict.ASSERTION), outcome


# --- reaching out


def test_network(box: Sandbox) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    must_not(box, f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 0.5)")
    must_not(box, "import socket\nsocket.create_connection(('1.1.1.1', 53), 0.5)")
    must_not(box, "import socket\nsocket.getaddrinfo('example.org', 80)")
    listener.close()


@pytest.mark.parametrize("family", ["AF_VSOCK", "AF_NETLINK", "AF_PACKET", "AF_ALG"])
def test_sockets_that_no_network_namespace_holds(box: Sandbox, family: str) -> None:
    must_not(box, f"import socket\nsocket.socket(socket.{family}, socket.SOCK_DGRAM)")


def test_abstract_unix_sockets_of_the_host(box: Sandbox) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("\0steelyard-test")
        listener.listen()
        must_not(box, "import socket\nsocket.socket(socket.AF_UNIX).connect('\\0steelyard-test')")


def test_files_of_the_host(box: Sandbox, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s")
    home = Path.home() / f".steelyard-test-{os.getpid()}"
    home.write_text("s")
    try:
        for path in (secret, home, Path(__file__), Path("/etc/shadow"), Path("/etc/hostname")):
            assert path.exists() or not str(path).startswith(str(tmp_path))
            must_not(box, f"open({str(path)!r}).read()")
    finally:
        home.unlink()
    outcome = box.run(
        "import os\nprint(os.path.expanduser('~'), os.listdir('/home') if os.path.exists('/home') else [])"
    )
    assert outcome.stdout == "/tmp []\n"


def test_secrets_of_the_environment(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEELYARD_SECRET", "hunter2")
    with Sandbox(jobs=1) as fresh:
        seen = fresh.run(
            "import os, glob\nprint(dict(os.environ))\nfor p in glob.glob('/proc/*/environ'):\n try: print(open(p).read())\n except OSError: pass"
        )
        assert "PYTHONHASHSEED" in seen.stdout
        assert "hunter2" not in seen.stdout
        assert b"hunter2" not in fresh.command(["env"]).stdout


def test_writing_outside(box: Sandbox) -> None:
    for folder in (
        "/",
        "/usr",
        "/usr/bin",
        "/etc",
        "/run",
        "/run/steelyard",
        "/dev",
        "/root",
        "/proc/sys/kernel",
        "/var",
        "/run/packages",
    ):
        must_not(box, f"open({folder + '/x'!r}, 'w')")
    must_not(box, "import os\nfd = os.open('/run/steelyard/zygote.py', os.O_WRONLY)")
    must_not(box, "open('/proc/sys/kernel/core_pattern', 'w').write('|/tmp/x')")
    must_not(box, "open('/proc/sysrq-trigger', 'w').write('c')")


def test_gaining_rights(box: Sandbox) -> None:
    calls = {
        "unshare(0x10000000)": 272,
        "mount": 165,
        "ptrace": 101,
        "bpf": 321,
        "keyctl": 250,
        "io_uring": 425,
        "userfaultfd": 323,
    }
    if os.uname().machine == "x86_64":
        for number in calls.values():
            errno = "import ctypes, errno\nlibc = ctypes.CDLL(None, use_errno=True)\n"
            got = box.check(
                errno + f"r = libc.syscall({number}, 0, 0, 0, 0, 0)\n",
                "assert r == -1 and ctypes.get_errno() == errno.EPERM",
            )
            assert got.passed, (number, got)
    must_not(box, "import os\nos.setuid(0)")
    must_not(box, "import os\nos.chroot('/tmp')")
    must_not(box, "import os\nos.mknod('/tmp/m', 0o60644, os.makedev(254, 0))")
    status = box.command(["cat", "/proc/self/status"]).stdout.decode()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert (fields["CapPrm"], fields["CapEff"], fields["CapAmb"]) == ("0" * 16,) * 3
    assert (fields["NoNewPrivs"], fields["Seccomp"]) == ("1", "2")


def test_setuid_programs_stay_powerless(box: Sandbox) -> None:
    assert b"uid=1000" in box.command(["sh", "-c", "id; su -c id </dev/null"]).stdout


# --- using too much


def test_fork_bomb(box: Sandbox) -> None:
    before = len(os.listdir("/proc"))
    most = 0
    done = threading.Event()

    def look() -> None:
        nonlocal most
        while not done.is_set():
            most = max(most, len([name for name in os.listdir("/proc") if name.isdigit()]))
            time.sleep(0.05)

    watcher = threading.Thread(target=look)
    watcher.start()
    outcome = box.check("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", TESTS, QUICK)
    done.set()
    watcher.join()
    assert outcome.verdict is Verdict.TIMEOUT
    assert most < before + 90, "64 processes are allowed"
    bomb = box.command(["sh", "-c", ":(){ :|:& };:; sleep 5"], limits=QUICK)
    assert bomb.duration_s < 5


def test_the_process_limit_is_exact(box: Sandbox) -> None:
    count = "import os, time\nn = 0\ntry:\n    while True:\n        if not os.fork(): time.sleep(9)\n        n += 1\nexcept BlockingIOError: pass\n"
    outcome = box.check(count, "assert n == 9, n", Limits(processes=10))
    assert outcome.passed, outcome
    threads = "import threading, time\nfor _ in range(40):\n    threading.Thread(target=time.sleep, args=(9,), daemon=True).start()"
    assert box.check(threads, "pass", Limits(processes=10)).exception == "RuntimeError"


def test_memory_bomb(box: Sandbox) -> None:
    small = Limits(wall_s=10, memory_bytes=300 << 20)
    assert box.check("x = []\nwhile True: x.append(bytearray(1 << 20))", TESTS, small).verdict is Verdict.MEMORY
    assert box.check("x = [0]\nwhile True: x += x", TESTS, small).verdict is Verdict.MEMORY
    many = "import os, time\nfor _ in range(9):\n    if not os.fork():\n        x = b'x' * (100 << 20)\n        time.sleep(20)\ntime.sleep(20)"
    assert box.check(many, TESTS, small).verdict is Verdict.MEMORY, "a limit for all its processes together"
    grow = box.command(["sh", "-c", "x=0123456789; while :; do x=$x$x; done"], limits=small)
    assert grow.limit == "memory"


def test_memory_shared_by_forks_counts_once(box: Sandbox) -> None:
    program = "import os, time\nx = b'x' * (100 << 20)\nfor _ in range(8):\n    if not os.fork():\n        time.sleep(0.4); os._exit(0)\nfor _ in range(8): os.wait()\n"
    assert box.check(program + RIGHT, TESTS, Limits(wall_s=10, memory_bytes=400 << 20)).passed


def test_ten_gigabytes_of_output(box: Sandbox) -> None:
    flood = "import os\nblock = b'x' * (1 << 20)\nfor _ in range(10 << 10):\n    os.write({}, block)\n"
    for stream in (1, 2):
        outcome = box.check(flood.format(stream) + RIGHT, TESTS, Limits(wall_s=1.5, output_bytes=1 << 16))
        assert outcome.verdict in (Verdict.TIMEOUT, Verdict.PASSED), outcome
        assert len(outcome.stdout or outcome.stderr) == 1 << 16
    done = box.command(["yes"], limits=QUICK)
    assert (done.limit, done.truncated, len(done.stdout)) == ("timeout", True, QUICK.output_bytes)


def test_filling_tmp(box: Sandbox) -> None:
    fill = "for i in range(1000):\n    open(f'/tmp/{i}', 'wb').write(b'x' * (10 << 20))"
    full = box.check(fill, "pass", Limits(wall_s=5, tmp_bytes=64 << 20))
    assert (full.exception, "No space" in full.message) == ("OSError", True), full
    names = "for i in range(10 ** 6):\n    open(f'/tmp/{i}', 'w').close()"
    assert "No space" in box.check(names, "pass", Limits(wall_s=9)).message
    assert "File too large" in box.check("open('/tmp/a', 'wb').truncate(1 << 40)", "pass").message
    must_not(box, "import os\nwhile True: os.memfd_create('x')")
    deep = "import os\nfor _ in range(3000):\n    os.mkdir('d'); os.chdir('d')\nos.chmod('.', 0)"
    assert box.check(deep, "pass").passed
    assert box.command(["sh", "-c", "echo a > /dev/shm/a; echo b > /var/tmp/b; ls /tmp"]).stdout == b"a\nb\n", (
        "all of it is /tmp"
    )


def test_infinite_loops_and_ignored_signals(box: Sandbox) -> None:
    loops = [
        "while True: pass",
        "import signal\nfor s in range(1, 65):\n    try: signal.signal(s, signal.SIG_IGN)\n    except (OSError, ValueError): pass\nwhile True: pass",
        "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nsignal.pause()",
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
        "x = 10 ** 10 ** 8\nstr(x)",
        "import re\nre.match('(a+)+$', 'a' * 60 + 'b')",
        "import time\ntime.sleep(100)",
        "import threading\nthreading.Event().wait()",
        "sum(iter(int, 1))",
    ]
    for loop in loops:
        outcome = box.check(loop, TESTS, Limits(wall_s=0.4))
        assert outcome.verdict is Verdict.TIMEOUT, (loop, outcome)
        assert outcome.duration_s < 1.5
    assert box.check("while True: pass", TESTS, Limits(wall_s=9, cpu_s=1)).verdict is Verdict.TIMEOUT


# --- killing and staying


def test_killing_the_parent(box: Sandbox) -> None:
    kills = "import os, signal\nfor pid in {os.getppid(), 1, *range(2, 400)} - {os.getpid(), 0}:\n    try: os.kill(pid, signal.SIGKILL)\n    except OSError: pass\n"
    assert box.check(kills + RIGHT, TESTS).passed
    assert box.check("import os\ntry: os.kill(-1, 9)\nexcept OSError: pass\n" + RIGHT, TESTS).verdict in (
        "passed",
        "crashed",
    )
    assert box.check("import os\nos.killpg(0, 9)\n" + RIGHT, TESTS).verdict is Verdict.CRASHED
    before = [jail._process.pid for jail in box._idle]
    assert box.check(RIGHT, TESTS).passed
    assert [jail._process.pid for jail in box._idle] == before, "the same jail goes on"


def test_daemons(box: Sandbox) -> None:
    name, long = f"steelyard-daemon-{os.getpid()}", f"60.{os.getpid()}"  # nobody else's
    daemon = f"import os, time, subprocess\nif not os.fork():\n    os.setsid()\n    if not os.fork():\n        os.execv('/bin/sh', ['{name}', '-c', 'sleep {long}; :'])\n    os._exit(0)\ntime.sleep(0.2)\n"
    assert box.check(daemon + RIGHT, TESTS).passed
    stay = f"(exec -a {name} sleep 60) >/dev/null 2>&1 & (setsid sleep {long} &) & echo done"
    assert box.command(["bash", "-c", stay]).stdout == b"done\n"
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
    assert name not in running
    assert long not in running
    threads = "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()\n"
    passed = box.check(threads + RIGHT, TESTS)
    assert passed.passed
    assert passed.duration_s < 1


def test_nothing_is_left_for_the_next_program(box: Sandbox) -> None:
    leave = "import builtins, sys, os, math\nopen('/tmp/left', 'w').write('x')\nbuiltins.left = 1\nmath.left = 1\nsys.left = 1\nos.environ['LEFT'] = '1'\nos.umask(0o777)\nsys.path.append('/left')\n"
    assert box.check(leave + RIGHT, TESTS).passed
    find = "import builtins, sys, os, math\nassert not os.path.exists('/tmp/left') and not os.environ.get('LEFT') and '/left' not in sys.path\nassert not [m for m in (builtins, math, sys) if hasattr(m, 'left')]\nassert os.umask(0o22) == 0o22\n"
    assert box.check(find + RIGHT, TESTS).passed
