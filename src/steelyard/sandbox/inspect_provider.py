"""The jail as a sandbox of Inspect: `sandbox="steelyard"` in a task gives every sample a warm jail of its own.

Files under /tmp, the working folder, stay for the whole sample; processes do not outlive the `exec` that started them.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any, Literal, TypeVar, overload

import anyio.to_thread
from inspect_ai.util import (
    ExecResult,
    OutputLimitExceededError,
    SandboxEnvironment,
    SandboxEnvironmentLimits,
    SandboxUnavailableError,
    SandboxUserUnsupportedError,
    sandboxenv,
)

from .jail import USER, Jail, JailDied, site_packages
from .outcome import GIB, CommandResult, Limits
from .pool import command_in, file_in

Answer = TypeVar("Answer")
FOREVER_S = 24 * 3600.0  # Inspect has its own limits for a sample
ROOM = 1 * GIB  # for a sample's files


@sandboxenv(name="steelyard")
class BubblewrapSandbox(SandboxEnvironment):  # type: ignore[misc, unused-ignore]
    """One sample's jail. Raises MissingError at the start of a sample where bubblewrap is missing."""

    def __init__(self) -> None:
        super().__init__()
        self._jail = Jail(packages=site_packages(), keep=True, tmp_bytes=ROOM)

    @classmethod
    def default_concurrency(cls) -> int | None:
        return os.cpu_count()

    @classmethod
    async def sample_init(cls, task_name: str, config: Any, metadata: dict[str, str]) -> dict[str, SandboxEnvironment]:
        return {"default": await anyio.to_thread.run_sync(cls)}

    @classmethod
    async def sample_cleanup(
        cls, task_name: str, config: Any, environments: dict[str, SandboxEnvironment], interrupted: bool
    ) -> None:
        for environment in environments.values():
            await anyio.to_thread.run_sync(environment.as_type(BubblewrapSandbox)._jail.close)

    async def exec(
        self,
        cmd: list[str],
        input: str | bytes | None = None,
        cwd: str | None = None,
        env: dict[str, str] | None = None,
        user: str | None = None,
        timeout: int | None = None,
        timeout_retry: bool = True,
        concurrency: bool = True,
    ) -> ExecResult[str]:
        """Run a command. Raises TimeoutError, OutputLimitExceededError, PermissionError and others as Inspect asks.

        A command that runs out of time is not tried again, whatever `timeout_retry` says: it may have done half its work.
        """
        if user not in (None, "user", str(USER)):
            raise SandboxUserUnsupportedError(f"the jail has one user, {USER}; it cannot run a command as {user}")
        stdin = input.encode() if isinstance(input, str) else input or b""
        most = SandboxEnvironmentLimits.MAX_EXEC_OUTPUT_SIZE
        limits = Limits(
            wall_s=timeout or FOREVER_S,
            processes=256,
            file_bytes=ROOM,
            tmp_bytes=ROOM,
            output_bytes=most,
            open_files=1024,
        )
        run = functools.partial(command_in, self._jail, cmd, {}, stdin, limits, cwd or ".", env or {}, clean=False)
        done: CommandResult = await self._ask(run)
        stdout, stderr = done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
        if done.limit == "timeout":
            raise TimeoutError(f"the command ran longer than {timeout} s")
        if done.truncated:
            raise OutputLimitExceededError(SandboxEnvironmentLimits.MAX_EXEC_OUTPUT_SIZE_STR, stdout or stderr)
        if done.refused:
            raise PermissionError(stderr.strip())
        code = done.exit_code if done.exit_code is not None else 128 + (done.signal or 9)
        return ExecResult(code == 0, code, stdout, stderr)

    async def write_file(self, file: str, contents: str | bytes) -> None:
        """Write a file; a relative path is below the working folder."""
        blob = contents.encode() if isinstance(contents, str) else contents
        limits = Limits(wall_s=60.0, file_bytes=ROOM).wire()
        request = {"kind": "write", "limits": limits, "clean": False, "path": file}
        reply, _ = await self._ask(functools.partial(self._jail.ask, request, [b"", blob], 60.0))
        _raise(reply, file)

    @overload
    async def read_file(self, file: str, text: Literal[True] = True) -> str: ...

    @overload
    async def read_file(self, file: str, text: Literal[False]) -> bytes: ...

    async def read_file(self, file: str, text: bool = True) -> str | bytes:
        """Read a file; a relative path is below the working folder."""
        most = SandboxEnvironmentLimits.MAX_READ_FILE_SIZE
        reply, (contents, _) = await self._ask(functools.partial(file_in, self._jail, file, most))
        _raise(reply, file)
        return contents.decode("utf-8") if text else contents

    async def _ask(self, action: Callable[[], Answer]) -> Answer:
        try:
            return await anyio.to_thread.run_sync(action, abandon_on_cancel=True)
        except JailDied as error:
            raise SandboxUnavailableError(str(error)) from None


def _raise(reply: dict[str, Any], file: str) -> None:
    """The exception that Inspect expects for a failed file operation."""
    if reply["end"] == "exit" and reply.get("code") == 0:
        return
    report = reply.get("report") or {}
    message = f"{file}: {report.get('message', reply['end'])}"
    kinds: dict[str, type[Exception]] = {
        kind.__name__: kind for kind in (FileNotFoundError, IsADirectoryError, NotADirectoryError)
    }
    if reply["end"] == "runner":
        raise SandboxUnavailableError(message)
    if report.get("exception") == "OverflowError":
        raise OutputLimitExceededError(SandboxEnvironmentLimits.MAX_READ_FILE_SIZE_STR, None)
    if reply["end"] == "timeout":
        raise TimeoutError(message)
    raise kinds.get(report.get("exception", ""), PermissionError)(message)
