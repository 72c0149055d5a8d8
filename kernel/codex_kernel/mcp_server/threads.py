"""The threads the server runs: started off the loop's hot path, ended together."""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol

from codex_kernel.mcp_server.messages import RequestId
from codex_protocol.events import NumberedEvent
from codex_protocol.ops import Op

if TYPE_CHECKING:
    from codex_kernel.config.types import Config

ORIGINATOR = "codex_mcp_server"
_CLOSE_S = 5.0


Spawn = Callable[[Coroutine[Any, Any, None], RequestId | None], object]
"""Runs work beside the loop; should it fail in an unforeseen way, the request of that id is answered with an error."""


class ServedThread(Protocol):
    """What the server needs of `core.Thread`."""

    @property
    def id(self) -> str:
        """The thread's id."""
        ...

    @property
    def busy(self) -> bool:
        """Whether a turn runs."""
        ...

    def submit(self, op: Op, id: str | None = None) -> str:
        """Queue an op."""
        ...

    def subscribe(self, listener: Callable[[NumberedEvent], None]) -> Callable[[], None]:
        """Call `listener` with every event from the first on."""
        ...

    def answers_servers(self) -> None:
        """Its MCP servers' questions are shown and answered."""
        ...

    async def aclose(self) -> None:
        """End it and every process it started."""
        ...


StartThread = Callable[["Config", bool], Awaitable[ServedThread]]
"""Starts a thread with settings; the flag says whether somebody can answer its approvals."""


async def start_thread(config: Config, can_ask: bool) -> ServedThread:
    """A thread of the core. Its modules are loaded beside the loop, so that other requests are answered meanwhile."""
    await asyncio.to_thread(importlib.import_module, "codex_kernel.core.thread")
    from codex_kernel.core.thread import Thread

    return await Thread.start(config, can_ask=can_ask, originator=_originator())


class Threads:
    """Every thread of the server, by id."""

    def __init__(self, start: StartThread = start_thread) -> None:
        self._start = start
        self._all: list[ServedThread] = []
        self._closed = False

    async def start(self, config: Config, *, can_ask: bool) -> ServedThread:
        """A new thread.

        Raises:
            CodexError: It cannot start.
        """
        thread = await self._start(config, can_ask)
        if self._closed:  # the end came while it started
            await thread.aclose()
            raise asyncio.CancelledError
        self._all.append(thread)
        return thread

    async def aclose(self) -> None:
        """End all, side by side; one that takes too long is left to the end of the process."""
        self._closed = True
        closing = [asyncio.create_task(thread.aclose()) for thread in self._all]
        if closing:
            await asyncio.wait(closing, timeout=_CLOSE_S)


def _originator() -> str:
    given = os.environ.get("CODEX_INTERNAL_ORIGINATOR_OVERRIDE", "")
    return given if given.isascii() and given.isprintable() and given.strip() else ORIGINATOR
