"""Writes to a descriptor without ever holding its caller up: a slow or dead reader never stops the agent."""

from __future__ import annotations

import os
import select
import threading
from collections import deque

_ATOMIC = 4096  # a pipe that polls writable takes this much at once (PIPE_BUF), so such a write cannot block


class QueuedWriter:
    """An unbounded queue in front of a descriptor; nothing is dropped while its reader lives.

    Small writes that cannot block are made at once. What might block goes to a thread, and what follows goes behind
    it. The descriptor stays blocking: it may be shared with other processes.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._waiting: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._idle = True  # the thread holds nothing and the queue is empty
        self._closed = False
        self._failure: OSError | None = None
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    @property
    def failure(self) -> OSError | None:
        """Why nothing can be written any more: the reader has gone (`BrokenPipeError`) or the disk is full."""
        return self._failure

    @property
    def backlog(self) -> bool:
        """Whether the reader is behind."""
        return not self._idle

    def write(self, data: bytes) -> None:
        """Take `data`; returns at once. After a failure it is dropped, and `failure` says why."""
        if self._failure is not None or not data:
            return
        if self._idle and len(data) <= _ATOMIC and self._poll.poll(0) and (data := self._write_now(data)) == b"":
            return
        with self._changed:
            self._waiting.append(data)
            self._idle = False
            self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._drain, name=f"writer-{self._descriptor}", daemon=True)
                self._thread.start()

    def close(self, timeout_s: float | None = None) -> bool:
        """Wait until everything is written, or nothing can be; False when `timeout_s` passed first."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(timeout_s)
            return not self._thread.is_alive()
        return True

    def _write_now(self, data: bytes) -> bytes:
        """What is left of `data` after one write."""
        try:
            return data[os.write(self._descriptor, data) :]
        except BlockingIOError:
            return data  # somebody else made the shared descriptor non-blocking
        except OSError as error:
            self._failure = error
            return b""

    def _drain(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    self._idle = True
                    if self._closed:
                        return
                    self._changed.wait()
                data = b"".join(self._waiting)
                self._waiting.clear()
            view = memoryview(data)
            while view and self._failure is None:
                try:
                    view = view[os.write(self._descriptor, view[: 1 << 20]) :]
                except BlockingIOError:
                    self._poll.poll()
                except OSError as error:
                    self._failure = error
