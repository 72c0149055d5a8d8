"""How a thread's agents are reached: the one that has it open is joined, else one is started."""

from __future__ import annotations

import asyncio
from pathlib import Path

from codex_client.approvals import place
from codex_client.connection import Connection
from codex_client.errors import KernelLost
from codex_client.launch import attach, start_attached
from codex_client.thread_agents import Opened
from codex_client.thread_settings import Settings
from codex_protocol.errors import ThreadError
from codex_store.home import Home
from codex_store.running import RunningThread, running_thread

_OPENING_TRIES, _OPENING_S = 20, 0.1
"""So often a thread that somebody has just opened is looked for."""


class Way:
    """Opens one thread, as often as it needs an agent."""

    def __init__(self, settings: Settings, *, can_answer: bool, fork: str | None, own: bool) -> None:
        """Open nothing yet.

        Args:
            settings: For agents that are started.
            can_answer: Approvals can be offered to us.
            fork: The thread that a new one begins with.
            own: Settings were given for this thread, so that its first agent must be ours.
        """
        self._settings, self._can_answer, self._fork, self._own = settings, can_answer, fork, own

    async def open(self, thread: str | None, or_new: bool = False) -> Opened:
        """An agent with the thread of that id or name; with a new one where there is none and `or_new` is set.

        Raises:
            KernelLost: The one that had it open has just ended; the next try may find another.
            CodexError: It cannot be opened.
        """
        home = self._settings.home()
        if or_new and thread is not None and not await asyncio.to_thread(_is_known, home, thread):
            thread = None
        tries = 0
        while True:
            running = None if thread is None else await asyncio.to_thread(_running, home, thread)
            if running is not None:
                if self._own:
                    raise ThreadError(
                        f"this thread runs in process {running.pid}: settings count where an agent starts; "
                        "leave them out to join it, or close it there first"
                    )
                return None, await _join(home, running, self._can_answer)
            try:
                opened = await self._start(home, thread)
            except ThreadError:
                tries += 1
                if thread is None or tries > _OPENING_TRIES or not await asyncio.to_thread(_is_held, home, thread):
                    raise
                await asyncio.sleep(_OPENING_S)  # somebody else was faster, and says so in a moment
            else:
                self._own = False  # another one may go on with it from now on
                return opened

    async def _start(self, home: Home, thread: str | None) -> Opened:
        fork = self._fork if thread is None else None
        options = self._settings.options(resume=thread, fork=fork)
        return await start_attached(
            options, self._settings.env, client=place(), can_answer=self._can_answer, fork=self._settings.fork
        )


def _running(home: Home, thread: str) -> RunningThread | None:
    """The running thread of that id, which need not be on disk yet, or of that name."""
    from codex_store.thread_ids import is_thread_id
    from codex_store.threads import find_thread

    return running_thread(home, thread if is_thread_id(thread) else find_thread(home, thread).id)


async def _join(home: Home, running: RunningThread, can_answer: bool) -> Connection:
    async def is_alive() -> bool:
        found = await asyncio.to_thread(running_thread, home, running.thread_id)
        return found is not None and found.connection_file == running.connection_file

    connection = await Connection.connect(
        Path(running.connection_file), client=place(), can_answer=can_answer, is_alive=is_alive
    )
    await attach(connection, is_alive, lambda: KernelLost("the agent that had the thread open has ended"))
    return connection


def _is_known(home: Home, thread_id: str) -> bool:
    from codex_store.rollout_paths import find_rollout

    return running_thread(home, thread_id) is not None or find_rollout(home, thread_id) is not None


def _is_held(home: Home, thread: str) -> bool:
    """Whether a process writes to it: one that has just opened it, or a program that cannot be joined."""
    from codex_store.threads import find_thread
    from codex_store.writer_lock import held_threads

    return find_thread(home, thread).id in held_threads(home.root)
