"""One command's output as it arrives: read in large pieces, held back when nobody takes it."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator

from codex_kernel.sandbox.interface import Chunk, Stream

READ_BYTES = 64 * 1024
_MAX_BUFFERED = 1024 * 1024
TAIL_BYTES = 8 * 1024


class Output:
    """The reading ends of a command's streams. Everything happens on one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, streams: dict[int, Stream]) -> None:
        """Own the descriptors and start reading; they must not block."""
        self._loop = loop
        self._open = streams
        self._chunks: deque[Chunk] = deque()
        self._buffered = 0
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._tails: dict[Stream, bytearray] = {name: bytearray() for name in streams.values()}
        for fd in streams:
            loop.add_reader(fd, self._read, fd)

    def tail(self) -> bytes:
        """The last kilobytes of stdout, then of stderr."""
        return b"\n".join(bytes(tail) for tail in self._tails.values())

    async def chunks(self) -> AsyncIterator[Chunk]:
        """Chunks in order of arrival, to the end of every stream."""
        while True:
            while self._chunks:
                chunk = self._chunks.popleft()
                self._buffered -= len(chunk.data)
                if self._paused and self._buffered < _MAX_BUFFERED // 2:
                    self._resume()
                yield chunk
            if not self._open:
                return
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    def finish(self) -> None:
        """The tree is dead: take what the pipes still hold, then close them."""
        for fd in list(self._open):
            while fd in self._open and self._take(fd):
                pass
            if fd in self._open:
                self._close(fd)
        self._wake()

    def discard(self) -> None:
        """Close everything and forget what was not taken."""
        for fd in list(self._open):
            self._close(fd)
        self._chunks.clear()
        self._buffered = 0
        self._wake()

    def _read(self, fd: int) -> None:
        self._take(fd)
        if self._buffered >= _MAX_BUFFERED and not self._paused:
            self._paused = True
            for open_fd in self._open:
                self._loop.remove_reader(open_fd)
        self._wake()

    def _take(self, fd: int) -> bool:
        """Read one piece; False when there is none."""
        try:
            data = os.read(fd, READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            data = b""  # EIO: the terminal's other side has closed
        if not data:
            self._close(fd)
            return False
        stream = self._open[fd]
        self._chunks.append(Chunk(stream, data))
        self._buffered += len(data)
        tail = self._tails[stream]
        tail += data[-TAIL_BYTES:]
        if len(tail) > 2 * TAIL_BYTES:
            del tail[:-TAIL_BYTES]
        return True

    def _resume(self) -> None:
        self._paused = False
        for fd in self._open:
            self._loop.add_reader(fd, self._read, fd)

    def _close(self, fd: int) -> None:
        del self._open[fd]
        self._loop.remove_reader(fd)
        os.close(fd)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
