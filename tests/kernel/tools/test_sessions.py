"""Sessions: which one makes room."""

from __future__ import annotations

from codex_kernel.tools.sessions import MAX_SESSIONS, CommandSessions


class Fake:
    def __init__(self, *, running: bool = True) -> None:
        self.running = running
        self.killed = False
        self.process = self

    def kill(self) -> None:
        self.killed = True


def test_an_ended_session_makes_room_before_one_that_still_runs():
    sessions = CommandSessions()
    server = Fake()
    kept = sessions.keep(server)
    others = [Fake(running=number != 7) for number in range(MAX_SESSIONS)]
    for other in others:
        sessions.keep(other)
    assert sessions.find(kept) is server
    assert not server.killed
    assert others[7].killed
    sessions.keep(Fake())
    assert server.killed
