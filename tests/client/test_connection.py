"""A connection to a kernel that loses, repeats, refuses, restarts and dies."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from codex_client.connection import Connection
from codex_client.errors import KernelLost
from codex_protocol.attach import Position, Replay, Snapshot
from codex_protocol.errors import ThreadError, UsageError
from codex_protocol.events import BackgroundEvent, Event, NumberedEvent
from codex_protocol.ops import Interrupt
from tests.support.fake_kernel import FakeKernel


@pytest.fixture
async def kernel(tmp_path: Path) -> AsyncIterator[FakeKernel]:
    async with FakeKernel(tmp_path) as made:
        yield made


class Told:
    def __init__(self) -> None:
        self.all: list[Any] = []
        self.lost: list[KernelLost] = []
        self._news = asyncio.Event()

    def __call__(self, told: Any) -> None:
        self.all.append(told)
        self._news.set()

    def gone(self, error: KernelLost) -> None:
        self.lost.append(error)
        self._news.set()

    @property
    def numbers(self) -> list[int]:
        return [each.n for each in self.all if isinstance(each, NumberedEvent)]

    async def until(self, check: Any) -> None:
        async with asyncio.timeout(10):
            while not check():
                self._news.clear()
                await self._news.wait()


async def attached(kernel: FakeKernel, **options: Any) -> tuple[Connection, Told]:
    told = Told()
    connection = await Connection.connect(kernel.info, **options)
    connection.listen(told, told.gone)
    await connection.attach()
    return connection, told


async def test_a_client_is_told_a_snapshot_and_then_what_happens(kernel: FakeKernel) -> None:
    connection, told = await attached(kernel)
    assert isinstance(told.all[0], Snapshot)
    assert connection.thread_id == "t1"
    # Events reach subscribers only; a replay brings what came before the subscription was there.
    for n in range(50):
        kernel.emit(BackgroundEvent(message=str(n)))
    await connection.catch_up()
    assert told.numbers == list(range(1, 51))
    await connection.aclose()


async def test_lost_events_are_asked_for_again(kernel: FakeKernel) -> None:
    connection, told = await attached(kernel)
    await connection.catch_up()
    kernel.lose = {2, 3, 7}
    for n in range(10):
        kernel.emit(BackgroundEvent(message=str(n)))
    await told.until(lambda: len(told.numbers) == 10)
    assert told.numbers == list(range(1, 11))
    assert any(isinstance(request, Replay) and request.since == Position("boot-1", 1) for request in kernel.requests)
    await connection.aclose()


async def test_events_of_an_unknown_kind_and_rubbish_cost_nothing(kernel: FakeKernel) -> None:
    connection, told = await attached(kernel)
    kernel.emit(BackgroundEvent(message="1"))
    await connection.catch_up()
    event = {"type": "event", "boot": "boot-1", "id": ""}
    kernel.send({**event, "n": 2, "msg": {"type": "of_tomorrow"}})
    kernel.send({"nothing": 1})
    kernel.send(
        {"type": "event", "boot": "boot-1", "n": 3, "id": "", "msg": {"type": "background_event", "message": 5}}
    )
    kernel.send(
        {"type": "event", "boot": "boot-1", "n": 4, "id": "", "msg": {"type": "background_event", "message": "x"}}
    )
    await told.until(lambda: told.numbers and told.numbers[-1] == 4)
    assert told.numbers == [1, 4]
    await connection.aclose()


async def test_another_boot_is_told_as_a_snapshot(kernel: FakeKernel) -> None:
    connection, told = await attached(kernel)
    kernel.emit(BackgroundEvent(message="old"))
    await connection.catch_up()
    kernel.reboot()
    kernel.emit(BackgroundEvent(message="new"))
    await told.until(lambda: sum(isinstance(each, Snapshot) for each in told.all) == 2)
    assert connection.position == Position("boot-2", 1)
    await connection.aclose()


async def test_a_refusal_is_its_sentence(kernel: FakeKernel) -> None:
    kernel.refuse = "restart this thread"
    connection = await Connection.connect(kernel.info)
    with pytest.raises(ThreadError, match="restart this thread"):
        await connection.attach()
    await connection.aclose()


async def test_requests_are_answered_each_with_its_own_reply(kernel: FakeKernel) -> None:
    connection, _ = await attached(kernel)
    answers = await asyncio.gather(*(connection.query(f"q{n}") for n in range(20)))
    assert answers == [f"q{n}" for n in range(20)]
    assert await connection.submit(Interrupt(), "mine") == "mine"
    await connection.aclose()


async def test_a_kernel_that_does_not_answer_is_lost_for_who_asked(kernel: FakeKernel) -> None:
    kernel.silent = True
    connection = await Connection.connect(kernel.info)
    with pytest.raises(KernelLost, match="did not answer"):
        await connection.attach(timeout_s=0.1)
    await connection.aclose()


async def test_a_dead_kernel_is_noticed_and_fails_what_waits(kernel: FakeKernel) -> None:
    async def gone() -> bool:
        return False

    connection, told = await attached(kernel, is_alive=gone)
    kernel.silent = True
    waiting = asyncio.ensure_future(connection.query("x"))
    await asyncio.sleep(0)
    await kernel.die()
    await told.until(lambda: told.lost)
    with pytest.raises(KernelLost, match="process has ended"):
        await waiting
    with pytest.raises(KernelLost):
        await connection.submit(Interrupt())
    await connection.aclose()


async def test_a_kernel_that_is_back_is_attached_to_again(kernel: FakeKernel, tmp_path: Path) -> None:
    connection, told = await attached(kernel)
    kernel.emit(BackgroundEvent(message="1"))
    await connection.catch_up()
    await kernel.die()
    again = FakeKernel(tmp_path)
    again.events = list(kernel.events)
    async with again:
        await connection.catch_up()
        again.emit(BackgroundEvent(message="2"))
        await connection.catch_up()
        assert told.numbers == [1, 2]
        assert not told.lost
        await connection.aclose()


async def test_a_question_that_went_with_the_connection_is_asked_again(kernel: FakeKernel, tmp_path: Path) -> None:
    connection, told = await attached(kernel)
    kernel.silent = True
    answered = asyncio.ensure_future(connection.catch_up())
    async with asyncio.timeout(10):
        await kernel.passed_over.wait()
    await kernel.die()
    again = FakeKernel(tmp_path)
    again.events = [NumberedEvent("boot-1", 1, Event("", BackgroundEvent(message="1")))]
    async with again, asyncio.timeout(10):
        await answered
        assert told.numbers == [1]
        await connection.aclose()


async def test_a_wrong_key_reaches_nobody(kernel: FakeKernel) -> None:
    connection = await Connection.connect({**kernel.info, "key": "other"})
    with pytest.raises(KernelLost):
        await connection.attach(timeout_s=0.2)
    await connection.aclose()


@pytest.mark.parametrize("content", ["", "no json", "[1]", "{}", None])
async def test_a_file_that_is_no_connection_file_is_said_so(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "c.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UsageError, match=r"c\.json"):
        await Connection.connect(file)


async def test_a_connection_file_is_enough(kernel: FakeKernel, tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    file.write_text(json.dumps(kernel.info))
    connection = await Connection.connect(file)
    assert (await connection.attach()).thread_id == "t1"
    await connection.aclose()
