import asyncio
import os

import pytest

from codex_kernel.exec.turn import Outcome, Turn
from codex_protocol import events as ev
from codex_protocol.ops import Interrupt, TextInput, UserInput
from tests.support.fake_thread import FakeThread

ASK = UserInput(items=(TextInput("hi"),))


class Seen:
    def __init__(self) -> None:
        self.events: list[ev.EventMsg] = []
        self.notices: list[str] = []

    def show(self, event: ev.EventMsg) -> None:
        self.events.append(event)

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def close(self) -> None:
        return


async def outcome_of(*events: ev.EventMsg) -> Outcome:
    def react(thread: FakeThread, id: str, op: object) -> None:
        for event in events:
            thread.tell(id, event)

    thread = FakeThread(react)
    return await asyncio.wait_for(Turn(thread, Seen()).run(ASK), 10)


async def test_a_turn_that_completes_has_its_answer():
    outcome = await outcome_of(ev.TaskStarted(), ev.TaskComplete(last_agent_message="yes"))
    assert outcome == Outcome(ended="complete", answer="yes")


async def test_a_failed_turn_has_its_error():
    outcome = await outcome_of(ev.TaskStarted(), ev.Error(message="no"), ev.TaskComplete(error="no"))
    assert (outcome.ended, outcome.error) == ("failed", "no")


async def test_an_aborted_turn_is_interrupted():
    assert (await outcome_of(ev.TaskStarted(), ev.TurnAborted())).ended == "interrupted"


async def test_an_op_that_is_refused_before_its_turn_begins_ends_the_run():
    assert (await outcome_of(ev.Error(message="disk full"))).error == "disk full"


async def test_a_thread_that_ends_under_the_turn_ends_the_run():
    assert (await outcome_of(ev.TaskStarted(), ev.ShutdownComplete())).ended == "failed"


async def test_the_view_sees_every_event_from_the_first_on():
    seen = Seen()
    thread = FakeThread(lambda thread, id, op: thread.tell(id, ev.TaskComplete()))
    await Turn(thread, seen).run(ASK)
    assert [type(event) for event in seen.events] == [ev.SessionConfigured, ev.TaskComplete]


async def test_interrupting_submits_an_interrupt():
    def react(thread: FakeThread, id: str, op: object) -> None:
        if isinstance(op, Interrupt):
            thread.tell("0", ev.TurnAborted())

    thread = FakeThread(react)
    turn = Turn(thread, Seen())
    running = asyncio.create_task(turn.run(ASK))
    await asyncio.sleep(0)
    turn.interrupt()
    assert (await asyncio.wait_for(running, 10)).ended == "interrupted"


async def test_piped_input_that_comes_late_joins_the_turn_once_it_is_whole():
    read, write = os.pipe()
    steered: asyncio.Future[UserInput] = asyncio.get_running_loop().create_future()

    def react(thread: FakeThread, id: str, op: object) -> None:
        if isinstance(op, UserInput) and op.client_id is not None:
            steered.set_result(op)
            thread.tell(id, ev.UserMessage(message="", steered=True, client_id=op.client_id))
            thread.tell("0", ev.TaskComplete(last_agent_message="with it"))

    try:
        running = asyncio.create_task(Turn(FakeThread(react), Seen()).run(ASK, late_descriptor=read))
        os.write(write, b"late ")
        await asyncio.sleep(0)
        os.write(write, b"text")
        os.close(write)
        op = await asyncio.wait_for(steered, 10)
        assert op.items == (TextInput("<stdin>\nlate text\n</stdin>"),)
        assert (await asyncio.wait_for(running, 10)).answer == "with it"
    finally:
        os.close(read)


async def test_late_input_that_misses_its_turn_gets_one_of_its_own_before_the_run_ends():
    read, write = os.pipe()

    def react(thread: FakeThread, id: str, op: object) -> None:
        if isinstance(op, UserInput) and op.client_id is not None:
            thread.tell("0", ev.TaskComplete(last_agent_message="without it"))  # the turn ended just before
            thread.tell(id, ev.TaskStarted())
            thread.tell(id, ev.UserMessage(message="", client_id=op.client_id))
            thread.tell(id, ev.TaskComplete(last_agent_message="with it"))

    try:
        os.write(write, b"late")
        os.close(write)
        outcome = await asyncio.wait_for(Turn(FakeThread(react), Seen()).run(ASK, late_descriptor=read), 10)
        assert outcome.answer == "with it"
    finally:
        os.close(read)


@pytest.mark.parametrize("first", [True, False], ids=["refused-before-the-end", "refused-after-the-end"])
async def test_late_input_that_is_refused_does_not_hold_the_run_up(first: bool):
    read, write = os.pipe()

    def react(thread: FakeThread, id: str, op: object) -> None:
        if isinstance(op, UserInput) and op.client_id is not None:
            refusal = (id, ev.Warning(message="a hook stopped it"))
            end = ("0", ev.TaskComplete(last_agent_message="without it"))
            for told in (refusal, end) if first else (end, refusal):
                thread.tell(*told)

    try:
        os.write(write, b"late")
        os.close(write)
        outcome = await asyncio.wait_for(Turn(FakeThread(react), Seen()).run(ASK, late_descriptor=read), 10)
        assert (outcome.ended, outcome.answer) == ("complete", "without it")
    finally:
        os.close(read)


async def test_input_that_is_not_whole_when_the_turn_ends_is_said_to_be_unused():
    read, write = os.pipe()
    seen = Seen()
    thread = FakeThread()
    try:
        running = asyncio.create_task(Turn(thread, seen).run(ASK, late_descriptor=read))
        os.write(write, b"half")
        await asyncio.wait_for(_readable_callbacks_ran(), 10)
        thread.tell("0", ev.TaskComplete())
        await asyncio.wait_for(running, 10)
        assert "was not used" in seen.notices[0]
    finally:
        os.close(read)
        os.close(write)


async def _readable_callbacks_ran() -> None:
    """The loop has looked at its descriptors at least twice."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_view_that_fails_ends_the_run_instead_of_waiting_for_ever():
    class Broken(Seen):
        def show(self, event: ev.EventMsg) -> None:
            raise ValueError("cannot draw")

    thread = FakeThread(lambda thread, id, op: thread.tell(id, ev.TaskComplete()))
    outcome = await asyncio.wait_for(Turn(thread, Broken()).run(ASK), 10)
    assert outcome.ended == "failed"
    assert "cannot draw" in str(outcome.error)
    assert not outcome.shown
