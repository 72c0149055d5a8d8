"""An agent that ends while a client asks it: the thread goes on in another one, and what was asked is in it once.

Each test forces one moment: agents are stopped by signals and clients made deaf, nothing depends on who is faster.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from codex_client import AsyncCodex, KernelLost
from codex_client.async_thread import AsyncThread
from codex_client.async_turn import AsyncTurn
from codex_client.thread_agents import Opened
from codex_protocol.errors import ThreadError
from codex_protocol.events import TaskStarted, UserMessage
from tests.support.codex_clients import kernel_of, make_home
from tests.support.model_server import ModelServer
from tests.support.replies import Reply, says

FIRST = says("one")


def held() -> Reply:
    return says("late").but(hold_after_events=0)


@pytest.fixture
def settings(tmp_path: Path, server: ModelServer) -> dict[str, Any]:
    return {**make_home(tmp_path, server), "approvals": "deny"}


@pytest.fixture
async def codex(settings: dict[str, Any]) -> AsyncIterator[AsyncCodex]:
    async with AsyncCodex(**settings) as made:
        yield made


@pytest.fixture
async def thread(server: ModelServer, codex: AsyncCodex) -> AsyncThread:
    """One turn of it is done; `then` says how the model answers the next ones."""
    server.script = [FIRST]
    made = await codex.thread_start()
    await made.run("first")
    return made


def then(server: ModelServer, *replies: Reply) -> None:
    server.script = [FIRST, *replies]


async def until(check: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not check():  # noqa: ASYNC110 - what is on disk has no event
            await asyncio.sleep(0.01)


def rollout(tmp_path: Path) -> str:
    return "".join(path.read_text() for path in (tmp_path / "home" / "sessions").rglob("*.jsonl"))


def kill(thread: AsyncThread) -> None:
    """Its agent's process is gone on return, and this loop has not looked at anything meanwhile."""
    pid = kernel_of(thread).pid
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def deafen(thread: AsyncThread) -> None:
    """The client hears neither replies nor events of its present agent any more."""
    connection = thread.connection
    connection._unpack = lambda frames: None  # type: ignore[method-assign]


async def asked(thread: AsyncThread) -> None:
    """A request of the client's has left it."""
    await until(lambda: thread.connection._replies)  # pyright: ignore[reportPrivateUsage]


async def nothing() -> None: ...


def watch_opening(
    thread: AsyncThread,
    *,
    before: Callable[[], Awaitable[Any]] = nothing,
    after: Callable[[], Awaitable[Any]] = nothing,
) -> list[str | None]:
    """The threads that its next agents are opened with, as they are; something is waited for before and after."""
    opened: list[str | None] = []
    agents = thread._agents  # pyright: ignore[reportPrivateUsage]
    opener = agents._opener  # pyright: ignore[reportPrivateUsage]
    assert opener is not None

    async def watched(thread: str | None, or_new: bool = False) -> Opened:
        opened.append(thread)
        await before()
        made = await opener(thread, or_new)
        await after()
        return made

    agents._opener = watched  # pyright: ignore[reportPrivateUsage]
    return opened


def times_asked(server: ModelServer, text: str) -> int:
    return str(server.requests[-1].input).count(text)


async def test_an_agent_that_is_dead_before_its_client_knows_costs_the_turn_nothing(
    server: ModelServer, thread: AsyncThread
) -> None:
    then(server, says("two"))
    kill(thread)
    assert thread.connection.lost is None
    assert (await thread.run("the second")).final_response == "two"
    assert times_asked(server, "the second") == 1


async def test_an_agent_that_never_reads_what_was_asked_costs_the_turn_nothing(
    server: ModelServer, thread: AsyncThread
) -> None:
    then(server, says("two"))
    os.kill(kernel_of(thread).pid, signal.SIGSTOP)
    running = asyncio.ensure_future(thread.run("the second"))
    await asked(thread)
    kill(thread)
    assert (await running).final_response == "two"
    assert times_asked(server, "the second") == 1


async def test_a_new_thread_whose_first_input_was_never_taken_begins_anew(
    server: ModelServer, codex: AsyncCodex
) -> None:
    server.script = [FIRST]
    thread = await codex.thread_start()
    os.kill(kernel_of(thread).pid, signal.SIGSTOP)
    running = asyncio.ensure_future(thread.run("the first"))
    await asked(thread)
    kill(thread)
    assert (await running).final_response == "one"
    assert times_asked(server, "the first") == 1


async def test_an_agent_that_is_told_to_end_while_it_is_asked_takes_the_input_or_leaves_it_to_the_next(
    server: ModelServer, thread: AsyncThread
) -> None:
    then(server, *[says("two")] * 3)
    os.kill(kernel_of(thread).pid, signal.SIGSTOP)
    running = asyncio.ensure_future(thread.run("the second"))
    await asked(thread)
    os.kill(kernel_of(thread).pid, signal.SIGTERM)
    os.kill(kernel_of(thread).pid, signal.SIGCONT)
    assert (await running).final_response == "two"
    assert times_asked(server, "the second") == 1


async def test_input_that_was_taken_unheard_is_answered_by_the_next_agent_and_is_in_the_thread_once(
    server: ModelServer, thread: AsyncThread, tmp_path: Path
) -> None:
    then(server, held(), says("two"))
    deafen(thread)
    running = asyncio.ensure_future(thread.run("the second"))
    await asyncio.to_thread(server.wait_for, 2)  # the model is asked what is on disk
    kill(thread)
    result = await running
    assert (result.status, result.final_response) == ("completed", "two")
    assert times_asked(server, "the second") == 1
    assert rollout(tmp_path).count("the second") == 1


async def test_a_turn_that_ended_unheard_is_told_by_the_next_agent_and_costs_no_request(
    server: ModelServer, thread: AsyncThread, tmp_path: Path
) -> None:
    then(server, says("two"), says("three"))
    deafen(thread)
    running = asyncio.ensure_future(thread.run("the second"))
    await until(lambda: rollout(tmp_path).count('"task_complete"') == 2)
    kill(thread)
    result = await running
    assert (result.status, result.final_response) == ("completed", "two")
    assert len(server.requests) == 2
    assert (await thread.run("third")).final_response == "three"
    assert times_asked(server, "the second") == 1


async def test_a_turn_that_a_person_stopped_unheard_is_not_begun_again(
    server: ModelServer, thread: AsyncThread, codex: AsyncCodex, tmp_path: Path
) -> None:
    then(server, held())
    person = await codex.thread_connect(kernel_of(thread).connection_file)
    deafen(thread)
    running = asyncio.ensure_future(thread.run("the second"))
    await until(lambda: person.running_turn)
    await person.interrupt()
    await until(lambda: '"turn_aborted"' in rollout(tmp_path))
    kill(thread)
    before = len(server.requests)
    assert (await running).status == "interrupted"
    assert len(server.requests) == before


async def begun(turn: AsyncTurn) -> list[str]:
    heard: list[str] = []
    async with asyncio.timeout(60):
        async for event in turn.stream():
            heard.append(type(event).__name__)
            if isinstance(event, UserMessage):
                break
    return heard


async def _killed(thread: AsyncThread) -> None:
    kill(thread)


async def _closed(thread: AsyncThread) -> None:
    await thread.aclose()


@pytest.mark.parametrize("end", [_killed, _closed])
async def test_a_turn_the_model_has_not_answered_goes_on_when_its_agent_ends(
    server: ModelServer,
    thread: AsyncThread,
    settings: dict[str, Any],
    end: Callable[[AsyncThread], Awaitable[None]],
) -> None:
    then(server, held(), says("two"))
    async with AsyncCodex(**settings) as ours:
        joined = await ours.thread_resume(thread.id)
        assert joined.kernel is None
        turn = await joined.turn("the second")
        heard = await begun(turn)
        await asyncio.to_thread(server.wait_for, 2)
        await end(thread)
        heard += [type(event).__name__ async for event in turn.stream()]
        assert (await turn.result()).final_response == "two"
        assert [heard.count(kind.__name__) for kind in (TaskStarted, UserMessage)] == [1, 1]
        assert "AgentMessage" in heard
        assert times_asked(server, "the second") == 1
        assert "turn_aborted" not in str(server.requests[-1].input)


async def test_a_turn_the_model_has_worked_on_fails_when_its_agent_dies_and_the_next_one_goes_on(
    server: ModelServer, thread: AsyncThread
) -> None:
    half = says("half an answer").but(delta_chars=4, hold_after_events=6)
    then(server, half, says("three"))
    turn = await thread.turn("the second")
    await until(lambda: not turn.untouched)
    kill(thread)
    with pytest.raises(KernelLost, match="next turn resumes it"):
        await turn.result()
    assert (await thread.run("third")).final_response == "three"
    assert times_asked(server, "the second") == 1


async def test_all_who_had_joined_go_on_in_one_agent(
    server: ModelServer, thread: AsyncThread, settings: dict[str, Any]
) -> None:
    then(server, *[says("more")] * 6)
    async with AsyncCodex(**settings) as mine, AsyncCodex(**settings) as yours:
        joined = [await codex.thread_resume(thread.id) for codex in (mine, yours)]
        kill(thread)
        results = await asyncio.gather(*(one.run(f"asked by {n}") for n, one in enumerate(joined)))
        assert [result.final_response for result in results] == ["more", "more"]
        assert sorted(one.kernel is None for one in joined) == [False, True]
        assert [times_asked(server, f"asked by {n}") for n in range(2)] == [1, 1]


async def test_a_thread_in_which_only_somebody_else_has_spoken_goes_on_in_the_next_agent(
    server: ModelServer, codex: AsyncCodex
) -> None:
    server.script = [FIRST]
    thread = await codex.thread_start()
    other = await codex.thread_connect(kernel_of(thread).connection_file)
    await other.run("theirs")
    opened = watch_opening(thread)
    kill(thread)
    await thread.set_name("ours")
    assert opened == [other.id]


async def test_turns_begun_side_by_side_start_one_agent(server: ModelServer, thread: AsyncThread) -> None:
    then(server, *[says("more")] * 6)
    kill(thread)
    opened = watch_opening(thread)
    results = await asyncio.gather(*(thread.run(f"asked {n}") for n in range(3)))
    assert all(result.status == "completed" for result in results)
    assert opened == [thread.id]
    assert [times_asked(server, f"asked {n}") for n in range(3)] == [1, 1, 1]


async def test_settings_are_given_to_the_next_agent(server: ModelServer, thread: AsyncThread) -> None:
    kill(thread)
    await thread.set_name("kept")
    kill(thread)
    assert [file.path for file in (await thread.changes()).files] == []
    assert thread.name == "kept"


async def test_a_turn_that_is_cancelled_while_its_next_agent_starts_is_not_begun(
    server: ModelServer, thread: AsyncThread
) -> None:
    then(server, says("three"))
    os.kill(kernel_of(thread).pid, signal.SIGSTOP)
    turn = asyncio.ensure_future(thread.turn("the second"))
    await asked(thread)
    kill(thread)
    started, go = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        started.set()
        await go.wait()

    watch_opening(thread, before=wait)
    await started.wait()
    turn.cancel()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await turn
    assert (await thread.run("third")).final_response == "three"
    assert times_asked(server, "the second") == 0


async def test_what_is_said_during_a_compaction_is_answered_to_who_said_it(
    server: ModelServer, thread: AsyncThread
) -> None:
    compacting = held()
    then(server, compacting, says("the answer"))
    compaction = asyncio.ensure_future(thread.compact())
    await asyncio.to_thread(server.wait_for, 2)
    turn = await thread.turn("meanwhile")
    await begun(turn)
    compacting.release.set()
    assert (await turn.result()).final_response == "the answer"
    assert (await compaction).status == "completed"


async def test_a_thread_that_is_closed_while_its_next_agent_starts_leaves_none(
    server: ModelServer, thread: AsyncThread
) -> None:
    then(server, says("two"))
    kill(thread)
    started = asyncio.Event()

    async def tell() -> None:
        started.set()
        await asyncio.sleep(0)

    watch_opening(thread, after=tell)
    running = asyncio.ensure_future(thread.run("the second"))
    await started.wait()
    await thread.aclose()
    with pytest.raises(ThreadError):
        await running
    with pytest.raises(ProcessLookupError):
        os.kill(kernel_of(thread).pid, 0)


async def test_a_thread_of_somebody_elses_kernel_is_lost_with_it(
    server: ModelServer, thread: AsyncThread, codex: AsyncCodex
) -> None:
    then(server, held())
    other = await codex.thread_connect(kernel_of(thread).connection_file)
    turn = await other.turn("the second")
    await begun(turn)
    kill(thread)
    with pytest.raises(KernelLost):
        await turn.result()
