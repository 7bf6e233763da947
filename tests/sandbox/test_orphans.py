"""A jail does not outlive the process that asked for it, whatever it was doing when that died."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from tests.conftest import need

HOST = """
import os, threading, time
from steelyard.sandbox import Limits, Sandbox
box = Sandbox(jobs=1, packages=None)
box.check("x = 1", "assert x")
print(box._idle[0]._process.pid, flush=True)
threading.Thread(target=box.check, args=("import time\\ntime.sleep(2)", "pass"), kwargs={"limits": Limits(wall_s=5)}).start()
time.sleep(0.5)
os.kill(os.getpid(), 9)
"""


def test_a_killed_host_leaves_no_jail_behind() -> None:
    need("bwrap")
    done = subprocess.run([sys.executable, "-c", HOST], capture_output=True, text=True, timeout=60)
    assert done.returncode == -9, done.stderr
    jail = Path(f"/proc/{int(done.stdout)}")
    until = time.monotonic() + 30
    while jail.exists() and time.monotonic() < until:
        time.sleep(0.2)
    assert not jail.exists()
