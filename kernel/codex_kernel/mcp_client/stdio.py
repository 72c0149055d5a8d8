"""A server as a child process: lines in, lines out, its whole process group ended with the connection.

Not the SDK's own transport: there a line without end is copied again with every piece of it, and a server that does not
read holds up whoever writes. Here lines are bounded, writing never waits, and what the server said last on stderr is
kept for the sentence that tells why it failed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage

from codex_kernel.mcp_client.interface import McpError

MAX_LINE_BYTES = 64 * 1024 * 1024
STDERR_KEPT_BYTES = 4096
_CLOSE_S = 1.0
"""How long a server may take to end by itself after its input was closed."""
_MAX_LOGS_PER_S = 200
"""Log notifications beyond this rate are passed over: a flood of them must not keep the loop from its work."""

Read = MemoryObjectReceiveStream[SessionMessage | Exception]
Write = MemoryObjectSendStream[SessionMessage]


class Child:
    """A running server."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.gone = asyncio.Event()
        """It has closed its output, or said something endless."""
        self._stderr = bytearray()
        self._logs = 0
        self._window = 0.0

    def last_words(self) -> str:
        """What it said last on stderr; empty when it said nothing."""
        lines = self._stderr.decode("utf-8", "replace").strip().splitlines()
        return lines[-1].strip()[:300] if lines else ""

    async def read_stderr(self) -> None:
        """Keep the end of what it says there."""
        assert self.process.stderr is not None  # noqa: S101 (a pipe)
        while data := await self.process.stderr.read(1 << 16):
            self._stderr += data
            del self._stderr[:-STDERR_KEPT_BYTES]

    async def read_stdout(self, to: MemoryObjectSendStream[SessionMessage | Exception]) -> None:
        """Hand its messages over, one by one, until it closes its output."""
        assert self.process.stdout is not None  # noqa: S101 (a pipe)
        pieces: list[bytes] = []
        size = 0
        try:
            async with to, self._going():  # known to be gone before anybody's call fails of it
                while data := await self.process.stdout.read(1 << 18):
                    *ends, rest = data.split(b"\n")
                    for end in ends:
                        await self._take(b"".join((*pieces, end)), to)
                        pieces.clear()
                        size = 0
                    if rest:
                        pieces.append(rest)
                        size += len(rest)
                    if size > MAX_LINE_BYTES:
                        self._stderr[:] = b"it sent a message of more than 64 MiB"
                        return
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, ConnectionError):
            return  # our side has closed

    @contextlib.asynccontextmanager
    async def _going(self) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            self.gone.set()

    async def _take(self, line: bytes, to: MemoryObjectSendStream[SessionMessage | Exception]) -> None:
        line = line.strip()
        if not line.startswith(b"{"):
            return  # some servers print on stdout
        if b'"notifications/message"' in line[:200] and self._too_many():
            return
        try:
            message = types.jsonrpc_message_adapter.validate_json(line, by_name=False)
        except ValueError:
            return
        await to.send(SessionMessage(message))

    def _too_many(self) -> bool:
        now = asyncio.get_running_loop().time()
        if now - self._window > 1:
            self._window, self._logs = now, 0
        self._logs += 1
        return self._logs > _MAX_LOGS_PER_S

    async def write_stdin(self, messages: MemoryObjectReceiveStream[SessionMessage]) -> None:
        """Send what the session says; waits here, not in the session, when the server does not read."""
        stdin = self.process.stdin
        assert stdin is not None  # noqa: S101 (a pipe)
        with contextlib.suppress(ConnectionError, anyio.ClosedResourceError):
            async with messages:
                async for message in messages:
                    stdin.write(
                        message.message.model_dump_json(by_alias=True, exclude_unset=True).encode("utf-8") + b"\n"
                    )
                    await stdin.drain()
        self.gone.set()

    async def end(self) -> None:
        """Close its input, give it a moment, then end its whole process group."""
        if self.process.stdin is not None:
            with contextlib.suppress(OSError, RuntimeError):
                self.process.stdin.close()
        for _ in range(round(_CLOSE_S * 100)):  # not `wait`: that also waits for pipes a grandchild may hold open
            if self.process.returncode is not None:
                break
            await asyncio.sleep(0.01)
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not self._signal(number):
                break
            for _ in range(50):
                await asyncio.sleep(0.01)
                if not self._signal(0):
                    break
        transport: Any = getattr(self.process, "_transport", None)
        if transport is not None:
            transport.close()  # otherwise its pipes stay open while a grandchild that got away holds them

    def _signal(self, number: int) -> bool:
        """Send its process group a signal; False when the group is no more."""
        try:
            os.killpg(self.process.pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True


@contextlib.asynccontextmanager
async def run_server(
    command: str, args: tuple[str, ...], env: Mapping[str, str], cwd: Path
) -> AsyncGenerator[tuple[Read, Write, Child]]:
    """A running server and the streams of a session with it; on leaving, nothing of it is left.

    Raises:
        McpError: It cannot be started.
    """
    # Without relative folders: there a command of the sandbox could have put a program of that name.
    folders = [folder for folder in env.get("PATH", os.defpath).split(os.pathsep) if os.path.isabs(folder)]
    program = shutil.which(command, path=os.pathsep.join(folders)) if os.sep not in command else command
    if program is None:
        raise McpError(f"there is no program {command!r} on PATH")
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            *args,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise McpError(f"{command!r} cannot be started: {getattr(error, 'strerror', None) or error}") from error
    child = Child(process)
    to_session, read = anyio.create_memory_object_stream[SessionMessage | Exception](16)
    write, from_session = anyio.create_memory_object_stream[SessionMessage](float("inf"))
    tasks = [
        asyncio.create_task(child.read_stdout(to_session)),
        asyncio.create_task(child.write_stdin(from_session)),
        asyncio.create_task(child.read_stderr()),
    ]
    try:
        yield read, write, child
    finally:
        try:
            await _uninterrupted(child.end())
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for stream in (to_session, read, write, from_session):
                stream.close()


async def _uninterrupted(work: Any) -> None:
    """`work` to its end, also when we are cancelled meanwhile: a child left behind would outlive us."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if task.cancelled():
                raise
            cancelled = error
    if cancelled is not None:
        raise cancelled
