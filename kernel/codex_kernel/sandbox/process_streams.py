"""Output, input and terminal of a running command, alike for every way in which one is started and ended."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import struct
import sys
import termios
from collections.abc import AsyncIterator

from codex_kernel.sandbox.inlet import Inlet
from codex_kernel.sandbox.interface import Chunk, Exit
from codex_kernel.sandbox.stream import Output
from codex_protocol.errors import SandboxError

_LINE_BYTES = 4095 if sys.platform == "linux" else 1023
"""What the systems' terminals hold of an unfinished line; they drop the rest without a word."""


class ProcessStreams:
    """The part of `Process` that is no matter of how the tree is held; who inherits it sets what there is."""

    _ended: asyncio.Future[Exit]
    _output: Output | None = None
    _inlet: Inlet | None = None
    """None: it reads nothing."""
    _master: int | None = None
    """Our end of its terminal."""

    def __init__(self, *, confined: bool) -> None:
        self._confined = confined

    @property
    def confined(self) -> bool:
        """See `Process`."""
        return self._confined

    async def output(self) -> AsyncIterator[Chunk]:
        """See `Process`."""
        if self._output is not None:
            async for chunk in self._output.chunks():
                yield chunk

    async def wait(self) -> Exit:
        """See `Process`."""
        return await asyncio.shield(self._ended)

    async def write(self, data: bytes) -> None:
        """See `Process`."""
        if self._inlet is None:
            raise SandboxError("The command has no standard input.")
        await self._inlet.write(data)

    def close_stdin(self) -> None:
        """See `Process`."""
        if self._inlet is not None:
            self._inlet.close_soon()

    def resize(self, rows: int, columns: int) -> None:
        """See `Process`."""
        if self._master is not None and not self._ended.done():
            with contextlib.suppress(OSError):
                fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def line_limit(self) -> int | None:
        """See `Process`."""
        if self._master is None:
            return None
        with contextlib.suppress(termios.error):
            if termios.tcgetattr(self._master)[3] & termios.ICANON:
                return _LINE_BYTES
        return None

    def _last_output(self) -> bytes:
        """Wait for no more output; the end of what came."""
        if self._output is None:
            return b""
        self._output.finish()
        return self._output.tail()

    def _close_input(self) -> None:
        """Free everything but output that was not taken yet."""
        if self._inlet is not None:
            self._inlet.close()
        if self._master is not None:
            os.close(self._master)
            self._master = None

    def _discard_output(self) -> None:
        if self._output is not None:
            self._output.discard()
