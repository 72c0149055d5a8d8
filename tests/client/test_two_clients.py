"""Two clients on one thread, one of them killed at random moments: nothing is lost, nothing doubled."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codex_client import AsyncCodex
from codex_client.connection import Connection
from codex_protocol.attach import Snapshot, read_event
from codex_protocol.events import AgentMessage, NumberedEvent, TaskComplete, TaskStarted, UserMessage
from codex_protocol.ops import TextInput, UserInput
from tests.support.codex_clients import kernel_of, make_home
from tests.support.model_server import ModelServer, Request
from tests.support.replies import Reply, says

TURNS = 12
_CLIENT = """
import asyncio, sys
from codex_client.connection import Connection
from codex_protocol.attach import Snapshot
from codex_protocol.ops import TextInput, UserInput

async def main():
    connection = await Connection.connect(sys.argv[1], client="victim")
    connection.listen(lambda told: None)
    await connection.attach()
    print("attached", flush=True)
    n = 0
    while True:  # the same inputs again and again: their ids say which they are
        await connection.submit(UserInput(items=(TextInput(f"victim {n}"),), client_id=f"victim {n}"))
        n += 1
        await asyncio.sleep(0.01)

asyncio.run(main())
"""


@pytest.fixture
def server() -> Iterator[ModelServer]:
    def answer(request: Request) -> Reply:
        return says(f"answer {request.number}", delta_chars=3)

    with ModelServer(answer) as made:
        yield made


class Log:
    """Everything one client was told, by number."""

    def __init__(self) -> None:
        self.events: list[NumberedEvent] = []
        self.snapshots = 0
        self._news = asyncio.Event()

    def __call__(self, told: NumberedEvent | Snapshot) -> None:
        if isinstance(told, Snapshot):
            self.snapshots += 1
            self.events = [event for content in told.events if (event := read_event(content)) is not None]
        else:
            self.events.append(told)
        self._news.set()

    def all(self, kind: type) -> list[Any]:
        return [told.event.msg for told in self.events if isinstance(told.event.msg, kind)]

    async def until(self, check: Any) -> None:
        async with asyncio.timeout(30):
            while not check():
                self._news.clear()
                await self._news.wait()


def start_victim(file: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", _CLIENT, file], stdout=subprocess.PIPE, text=True)


async def test_a_client_that_is_killed_again_and_again_costs_the_other_nothing(
    tmp_path: Path, server: ModelServer
) -> None:
    chance = random.Random(20261122)
    settings = make_home(tmp_path, server)
    async with AsyncCodex(**settings) as codex:
        thread = await codex.thread_start()
        file = str(kernel_of(thread).connection_file)
        log = Log()
        witness = await Connection.connect(file, client="witness")
        witness.listen(log)
        await witness.attach()
        for n in range(TURNS):
            victim = start_victim(file)
            assert victim.stdout is not None
            assert await asyncio.to_thread(victim.stdout.readline) == "attached\n"
            mine = asyncio.ensure_future(
                witness.submit(UserInput(items=(TextInput(f"mine {n}"),), client_id=f"mine {n}"))
            )
            await asyncio.sleep(chance.random() * 0.1)
            os.kill(victim.pid, signal.SIGKILL)
            await asyncio.to_thread(victim.communicate)
            await mine
        await log.until(lambda: {f"mine {n}" for n in range(TURNS)} <= {msg.client_id for msg in log.all(UserMessage)})
        await log.until(lambda: len(log.all(TaskComplete)) == len(log.all(TaskStarted)))
        await witness.catch_up()

        numbers = [told.n for told in log.events]
        assert numbers == sorted(set(numbers))
        assert numbers == list(range(1, numbers[-1] + 1))
        taken = [msg.client_id for msg in log.all(UserMessage)]
        assert len(taken) == len(set(taken))
        late = Log()
        second = await Connection.connect(file, client="late")
        second.listen(late)
        await second.attach()
        assert [msg.client_id for msg in late.all(UserMessage)] == taken
        assert late.all(AgentMessage) == log.all(AgentMessage)
        await second.aclose()
        await witness.aclose()


async def test_each_client_sees_what_the_other_asks(tmp_path: Path, server: ModelServer) -> None:
    async with AsyncCodex(**make_home(tmp_path, server)) as codex:
        thread = await codex.thread_start()
        other = await codex.thread_connect(kernel_of(thread).connection_file)
        assert other.id == thread.id
        results = await asyncio.gather(thread.run("from one"), other.run("from the other"))
        assert all(result.status == "completed" for result in results)
        await thread.set_name("shared")
        await other.connection.catch_up()
        assert other.name == "shared"
        await other.aclose()
        assert (await thread.run("still here")).status == "completed"
