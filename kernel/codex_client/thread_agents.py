"""The agents that have a thread, one after the other: the present one, and the next when that has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

from codex_client.connection import Connection, Listener
from codex_client.errors import KernelLost
from codex_protocol.errors import ThreadError

if TYPE_CHECKING:
    from codex_client.launch import OwnKernel

M = TypeVar("M")
Opened = tuple["OwnKernel | None", Connection]
"""A kernel, None for one that is not ours to end, and a connection to it that is attached."""
MAX_AGENTS = 5
"""So many agents may end, one after the other, before what is asked of them counts as lost."""
_CLOSED = "the thread was closed; open it again with thread_resume"


class Opener(Protocol):
    """Opens a kernel: a new thread's, or the one that has or resumes a thread."""

    async def __call__(self, thread: str | None, or_new: bool = False) -> Opened:
        """The kernel with the thread, or with a new one: for None, and with `or_new` where it was never kept."""
        ...


class ThreadAgents:
    """Opens the next agent when it is needed; `ask` is for what the next one may be asked as well."""

    def __init__(
        self, opened: Opened, opener: Opener | None, told: Listener, on_lost: Callable[[KernelLost], None]
    ) -> None:
        """Listen to nothing yet.

        Args:
            opened: The first one.
            opener: Makes another one when it has gone; None for one that is not ours.
            told: Called with what comes from any of them, in order; see `Connection.listen`.
            on_lost: Called once for each that ended.
        """
        self.kernel, self.connection = opened
        self.closed = False
        """Whether `aclose` was called."""
        self.said_something = False
        """Whether an agent may have kept something of the thread: the next one is to go on with it."""
        self._kept = False
        self._opener, self._listener, self._on_lost = opener, told, on_lost
        self._opening = asyncio.Lock()

    @property
    def go_on(self) -> bool:
        """Whether there is another one when the present one ends."""
        return self._opener is not None and not self.closed

    def note_kept(self) -> None:
        """Something of the thread is surely on disk: an agent that does not find it there must not begin anew."""
        self._kept = self.said_something = True

    async def listen(self) -> None:
        """Follow the thread in the present agent, from a snapshot on; who cannot has left it when this raises."""
        try:
            self.connection.listen(self._listener, self._on_lost)
            await self.connection.attach()
        except BaseException:
            await asyncio.shield(self._leave())
            raise

    async def ensure_open(self) -> None:
        """Start a kernel that resumes the thread, when its own has gone.

        Raises:
            ThreadError: The thread is closed, or is in a kernel that is not ours to start again.
        """
        async with self._opening:
            if self.closed:
                raise ThreadError(_CLOSED)
            if self.connection.lost is None:
                return
            if self._opener is None:
                raise self.connection.lost
            await self._leave()
            known = self.connection.thread_id if self.said_something else None
            self.kernel, self.connection = await self._opener(known, or_new=not self._kept)
            await self.listen()
            if self.closed:
                await self._leave()
                raise ThreadError(_CLOSED)

    async def ask(self, ask: Callable[[Connection], Awaitable[M]]) -> M:
        """What the thread's agent answers; when it ends meanwhile its successor is asked the same.

        Args:
            ask: Asks for what does no harm when it is done twice.
        """
        for left in reversed(range(MAX_AGENTS)):
            await self.ensure_open()
            agent = self.connection
            try:
                return await ask(agent)
            except KernelLost:
                if not left or agent.lost is None or self._opener is None:
                    raise
        raise AssertionError("the last try returns or raises")

    async def aclose(self) -> None:
        """End the present one, if it is ours, and open no other; the thread stays on disk."""
        self.closed = True
        async with self._opening:
            await self._leave()

    async def _leave(self) -> None:
        await self.connection.aclose()
        if self.kernel is not None:
            await self.kernel.aclose()
