"""A sandbox that confines nothing, for tests of the core: it starts commands with asyncio and kills their group."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

from codex_kernel.sandbox.interface import Chunk, Command, Exit, Stream
from codex_protocol.errors import SandboxError
from codex_protocol.policy import SandboxFacts, SandboxPolicy, mode_of


class PlainProcess:
    def __init__(self, process: asyncio.subprocess.Process, confined: bool, denied: str | None) -> None:
        self.confined = confined
        self._process = process
        self._denied = denied
        self._exit: Exit | None = None

    async def output(self) -> AsyncIterator[Chunk]:
        queue: asyncio.Queue[Chunk | None] = asyncio.Queue()

        async def pump(stream: asyncio.StreamReader, name: Stream) -> None:
            while data := await stream.read(65536):
                await queue.put(Chunk(name, data))
            await queue.put(None)

        assert self._process.stdout is not None
        assert self._process.stderr is not None
        tasks = [
            asyncio.create_task(pump(self._process.stdout, "stdout")),
            asyncio.create_task(pump(self._process.stderr, "stderr")),
        ]
        open_streams = 2
        while open_streams:
            chunk = await queue.get()
            if chunk is None:
                open_streams -= 1
            else:
                yield chunk
        await asyncio.gather(*tasks)

    async def wait(self) -> Exit:
        code = await self._process.wait()
        self._kill_group()
        number = -code if code < 0 else None
        shell_code = 128 + number if number is not None else code
        return Exit(code=shell_code, signal=number, denied=self._denied if shell_code else None)

    async def write(self, data: bytes) -> None:
        raise SandboxError("this session has no stdin")

    def line_limit(self) -> int | None:
        return None

    def close_stdin(self) -> None: ...

    def resize(self, rows: int, columns: int) -> None: ...

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def kill(self) -> None:
        self._kill_group()

    async def aclose(self) -> None:
        self._kill_group()
        await self._process.wait()


class PlainSandbox:
    """`denied` is what every failing confined command is said to have been stopped by."""

    def __init__(self, *, rung: int = 1, denied: str | None = None, writable: Path | None = None) -> None:
        self.rung = rung
        self.denied = denied
        self.writable = writable
        self.commands: list[Command] = []
        self.closed = False

    def facts(self, policy: SandboxPolicy) -> SandboxFacts:
        return SandboxFacts(rung=self.rung, summary=mode_of(policy).value)

    def warm(self, policy: SandboxPolicy, workspace: Path) -> None: ...

    async def start(self, command: Command) -> PlainProcess:
        self.commands.append(command)
        confined = mode_of(command.policy).value != "danger-full-access"
        try:
            process = await asyncio.create_subprocess_exec(
                *command.argv,
                cwd=command.cwd,
                env=command.env,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise SandboxError(f"{command.argv[0]}: command not found") from error
        return PlainProcess(process, confined, self.denied if confined else None)

    def may_read(self, path: Path) -> bool:
        return path.name != ".env"

    def may_write(self, path: Path, policy: SandboxPolicy, workspace: Path) -> bool:
        return mode_of(policy).value != "read-only" and path.is_relative_to(self.writable or workspace)

    def rights(self) -> PlainSandbox:
        return self

    async def aclose(self) -> None:
        self.closed = True
