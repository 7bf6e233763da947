"""The jail as a sandbox of Inspect: its own conformance checks, and a task that uses it."""

import asyncio
import inspect as reflect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import need

need("bwrap")

from inspect_ai import Task, eval  # noqa: E402
from inspect_ai.dataset import Sample  # noqa: E402
from inspect_ai.solver import TaskState, solver  # noqa: E402
from inspect_ai.util import OutputLimitExceededError, sandbox  # noqa: E402
from inspect_ai.util._sandbox import self_check  # noqa: E402

from steelyard.sandbox.inspect_provider import BubblewrapSandbox  # noqa: E402

CHECKS = {
    name: check
    for name, check in vars(self_check).items()
    if name.startswith("test_") and list(reflect.signature(check).parameters) == ["sandbox_env"]
}

# It adds a user, as root; the jail has neither.
NOT_OURS = {"test_exec_as_user"}


@pytest.mark.parametrize("name", sorted(CHECKS.keys() - NOT_OURS))
def test_conformance(name: str) -> None:
    async def main() -> None:
        environments = await BubblewrapSandbox.sample_init("t", None, {})
        try:
            await CHECKS[name](environments["default"])
        finally:
            await BubblewrapSandbox.sample_cleanup("t", None, environments, False)

    asyncio.run(main())


def sample(*steps: Callable[[], Any]) -> Any:
    @solver
    def solve() -> Any:
        async def act(state: TaskState, generate: Any) -> TaskState:
            for step in steps:
                await step()
            return state  # no generation: a mock model counts tokens with a table from the network

        return act

    return solve()


def test_a_task_with_the_jail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEELYARD_SECRET", "hunter2")
    seen: dict[str, Any] = {}

    async def work() -> None:
        box = sandbox()
        seen["given"] = await box.read_file("given.txt")
        seen["exec"] = await box.exec(["sh", "-c", "cat; echo 1 > made; pwd; env; id -u"], input="in\n")
        seen["made"] = await box.read_file("made")
        seen["missing"] = await box.exec(["no-such-program"])
        seen["host"] = await box.exec(["ls", str(Path(__file__).parent), os.path.expanduser("~")])
        for name, action in {
            "timeout": lambda: box.exec(["sleep", "9"], timeout=1),
            "output": lambda: box.exec(["sh", "-c", "yes | head -c 11000000"]),
            "no file": lambda: box.read_file("nothing"),
            "folder": lambda: box.read_file("/usr"),
            "read-only": lambda: box.write_file("/usr/x", "x"),
            "not executable": lambda: box.exec(["/etc/passwd"]),
        }.items():
            try:
                await action()
            except Exception as error:
                seen[name] = type(error)

    task = Task(
        dataset=[Sample("hello", files={"given.txt": "from the sample"})],
        solver=sample(work),
        sandbox="steelyard",
    )
    log = eval(task, model="mockllm/model", log_dir=str(tmp_path), display="none")[0]
    assert log.status == "success", log.error
    assert seen["given"] == "from the sample"
    assert seen["exec"].stdout.startswith("in\n/tmp\n")
    assert seen["exec"].stdout.endswith("1000\n")
    assert "hunter2" not in seen["exec"].stdout
    assert seen["made"] == "1\n"
    assert (seen["missing"].success, seen["missing"].returncode) == (False, 127)
    assert not seen["host"].success
    assert "test_inspect" not in seen["host"].stdout
    contract = {
        "timeout": TimeoutError,
        "output": OutputLimitExceededError,
        "no file": FileNotFoundError,
        "folder": IsADirectoryError,
        "read-only": PermissionError,
        "not executable": PermissionError,
    }
    for name, expected in contract.items():
        assert issubclass(seen[name], expected), name
