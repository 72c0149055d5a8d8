"""Piped input that comes after the turn began: read in the background, handed over whole when it ends."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from codex_kernel.exec.stdin import MAX_BYTES


class LateInput:
    """Reads a descriptor on the running loop until its end; then `on_text` is called once, if anything came."""

    def __init__(self, descriptor: int, on_text: Callable[[bytes], None]) -> None:
        self._descriptor = descriptor
        self._on_text = on_text
        self._data = bytearray()
        self._loop = asyncio.get_running_loop()
        self._reading = False
        try:
            self._loop.add_reader(descriptor, self._readable)
            self._reading = True
        except (OSError, ValueError):
            return  # a file: it was ready at once, so nothing of it can be late

    @property
    def unread(self) -> bool:
        """Whether something came whose end has not come yet."""
        return self._reading and bool(self._data)

    def close(self) -> None:
        """Stop reading."""
        if self._reading:
            self._loop.remove_reader(self._descriptor)
            self._reading = False

    def _readable(self) -> None:
        try:
            chunk = os.read(self._descriptor, 1 << 16)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        self._data += chunk
        if not chunk or len(self._data) > MAX_BYTES:
            self.close()
            if self._data:
                self._on_text(bytes(self._data[:MAX_BYTES]))
