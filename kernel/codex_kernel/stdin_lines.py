"""Standard input of a front end that speaks in lines: bytes as they arrive, cut into lines of any length."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable

MAX_LINE_BYTES = 64 * 1024 * 1024


class LineSplitter:
    """Gathers bytes and gives whole lines. What stands after the last line end is kept for `rest`."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._skipping = False
        """What comes up to the next line end belongs to a line that was thrown away."""
        self.overlong = False
        """A line was thrown away because it passed `MAX_LINE_BYTES`."""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes, without their line ends."""
        *ends, rest = data.split(b"\n")
        lines: list[bytes] = []
        for end in ends:
            line = b"".join((*self._pieces, end)).strip()
            self._pieces.clear()
            self._size = 0
            if line and not self._skipping:
                lines.append(line)
            self._skipping = False
        if rest and not self._skipping:
            self._pieces.append(rest)
            self._size += len(rest)
            if self._size > MAX_LINE_BYTES:
                self._pieces.clear()
                self._size = 0
                self.overlong = self._skipping = True
        return lines

    def rest(self) -> bytes:
        """What the last line end did not close."""
        return b"".join(self._pieces).strip()


def read_stdin(loop: asyncio.AbstractEventLoop, feed: Callable[[bytes], None], end: Callable[[], None]) -> None:
    """Call `feed` on the loop with what arrives on stdin, and `end` once nothing more comes.

    Reads in a thread of its own: stdin may be a file, which no event loop can watch.
    """

    def read() -> None:
        while True:
            try:
                data = os.read(0, 1 << 16)
            except BlockingIOError:
                _wait_readable()
                continue
            except OSError:
                data = b""
            try:
                if not data:
                    loop.call_soon_threadsafe(end)
                    return
                loop.call_soon_threadsafe(feed, data)
            except RuntimeError:
                return  # the loop has ended

    threading.Thread(target=read, name="stdin", daemon=True).start()


def _wait_readable() -> None:
    import select

    select.select([0], [], [])
