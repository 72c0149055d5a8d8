"""Numbered events: order, replay, and memory that does not grow with deltas."""

from __future__ import annotations

import asyncio

from codex_kernel.core import event_log
from codex_kernel.core.event_log import EventLog
from codex_protocol.events import (
    AgentMessage,
    AgentMessageDelta,
    BackgroundEvent,
    Duration,
    ExecCommandEnd,
    ExecCommandOutputDelta,
)


def note(text: str) -> BackgroundEvent:
    return BackgroundEvent(message=text)


def test_numbers_have_no_gaps_and_every_listener_hears_everything_in_order():
    log = EventLog()
    first, second = [], []
    log.subscribe(first.append)
    log.subscribe(second.append)
    for number in range(5):
        log.emit("0", note(str(number)))
    assert [event.n for event in first] == [1, 2, 3, 4, 5]
    assert first == second


def test_a_late_listener_is_told_what_it_missed():
    log = EventLog()
    for number in range(5):
        log.emit("0", note(str(number)))
    heard = []
    log.subscribe(heard.append, since=(log.boot, 3))
    log.emit("0", note("new"))
    assert [event.n for event in heard] == [4, 5, 6]


def test_deltas_are_replaced_by_the_whole():
    log = EventLog()
    for _ in range(100):
        log.emit("0", AgentMessageDelta(delta="x"))
    log.emit("0", AgentMessage(message="x" * 100))
    heard = []
    log.subscribe(heard.append)
    assert [type(event.event.msg) for event in heard] == [AgentMessage]


def test_output_deltas_go_with_the_end_of_their_own_command():
    log = EventLog()
    for call_id in ("a", "b"):
        log.emit("0", ExecCommandOutputDelta(call_id=call_id, stream="stdout", chunk=b"x"))
    end = ExecCommandEnd(
        call_id="a",
        stdout="x",
        stderr="",
        aggregated_output="x",
        exit_code=0,
        duration=Duration(0, 0),
        formatted_output="x",
    )
    log.emit("0", end)
    heard = []
    log.subscribe(heard.append)
    assert [event.n for event in heard] == [2, 3]


def test_who_is_too_far_behind_is_told_to_ask_for_a_snapshot(monkeypatch):
    monkeypatch.setattr(event_log, "RETAINED_EVENTS", 10)
    log = EventLog()
    for number in range(30):
        log.emit("0", note(str(number)))
    assert log.can_replay((log.boot, 25))
    assert not log.can_replay((log.boot, 5))
    assert not log.can_replay(("another boot", 25))


async def test_a_reader_that_stops_in_the_middle_holds_nobody_back():
    log = EventLog()
    reader = log.events()
    log.emit("0", note("a"))
    assert (await asyncio.wait_for(anext(reader), 1)).n == 1
    for _ in range(1000):
        log.emit("0", note("b"))
    assert (await asyncio.wait_for(anext(reader), 1)).n == 2
    await reader.aclose()


def test_a_few_huge_events_are_not_kept_for_ever(monkeypatch):
    monkeypatch.setattr(event_log, "RETAINED_CHARACTERS", 1000)
    log = EventLog()
    for _ in range(10):
        log.emit("0", AgentMessage(message="x" * 300))
    heard = []
    log.subscribe(heard.append)
    assert [event.n for event in heard] == [8, 9, 10]
    assert not log.can_replay((log.boot, 6))
    assert log.can_replay((log.boot, 7))


def test_pieces_whose_whole_never_comes_are_forgotten_with_the_events(monkeypatch):
    monkeypatch.setattr(event_log, "RETAINED_EVENTS", 10)
    log = EventLog()
    for number in range(1000):
        log.emit("0", ExecCommandOutputDelta(call_id="a", stream="stdout", chunk=b"x"))
        if number % 3 == 0:
            log.emit("0", note(str(number)))
    numbers = [n for kept in log._deltas.values() for n in kept]  # pyright: ignore[reportPrivateUsage]
    assert len(numbers) <= 11
    heard = []
    log.subscribe(heard.append)
    assert [event.n for event in heard] == list(range(log.last - 9, log.last + 1))
