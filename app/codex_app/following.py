"""A thread that another program writes, as `codex exec` does: followed from its rollout, to be read and not to be told.

When its writer has ended, the next person's message opens it as any other thread.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from codex_app.rooms import Room
from codex_app.stored_items import Call, draw_items
from codex_client.connection import Connection
from codex_protocol.errors import CodexError, ThreadError
from codex_protocol.items import encode_item
from codex_protocol.policy import mode_of
from codex_render.amounts import count
from codex_render.safe_text import one_line
from codex_store.home import Home
from codex_store.rollout_reader import Rollout, read_rollout
from codex_store.thread_info import ThreadInfo
from codex_store.writer_lock import held_threads

log = logging.getLogger(__name__)

PERIOD_S = 0.5


class FollowedRoom(Room):
    """The thread of another process.

    Args:
        home: Whose thread.
        info: The thread.
        connect: How to open it once nobody else writes it.
    """

    def __init__(self, home: Home, info: ThreadInfo, connect: Callable[[Room], Awaitable[Connection]]) -> None:
        super().__init__(connect)
        self.thread_id = info.id
        self.followed = True
        """Somebody else writes it."""
        self._home = home
        self._info = info
        self._size = -1
        self._drawn = 0
        self._calls: dict[str, Call] = {}
        self._task: asyncio.Task[None] | None = None

    @property
    def is_left(self) -> bool:
        """Not while it is followed."""
        return super().is_left and not self.followed

    async def begin(self) -> None:
        """Show what is there, then what comes.

        Raises:
            RolloutError: It cannot be read.
        """
        self._draw(await asyncio.to_thread(read_rollout, self._info.path))
        self._task = asyncio.ensure_future(self._follow())

    async def connection(self) -> Connection:
        """The connection, once its writer has ended.

        Raises:
            ThreadError: It has not.
        """
        if self.followed:
            raise ThreadError("another program runs this thread; it can be read here, and goes on here when that ends")
        return await super().connection()

    async def aclose(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
        await super().aclose()

    async def _follow(self) -> None:
        while self.followed:
            await asyncio.sleep(PERIOD_S)
            held = self.thread_id in await asyncio.to_thread(held_threads, self._home.root)
            try:
                size = self._info.path.stat().st_size
                if size != self._size or not held:
                    self._size = size
                    self._draw(await asyncio.to_thread(read_rollout, self._info.path))
            except (OSError, CodexError) as error:
                log.warning("the thread cannot be followed: %s", error)
                held = False
            if not held:
                self.followed = False
                self.hub.say(read_only=None, busy=False)

    def _draw(self, rollout: Rollout) -> None:
        drawing = self.hub.drawing
        fresh = rollout.items[self._drawn :]
        self._drawn += len(fresh)
        draw_items((msgspec.json.decode(encode_item(item)) for item in fresh), drawing, self._calls)
        for id, entry in drawing.entries.items():
            if entry.whole:  # an output came to a call that was shown already
                drawing.touched[id] = None
        self.hub.say(**_facts(rollout), busy=rollout.broken_off, read_only=self._info.source or "another program")


def _facts(rollout: Rollout) -> dict[str, Any]:
    """What the head shows of a thread that somebody else runs."""
    context = rollout.turn_context
    sandbox = None if context is None else context.sandbox()
    return {
        "thread": rollout.meta.id.lower(),
        "cwd": rollout.cwd,
        "where": one_line(rollout.cwd),
        "directory": one_line(rollout.cwd),
        "name": None if rollout.name is None else one_line(rollout.name),
        "branch": None if rollout.meta.git is None else one_line(rollout.meta.git.branch or "") or None,
        "model": one_line(context.model) if context is not None else "",
        "provider": one_line(rollout.meta.model_provider or ""),
        "approval": one_line(context.approval_policy or "") if context is not None else "",
        "sandbox": None if sandbox is None else mode_of(sandbox).value,
        "tokens": count(rollout.usage.blended()),
    }
