"""One hook's process: JSON on its stdin, what it says back, and no process left when its time is over.

It runs outside the sandbox, with the user's rights, in a process group of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from pathlib import Path

import msgspec

MAX_OUTPUT_BYTES = 1024 * 1024
_LATE_OUTPUT_S = 0.5
"""How long what a hook left behind may hold its output open."""


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """How a hook ended."""

    code: int | None = None
    """None when it did not run to its end."""
    stdout: str = ""
    stderr: str = ""
    failure: str | None = None
    """Why it did not run to its end, as a clause."""


async def run_hook(command: str, payload: bytes, cwd: Path, env: Mapping[str, str], timeout_s: float) -> Finished:
    """Run a hook by the user's shell.

    Raises:
        asyncio.CancelledError: Interrupted; its processes are gone.
    """
    shell = env.get("SHELL", "")
    if not (shell.startswith("/") and os.access(shell, os.X_OK)):
        shell = "/bin/sh"
    loop = asyncio.get_running_loop()
    starting = asyncio.ensure_future(
        loop.subprocess_exec(
            lambda: _Process(loop), shell, "-c", command, cwd=cwd, env=dict(env), start_new_session=True
        )
    )
    try:
        transport, protocol = await asyncio.shield(starting)
    except asyncio.CancelledError:  # it may be half started: what it has begun must end too
        with contextlib.suppress(OSError, ValueError):
            transport, _ = await starting
            kill_tree(transport.get_pid())
            transport.close()
        raise
    except (OSError, ValueError) as error:
        return Finished(failure=f"it could not be started: {getattr(error, 'strerror', None) or error}")
    try:
        _feed(transport, payload)
        try:
            await asyncio.wait_for(asyncio.shield(protocol.exited), timeout_s)
        except TimeoutError:
            return Finished(failure=f"it took longer than {timeout_s:g} seconds")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(protocol.drained), _LATE_OUTPUT_S)
        if protocol.too_much:
            return Finished(failure=f"it printed more than {MAX_OUTPUT_BYTES} bytes")
        return Finished(code=transport.get_returncode(), stdout=protocol.text(1), stderr=protocol.text(2))
    finally:
        if transport.get_returncode() is None:
            kill_tree(transport.get_pid())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(protocol.exited), 2)
        transport.close()


def _feed(transport: asyncio.SubprocessTransport, payload: bytes) -> None:
    """Hand the input over; a hook need not read it."""
    stdin = transport.get_pipe_transport(0)
    if isinstance(stdin, asyncio.WriteTransport):
        stdin.write(payload)
        stdin.write_eof()


class _Process(asyncio.SubprocessProtocol):
    """Gathers output. Its end is told when the process ends, whoever else holds the pipes: `Process.wait` does not."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.exited: asyncio.Future[None] = loop.create_future()
        self.drained: asyncio.Future[None] = loop.create_future()
        self.too_much = False
        self._data = {1: bytearray(), 2: bytearray()}
        self._open = {1, 2}

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Past the limit it is thrown away, so that the hook does not block."""
        if len(self._data[fd]) + len(data) > MAX_OUTPUT_BYTES:
            self.too_much = True
        else:
            self._data[fd] += data

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self._open.discard(fd)
        if not self._open and not self.drained.done():
            self.drained.set_result(None)

    def process_exited(self) -> None:
        if not self.exited.done():
            self.exited.set_result(None)

    def text(self, fd: int) -> str:
        return self._data[fd].decode("utf-8", "replace")


def kill_tree(pid: int) -> None:
    """End a process, its group, and what its descendants started in groups of their own."""
    descendants = _descendants(pid)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    for descendant in descendants:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(descendant, signal.SIGKILL)


def _descendants(pid: int) -> list[int]:
    """Children of children; only where `/proc` tells of them."""
    found: list[int] = []
    level = [pid]
    while level and len(found) < 10_000:
        level = [child for parent in level for child in _children(parent)]
        found += level
    return found


def _children(pid: int) -> list[int]:
    children: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    for thread in threads:
        with contextlib.suppress(OSError, ValueError):
            text = Path(f"/proc/{pid}/task/{thread}/children").read_text(encoding="ascii")
            children += [int(word) for word in text.split()]
    return children
