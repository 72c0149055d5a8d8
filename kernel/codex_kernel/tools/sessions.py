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
        self._busy: set[int] = set()

    def keep(self, command: RunningCommand) -> int:
        """Give a running command an id: five digits, unused in this thread."""
        if len(self._commands) >= MAX_SESSIONS:
            free = [key for key in self._commands if key not in self._busy]
            oldest = next((key for key in free if not self._commands[key].running), free[0] if free else None)
            if oldest is not None:
                self._commands.pop(oldest).process.kill()
        from random import randint

        while (session_id := randint(10_000, 99_999)) in self._commands:  # noqa: S311  # a name, not a secret
            pass
        self._commands[session_id] = command
        return session_id

    def find(self, session_id: int) -> RunningCommand | None:
        """The session's command; None when there is no such session (any more)."""
        return self._commands.get(session_id)

    def forget(self, session_id: int) -> None:
        """The session's end has been shown to the model."""
        self._commands.pop(session_id, None)

    def claim(self, session_id: int) -> bool:
        """Reserve a session for one call; False when another call uses it."""
        if session_id in self._busy:
            return False
        self._busy.add(session_id)
        return True

    def release(self, session_id: int) -> None:
        """Undo `claim`."""
        self._busy.discard(session_id)

    def is_claimed(self, command: RunningCommand) -> bool:
        """Whether a call is waiting for this command."""
        return any(self._commands.get(key) is command for key in self._busy)

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
