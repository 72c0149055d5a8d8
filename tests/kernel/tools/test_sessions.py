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
    others = {
        sessions.keep(other): other for other in (Fake(running=number != 7) for number in range(MAX_SESSIONS - 1))
    }
    ended = next(key for key, other in others.items() if not other.running)
    assert sessions.make_room() == ended
    assert sessions.find(kept) is server
    assert not server.killed
    sessions.keep(Fake())
    assert sessions.make_room() == kept
    assert server.killed


def test_who_asks_for_a_session_that_is_gone_is_told_why_or_which_there_are():
    sessions = CommandSessions()
    kept, other = sessions.keep(Fake()), sessions.keep(Fake())
    sessions.forget(kept, "has ended")
    assert sessions.about_missing(kept) == f"session {kept} has ended"
    assert sessions.about_missing(7.0) == f"unknown session id 7; sessions that run: {other}"
    assert sessions.about_missing(float("inf")) == f"unknown session id inf; sessions that run: {other}"
