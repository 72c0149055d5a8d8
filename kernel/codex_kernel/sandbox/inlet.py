"""What is written to a command: stdin or the keyboard side of its terminal."""

from __future__ import annotations

import asyncio
import os
from collections import deque

from codex_protocol.errors import SandboxError

_END_OF_TRANSMISSION = b"\x04"


class Inlet:
    """A descriptor that does not block, written in order without holding the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, fd: int, *, terminal: bool) -> None:
        """Own `fd`, unless it is a terminal's, which the process closes."""
        self._loop = loop
        self._fd = fd
        self._terminal = terminal
        self._queue: deque[tuple[memoryview, asyncio.Future[None]]] = deque()
        self._closing = False
        self._closed = False

    async def write(self, data: bytes) -> None:
        """Return when the kernel has taken all of it.

        Raises:
            SandboxError: It is closed, or the command does not read any more.
        """
        if self._closed or self._closing:
            raise SandboxError("The command's standard input is closed.")
        if not data:
            return
        done = self._loop.create_future()
        self._queue.append((memoryview(data), done))
        if len(self._queue) == 1:
            self._pump()
        await done

    def close_soon(self) -> None:
        """End of input, after what is queued."""
        if self._closed or self._closing:
            return
        if self._terminal:
            self._queue.append((memoryview(_END_OF_TRANSMISSION), self._loop.create_future()))
            if len(self._queue) == 1:
                self._pump()
            return
        self._closing = True
        if not self._queue:
            self.close()

    def close(self) -> None:
        """Close at once; writes still waiting fail."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_writer(self._fd)
        for _, done in self._queue:
            if not done.done():
                done.set_exception(SandboxError("The command's standard input is closed."))
                done.exception()  # a writer that was cancelled does not ask any more
        self._queue.clear()
        if not self._terminal:
            os.close(self._fd)

    def _pump(self) -> None:
        while self._queue:
            data, done = self._queue[0]
            try:
                written = os.write(self._fd, data)
            except BlockingIOError:
                self._loop.add_writer(self._fd, self._pump)
                return
            except OSError:
                self.close()
                return
            if written < len(data):
                self._queue[0] = (data[written:], done)
                continue
            self._queue.popleft()
            if not done.done():
                done.set_result(None)
        self._loop.remove_writer(self._fd)
        if self._closing:
            self.close()
