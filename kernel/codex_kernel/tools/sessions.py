"""Commands that outlive the call that began them, by session id: what `write_stdin` talks to."""

from __future__ import annotations

import asyncio

from codex_kernel.tools.running import RunningCommand

MAX_SESSIONS = 64
"""Past it the oldest session makes room: one that has ended already, else one that is ended for it."""


class CommandSessions:
    """The running sessions of one thread. They end with the thread, or when the model lets them."""

    def __init__(self) -> None:
        self._commands: dict[int, RunningCommand] = {}
        self._locks: dict[int, asyncio.Lock] = {}
        self._gone: dict[int, str] = {}

    def make_room(self) -> int | None:
        """Before `keep`: the session that was given up because there are too many; None when there was room."""
        if len(self._commands) < MAX_SESSIONS:
            return None
        free = [key for key in self._commands if not self._locks[key].locked()]
        oldest = next((key for key in free if not self._commands[key].running), free[0] if free else None)
        if oldest is not None:
            self._commands[oldest].process.kill()
            self.forget(oldest, f"was ended to make room: at most {MAX_SESSIONS} are kept")
        return oldest

    def keep(self, command: RunningCommand) -> int:
        """Give a running command an id: five digits, never used in this thread before."""
        from random import randint

        while (session_id := randint(10_000, 99_999)) in self._commands or session_id in self._gone:  # noqa: S311  # a name, not a secret
            pass
        self._commands[session_id] = command
        self._locks[session_id] = asyncio.Lock()
        return session_id

    def find(self, session_id: int) -> RunningCommand | None:
        """The session's command; None when there is no such session (any more)."""
        return self._commands.get(session_id)

    def forget(self, session_id: int, why: str) -> None:
        """There is no such session any more; `why` ends the sentence "session N …" for who still asks for it."""
        self._commands.pop(session_id, None)
        self._locks.pop(session_id, None)
        self._gone[session_id] = why

    def about_missing(self, session_id: float) -> str:
        """What the model is told when `find` finds nothing."""
        if session_id in self._gone:
            return f"session {session_id:g} {self._gone[int(session_id)]}"
        running = ", ".join(map(str, self.running())) or "none"
        return f"unknown session id {session_id:g}; sessions that run: {running}"

    def lock(self, session_id: int) -> asyncio.Lock:
        """Held by the call that types into a session there is, or waits for it; others queue."""
        return self._locks[session_id]

    def is_claimed(self, command: RunningCommand) -> bool:
        """Whether a call is waiting for this command."""
        return any(found is command and self._locks[key].locked() for key, found in self._commands.items())

    def running(self) -> dict[int, RunningCommand]:
        """The sessions that still run, oldest first."""
        return {key: command for key, command in self._commands.items() if command.running}

    def stop_all(self) -> int:
        """End every session; returns how many were running."""
        running = self.running()
        for command in running.values():
            command.process.kill()
        return len(running)

    async def aclose(self) -> None:
        """End every session and wait until everything is freed."""
        commands = list(self._commands.values())
        self._commands.clear()
        if commands:
            await asyncio.gather(*(command.aclose() for command in commands))
