"""Everything the server sends: answers, notifications, and requests whose answers come back as calls.

The path is unbounded and decoupled from its reader: `send` returns at once, whatever the client does. Nothing waits for
a client's answer: a request leaves with a function that takes the answer, if one ever comes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from codex_kernel.mcp_server.messages import (
    RequestId,
    Response,
    encode_error,
    encode_notification,
    encode_request,
    encode_result,
)

log = logging.getLogger(__name__)

Write = Callable[[bytes], None]
TakeAnswer = Callable[[Response], None]

FLOOD_MESSAGES = 2_000
"""So many messages within one window are a flood and are logged with their rate."""
FLOOD_WINDOW_S = 1.0


class Outgoing:
    """The one way out. Used on the loop only."""

    def __init__(self, write: Write, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing is sent yet.

        Args:
            write: Takes a line, returns at once, keeps order and drops nothing.
            clock: Seconds, for the rates in the log.
        """
        self._write = write
        self._waiting: dict[int, TakeAnswer] = {}
        self._next_id = 0
        self._rate = _Rate(clock)

    def result(self, id: RequestId, result: Any) -> None:
        """Answer a request."""
        self._send(encode_result(id, result))

    def error(self, id: RequestId, code: int, message: str) -> None:
        """Refuse a request."""
        self._send(encode_error(id, code, message))

    def notify(self, method: str, params: Any) -> None:
        """Tell the client."""
        self._send(encode_notification(method, params))

    def ask(self, method: str, params: Any, take: TakeAnswer) -> int:
        """Ask the client; `take` is called with its answer, maybe never. Returns the id, counted from 0."""
        id = self._next_id
        self._next_id += 1
        self._waiting[id] = take
        self._send(encode_request(id, method, params))
        return id

    def withdraw(self, id: int, reason: str) -> None:
        """A request of ours needs no answer any more; the client is told when it has not answered yet."""
        if self._waiting.pop(id, None) is not None:
            self.notify("notifications/cancelled", {"requestId": id, "reason": reason})

    def answered(self, response: Response) -> None:
        """The client answered something."""
        id = response.id
        if isinstance(id, str):
            id = int(id) if id.isascii() and id.isdigit() else -1
        take = self._waiting.pop(id, None)
        if take is None:
            log.warning("an answer to the unknown or already answered request %r is passed over", response.id)
            return
        take(response)

    def _send(self, line: bytes) -> None:
        self._rate.count(len(line))
        self._write(line)


class _Rate:
    """Logs a flood once a window, with its rate: a client that is behind can be told apart from a server that hangs."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since = clock()
        self._messages = 0
        self._bytes = 0

    def count(self, size: int) -> None:
        self._messages += 1
        self._bytes += size
        if self._messages < FLOOD_MESSAGES:
            return
        now = self._clock()
        seconds = max(now - self._since, 1e-6)
        if seconds <= FLOOD_WINDOW_S or self._messages >= 10 * FLOOD_MESSAGES:
            log.warning(
                "flood: %d messages in %.2f s (%.0f/s, %.1f MiB/s); nothing is dropped",
                self._messages,
                seconds,
                self._messages / seconds,
                self._bytes / seconds / 1_048_576,
            )
        self._since, self._messages, self._bytes = now, 0, 0
