"""Every event once and in order, whatever the way does to them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_client.event_order import EventOrder
from codex_protocol.attach import Attached, Position, Snapshot
from codex_protocol.errors import UsageError
from codex_protocol.events import SessionConfigured, TurnContextChanged
from codex_protocol.policy import ApprovalPolicy, ReadOnly


def event(n: int, boot: str = "a") -> dict[str, Any]:
    return {"type": "event", "boot": boot, "n": n, "id": "", "msg": {"type": "shutdown_complete"}}


def numbers(news: list[Any]) -> list[int]:
    return [each["n"] for each in news if isinstance(each, dict)]


def attached(last: int, *replay: int, boot: str = "a", snapshot: Snapshot | None = None) -> Attached:
    return Attached(
        thread_id="t", boot=boot, last=last, replay=tuple(event(n, boot) for n in replay), snapshot=snapshot
    )


def snapshot() -> Snapshot:
    return Snapshot(
        configured=SessionConfigured(session_id="t", model="m"),
        settings=TurnContextChanged(
            cwd="/", approval_policy=ApprovalPolicy.NEVER, sandbox_policy=ReadOnly(), model="m"
        ),
        items=(),
        events=(),
    )


def test_what_comes_before_the_attachment_waits_for_it() -> None:
    order = EventOrder()
    assert order.take_event(event(3)) == []
    assert order.take_event(event(4)) == []
    assert numbers(order.take_attached(attached(3, snapshot=snapshot()))) == [4]
    assert order.position == Position("a", 4)


def test_a_gap_is_noticed_and_closed_by_a_replay() -> None:
    order = EventOrder()
    order.take_attached(attached(1, snapshot=snapshot()))
    assert order.take_event(event(3)) == []
    assert order.waiting
    assert order.position == Position("a", 1)
    assert numbers(order.take_attached(attached(4, 2, 3, 4))) == [2, 3, 4]
    assert not order.waiting
    assert numbers(order.take_event(event(5))) == [5]


def test_a_replay_may_leave_out_what_a_later_event_says_whole() -> None:
    order = EventOrder()
    order.take_attached(attached(1, snapshot=snapshot()))
    order.take_event(event(5))
    assert numbers(order.take_attached(attached(5, 4, 5))) == [4, 5]
    assert numbers(order.take_event(event(6))) == [6]


def test_repetitions_are_dropped() -> None:
    order = EventOrder()
    order.take_attached(attached(3, snapshot=snapshot()))
    assert order.take_event(event(3)) == []
    assert order.take_event(event(1)) == []
    assert not order.waiting


def test_another_boot_asks_for_a_snapshot_and_the_old_one_says_nothing_more() -> None:
    order = EventOrder()
    order.take_attached(attached(3, snapshot=snapshot()))
    assert order.take_event(event(1, "b")) == []
    assert order.waiting
    assert order.take_event(event(4, "a")) == []
    news = order.take_attached(attached(1, boot="b", snapshot=snapshot()))
    assert [type(each) for each in news] == [Snapshot]
    assert not order.waiting
    assert order.take_event(event(5, "a")) == []
    assert not order.waiting
    assert numbers(order.take_event(event(2, "b"))) == [2]


def test_what_came_before_the_end_is_told_when_nobody_can_be_asked_any_more() -> None:
    order = EventOrder()
    order.take_attached(attached(1, snapshot=snapshot()))
    order.ask_again()
    for n in (2, 3, 5):
        assert order.take_event(event(n)) == []
    assert numbers(order.give_up()) == [2, 3]
    assert order.position == Position("a", 3)
    assert order.give_up() == []


def test_what_is_no_event_is_said_so() -> None:
    with pytest.raises(UsageError, match="not understood"):
        EventOrder().take_event({"type": "event", "n": "x"})


@settings(max_examples=200, deadline=None)
@given(
    total=st.integers(1, 40),
    lost=st.sets(st.integers(1, 40)),
    repeated=st.sets(st.integers(1, 40)),
    delays=st.lists(st.integers(0, 5), min_size=1, max_size=40),
)
def test_nothing_is_lost_and_nothing_doubled(total: int, lost: set[int], repeated: set[int], delays: list[int]) -> None:
    """A replay is answered some events after it was asked for; the last event always comes."""
    order, got = EventOrder(), list[int]()
    got += numbers(order.take_attached(attached(0, snapshot=snapshot())))
    answer_at: int | None = None
    asked = 0
    for n in range(1, total + 1):
        if n not in lost or n == total:
            got += numbers(order.take_event(event(n)))
            if n in repeated:
                got += numbers(order.take_event(event(n)))
        if order.waiting and answer_at is None:
            answer_at = n + delays[asked % len(delays)]
            asked += 1
        if answer_at is not None and n >= answer_at:
            answer_at = None
            since = order.position.n if order.position else 0
            got += numbers(order.take_attached(attached(n, *range(since + 1, n + 1))))
    while order.waiting:
        since = order.position.n if order.position else 0
        got += numbers(order.take_attached(attached(total, *range(since + 1, total + 1))))
    assert got == list(range(1, total + 1))
