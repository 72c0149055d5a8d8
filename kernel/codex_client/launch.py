"""A kernel of our own for a thread: forked from the user's fork server, or started plainly; ended with its client."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from codex_client.connection import Connection
from codex_protocol.errors import ThreadError
from codex_protocol.kernel_options import OPTIONS_VARIABLE, KernelOptions, encode_options
from codex_store.home import find_home

_END_S = 10.0
_POLL_S = 0.02
_ERROR_BYTES = 4096
_PREFIX = "codex kernel: "


class _Process(Protocol):
    """A kernel's process, however it was made."""

    pid: int
    connection_file: Path

    def ended(self) -> bool:
        """Whether it has ended."""
        ...

    def close(self) -> None:
        """Need it no longer."""
        ...


class OwnKernel:
    """A kernel and the connection to it. Made by `start`; ended by `aclose`, or with this process."""

    def __init__(self, process: _Process) -> None:
        """Use `start`."""
        self._process = process

    @classmethod
    async def start(
        cls, options: KernelOptions, environment: Mapping[str, str] | None = None, *, fork: bool = True
    ) -> OwnKernel:
        """A kernel that is starting.

        Args:
            options: How it opens its thread; `cwd` must be set.
            environment: Added to this process's, or in place of variables of the same name.
            fork: Ask the fork server, which starts kernels ten times faster; else start a process.

        Raises:
            CodexError: The runtime directory cannot be used, or no process can be started.
        """
        env = {**os.environ, **(environment or {})}
        if fork:
            from codex_client.fork_server import start_kernel

            return cls(await asyncio.to_thread(start_kernel, options, env=env, cwd=options.cwd))
        return cls(await asyncio.to_thread(_PlainProcess, options, env))

    async def connect(self, *, client: str, can_answer: bool) -> Connection:
        """A connection that is attached to its thread.

        Raises:
            CodexError: What the kernel said when it ended, or why it does not open the thread.
        """
        connection = await Connection.connect(
            self.connection_file, client=client, can_answer=can_answer, is_alive=self.is_alive
        )
        await attach(connection, self.is_alive, lambda: ThreadError(_last_words(self._process)))
        return connection

    async def is_alive(self) -> bool:
        """Whether its process is there."""
        return not self._process.ended()

    @property
    def connection_file(self) -> Path:
        """For other clients of the same thread."""
        return self._process.connection_file

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._process.pid

    async def aclose(self) -> None:
        """End it: its turn is interrupted and everything is on disk."""
        with contextlib.suppress(ProcessLookupError):
            if not self._process.ended():
                os.kill(self.pid, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END_S):
                while not self._process.ended():  # noqa: ASYNC110 - a process has no event to wait for
                    await asyncio.sleep(_POLL_S)
        with contextlib.suppress(ProcessLookupError):
            if not self._process.ended():
                os.kill(self.pid, signal.SIGKILL)
        self._process.close()


async def attach(
    connection: Connection, is_alive: Callable[[], Awaitable[bool]], gone: Callable[[], ThreadError]
) -> None:
    """Attach to a kernel that may end meanwhile; the connection is closed when that fails.

    Raises:
        CodexError: Why the kernel does not open the thread, or `gone()` when its process has ended.
    """
    attaching = asyncio.ensure_future(connection.attach())
    try:
        while not (await asyncio.wait({attaching}, timeout=_POLL_S))[0]:
            if not await is_alive():
                raise gone()
        attaching.result()
    except BaseException:
        attaching.cancel()
        await asyncio.wait({attaching})
        await connection.aclose()
        raise


class _PlainProcess:
    """A kernel started like any other program."""

    def __init__(self, options: KernelOptions, env: dict[str, str]) -> None:
        from codex_client.fork_server import new_connection_file

        self.connection_file, _ = new_connection_file(find_home(env))
        self.errors = self.connection_file.with_suffix(".log")
        argv = [sys.executable, "-P", "-m", "codex_kernel.jupyter", "-f", str(self.connection_file)]
        # A kernel that does not stay ends with this process.
        owner = {} if options.stay else {"JPY_PARENT_PID": str(os.getpid())}
        try:
            with self.errors.open("wb") as errors:
                self._popen = subprocess.Popen(
                    argv,
                    cwd=options.cwd,
                    env={**env, **owner, OPTIONS_VARIABLE: encode_options(options)},
                    stdin=subprocess.DEVNULL,
                    stdout=errors,
                    stderr=errors,
                    start_new_session=True,
                )
        except OSError as error:
            self.connection_file.unlink(missing_ok=True)
            raise ThreadError(f"the agent's process cannot be started: {error.strerror or error}") from error
        self.pid = self._popen.pid

    def ended(self) -> bool:
        return self._popen.poll() is not None

    def close(self) -> None:
        self._popen.poll()
        self.errors.unlink(missing_ok=True)
        self.connection_file.unlink(missing_ok=True)


def _last_words(process: _Process) -> str:
    errors = getattr(process, "errors", None)
    try:
        text = errors.read_bytes()[-_ERROR_BYTES:].decode("utf-8", "replace") if errors is not None else ""
    except OSError:
        text = ""
    said = [line.removeprefix(_PREFIX) for line in text.splitlines() if line.startswith(_PREFIX)]
    if said:
        return said[-1]
    return "the agent's process ended before it answered" + (f": {text.strip()[-500:]}" if text.strip() else "")


async def start_attached(
    options: KernelOptions,
    environment: Mapping[str, str] | None,
    *,
    client: str,
    can_answer: bool,
    fork: bool,
) -> tuple[OwnKernel, Connection]:
    """A kernel that has opened its thread, and the connection to it.

    Raises:
        CodexError: Why there is none; no process is left behind.
    """
    starting = asyncio.ensure_future(OwnKernel.start(options, environment, fork=fork))
    try:
        kernel = await asyncio.shield(starting)
    except asyncio.CancelledError:  # the process that is being made must not be forgotten
        with contextlib.suppress(Exception):
            await (await starting).aclose()
        raise
    try:
        return kernel, await kernel.connect(client=client, can_answer=can_answer)
    except BaseException:
        await asyncio.shield(kernel.aclose())
        raise


def set_flags(**flags: Any) -> dict[str, Any]:
    """Flags without those that say nothing."""
    return {name: value for name, value in flags.items() if value is not None and value is not False}
