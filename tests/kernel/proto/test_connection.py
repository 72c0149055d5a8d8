import asyncio
import json

import pytest

from codex_kernel.proto.connection import Connection
from codex_protocol import events as ev
from codex_protocol.ops import (
    ExecApproval,
    GetHistoryEntryRequest,
    Interrupt,
    Op,
    Shutdown,
    UserInput,
)
from codex_protocol.policy import ReviewDecision
from tests.support.fake_thread import FakeThread


class Spoken:
    """A connection to a thread that answers probes and shuts down when told."""

    def __init__(self) -> None:
        self.thread = FakeThread(self._react)
        self.written: list[dict] = []
        self.connection = Connection(self.thread, self._take)
        self.serving = asyncio.get_running_loop().create_task(self.connection.serve())

    def _take(self, data: bytes) -> None:
        assert data.endswith(b"\n")
        assert data.count(b"\n") == 1
        self.written.append(json.loads(data))

    def _react(self, thread: FakeThread, id: str, op: Op) -> None:
        match op:
            case UserInput():
                thread.busy = True
                thread.tell(id, ev.TaskStarted())
            case GetHistoryEntryRequest():
                thread.tell(id, ev.GetHistoryEntryResponse(offset=0, log_id=-1))
            case Shutdown():
                thread.tell(id, ev.ShutdownComplete())
                thread.ended = True

    def finish_turn(self, id: str) -> None:
        self.thread.busy = False
        self.thread.tell(id, ev.TaskComplete())

    async def end(self) -> None:
        await asyncio.wait_for(self.serving, 10)

    def types(self) -> list[str]:
        return [line["msg"]["type"] for line in self.written]


ASK = b'{"id": "1", "op": {"type": "user_input", "items": [{"type": "text", "text": "hi"}]}}\n'


@pytest.fixture
async def spoken():
    made = Spoken()
    await asyncio.sleep(0)
    yield made
    made.serving.cancel()


async def test_the_first_line_is_session_configured_with_an_empty_id(spoken: Spoken):
    assert spoken.written[0]["id"] == ""
    assert spoken.types() == ["session_configured"]


async def test_a_line_is_an_op_and_its_events_carry_its_id(spoken: Spoken):
    spoken.connection.feed(ASK + b'\n  \n{"id": "x", "op": {"type": "interrupt"}}\n')
    assert [type(op) for op in spoken.thread.ops] == [UserInput, Interrupt]
    assert spoken.written[-1]["id"] == "1"


@pytest.mark.parametrize(
    ("line", "id"),
    [
        (b"not json", ""),
        (b'{"id": "7", "op": {"type": "no such op"}}', "7"),
        (b'{"id": "7", "op": {"type": "interrupt", "extra": 1}}', "7"),
        (b'{"id": 7}', ""),
        (b"\xff\xfe", ""),
        (b"[" * 5000, ""),
    ],
)
async def test_a_bad_line_is_answered_with_an_error_and_skipped(spoken: Spoken, line: bytes, id: str):
    spoken.connection.feed(line + b"\n" + ASK)
    assert spoken.written[1]["msg"]["type"] == "error"
    assert spoken.written[1]["id"] == id
    assert [type(op) for op in spoken.thread.ops] == [UserInput]


async def test_shutdown_is_the_last_line(spoken: Spoken):
    spoken.connection.feed(b'{"id": "9", "op": {"type": "shutdown"}}\n')
    await spoken.end()
    assert (spoken.written[-1]["id"], spoken.types()[-1]) == ("9", "shutdown_complete")


async def test_end_of_input_while_idle_shuts_down(spoken: Spoken):
    spoken.connection.end_of_input()
    await spoken.end()
    assert spoken.types() == ["session_configured", "shutdown_complete"]


async def test_end_of_input_lets_the_running_turn_finish(spoken: Spoken):
    spoken.connection.feed(ASK)
    spoken.connection.end_of_input()
    await asyncio.sleep(0)
    assert not spoken.serving.done()
    spoken.finish_turn("1")
    await spoken.end()
    assert spoken.types()[-2:] == ["task_complete", "shutdown_complete"]


async def test_a_last_line_without_its_line_end_counts(spoken: Spoken):
    spoken.connection.feed(ASK.rstrip())
    spoken.connection.end_of_input()
    assert isinstance(spoken.thread.ops[0], UserInput)
    spoken.finish_turn("1")
    await spoken.end()


async def test_what_waits_for_an_answer_is_denied_when_nobody_can_answer_any_more(spoken: Spoken):
    def question(id: str) -> ev.ExecApprovalRequest:
        return ev.ExecApprovalRequest(call_id="c", approval_id=id, digest="d", command=("x",), cwd="/")

    spoken.connection.feed(ASK)
    spoken.thread.tell("1", question("before"))
    spoken.thread.tell("1", question("answered"))
    spoken.thread.tell("1", ev.ApprovalResolved(approval_id="answered", call_id="c", decision=ReviewDecision.APPROVED))
    spoken.connection.end_of_input()
    spoken.thread.tell("1", question("after"))
    denied = [op for op in spoken.thread.ops if isinstance(op, ExecApproval)]
    assert [(op.id, op.decision) for op in denied] == [
        ("before", ReviewDecision.DENIED),
        ("after", ReviewDecision.DENIED),
    ]


async def test_a_users_own_command_is_finished_before_the_end(spoken: Spoken):
    spoken.connection.feed(b'{"id": "u", "op": {"type": "run_user_shell_command", "command": "make"}}\n')
    spoken.connection.end_of_input()
    await asyncio.sleep(0)
    assert not spoken.serving.done()
    spoken.thread.tell(
        "u",
        ev.ExecCommandEnd(
            call_id="c",
            stdout="",
            stderr="",
            aggregated_output="",
            exit_code=0,
            duration=ev.Duration(0, 0),
            formatted_output="",
        ),
    )
    await spoken.end()


async def test_an_op_after_the_end_of_the_thread_is_answered_with_an_error(spoken: Spoken):
    spoken.thread.ended = True
    spoken.connection.feed(ASK)
    assert (spoken.written[-1]["id"], spoken.types()[-1]) == ("1", "error")
