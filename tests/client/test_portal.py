"""Blocking code on a loop in another thread: callbacks come back, Ctrl-C goes in, errors pass."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator

import pytest

from codex_client.portal import Portal, in_caller


@pytest.fixture
def portal() -> Iterator[Portal]:
    made = Portal()
    yield made
    made.close()


def test_results_and_errors_pass(portal: Portal) -> None:
    async def answer() -> int:
        return 5

    async def fail() -> None:
        raise LookupError("mine")

    assert portal.run(answer()) == 5
    with pytest.raises(LookupError, match="mine"):
        portal.run(fail())


def test_callbacks_run_in_the_callers_thread_and_their_errors_go_to_who_asked(portal: Portal) -> None:
    def where() -> int:
        return threading.get_ident()

    def fail() -> None:
        raise LookupError("theirs")

    async def work() -> tuple[int, str]:
        there = await in_caller(where)
        try:
            await in_caller(fail)
        except LookupError as error:
            return there, str(error)
        return there, ""

    assert portal.run(work()) == (threading.get_ident(), "theirs")


def test_two_threads_wait_side_by_side(portal: Portal) -> None:
    meeting = asyncio.Event()
    seen: list[int] = []

    async def wait() -> None:
        await asyncio.wait_for(meeting.wait(), 10)

    async def call() -> None:
        seen.append(await in_caller(threading.get_ident))
        meeting.set()

    other = threading.Thread(target=portal.run, args=(wait(),))
    other.start()
    portal.run(call())
    other.join(10)
    assert not other.is_alive()
    assert seen == [threading.get_ident()]


def test_ctrl_c_cancels_the_work_lets_it_clean_up_and_is_raised(portal: Portal) -> None:
    cleaned: list[bool] = []

    async def work() -> None:
        try:
            await in_caller(os.kill, os.getpid(), signal.SIGINT)
            await asyncio.sleep(30)
        finally:
            await asyncio.sleep(0)
            cleaned.append(True)

    with pytest.raises(KeyboardInterrupt):
        portal.run(work())
    assert cleaned == [True]


def test_a_coroutine_is_awaited_where_there_is_no_caller_thread() -> None:
    async def double(n: int) -> int:
        return 2 * n

    assert asyncio.run(in_caller(double, 4)) == 8


def test_a_closed_portal_starts_again(portal: Portal) -> None:
    async def answer() -> int:
        return 1

    assert portal.run(answer()) == 1
    portal.close()
    assert portal.run(answer()) == 1
