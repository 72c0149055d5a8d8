"""A kernel for tests of clients: speaks `codex_protocol/attach.py` over zmq, loses what it is told to lose."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import zmq
import zmq.asyncio
from jupyter_client.session import Session

from codex_protocol.attach import (
    Accepted,
    Attach,
    Attached,
    Detach,
    Done,
    NewThread,
    Query,
    Refused,
    Replay,
    Result,
    Snapshot,
    Submit,
    decode_request,
    event_content,
)
from codex_protocol.events import (
    AgentMessage,
    Event,
    EventMsg,
    NumberedEvent,
    SessionConfigured,
    TaskComplete,
    TaskStarted,
    TurnContextChanged,
    UserMessage,
)
from codex_protocol.ops import Op, UserInput
from codex_protocol.policy import ApprovalPolicy, ReadOnly

import msgspec  # isort: skip


class FakeKernel:
    """One thread. `lose` says which events never reach iopub; `ops` is what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.info = {
            "transport": "ipc",
            "ip": str(folder / "k"),
            "key": "secret",
            "signature_scheme": "hmac-sha256",
            "shell_port": 1,
            "control_port": 2,
            "iopub_port": 3,
        }
        self.boot = "boot-1"
        self.events: list[NumberedEvent] = []
        self.ops: list[tuple[str | None, Op]] = []
        self.requests: list[Any] = []
        self.lose: set[int] = set()
        self.forgotten = 0
        """Events up to this number cannot be replayed."""
        self.refuse: str | None = None
        self.silent = False
        self.passed_over = asyncio.Event()
        """Set when it was asked something while `silent`."""
        self.answers: dict[str, Any] = {}
        self.session = Session(key=b"secret")
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> FakeKernel:
        context = zmq.asyncio.Context.instance()
        self._control, self._iopub = context.socket(zmq.ROUTER), context.socket(zmq.XPUB)
        self._control.linger = self._iopub.linger = 0
        self._control.bind(f"ipc://{self.info['ip']}-2")
        self._iopub.bind(f"ipc://{self.info['ip']}-3")
        self._task = asyncio.create_task(self._serve())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.die()

    async def die(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
            self._control.close(0)
            self._iopub.close(0)

    def emit(self, msg: EventMsg, id: str = "") -> None:
        """An event; lost on the way when `lose` has its number."""
        numbered = NumberedEvent(self.boot, len(self.events) + 1, Event(id, msg))
        self.events.append(numbered)
        if numbered.n not in self.lose:
            self.send(event_content(numbered))

    def send(self, content: dict[str, Any], msg_type: str = "codex_event") -> None:
        frames = self.session.serialize(self.session.msg(msg_type, content))
        self._iopub.send_multipart([msg_type.encode(), *frames])

    def reboot(self) -> None:
        """As if another process had opened the thread."""
        self.boot = f"boot-{int(self.boot[5:]) + 1}"
        self.events = []

    def answer_turns(self, text: str = "done") -> None:
        """From now on every input is answered with `text`."""
        self.answers["turn"] = text

    async def _serve(self) -> None:
        while True:
            frames = await self._control.recv_multipart()
            idents, parts = self.session.feed_identities(frames)
            try:
                message = self.session.deserialize(parts)
            except ValueError:  # a wrong signature
                continue
            if self.silent:
                self.passed_over.set()
                continue
            reply = self._reply(decode_request(message["content"]))
            out = self.session.msg("codex_reply", msgspec.to_builtins(reply), parent=message["header"])
            await self._control.send_multipart([*idents, *self.session.serialize(out)])

    def _reply(self, request: Any) -> Any:
        self.requests.append(request)
        if self.refuse is not None:
            return Refused(message=self.refuse)
        match request:
            case Attach(since=since) | Replay(since=since):
                return self._attached(since)
            case Submit(op=op, id=id):
                self.ops.append((id, op))
                if isinstance(op, UserInput) and "turn" in self.answers:
                    self._turn(op, id or "0", self.answers["turn"])
                return Accepted(id=id or "0")
            case Query(name=name):
                return Result(value=name)
            case Detach() | NewThread():
                return Done()

    def _attached(self, since: Any) -> Attached:
        boot, last = self.boot, len(self.events)
        if since is not None and since.boot == boot and since.n >= self.forgotten:
            replay = tuple(event_content(event) for event in self.events[since.n :])
            return Attached(thread_id="t1", boot=boot, last=last, replay=replay)
        snapshot = Snapshot(
            configured=SessionConfigured(session_id="t1", model="m", cwd="/w"),
            settings=TurnContextChanged(
                cwd="/w", approval_policy=ApprovalPolicy.ON_REQUEST, sandbox_policy=ReadOnly(), model="m"
            ),
            items=(),
            events=tuple(event_content(event) for event in self.events[self.forgotten :]),
        )
        return Attached(thread_id="t1", boot=boot, last=last, snapshot=snapshot)

    def _turn(self, op: UserInput, id: str, text: str) -> None:
        self.emit(TaskStarted(), id)
        self.emit(UserMessage(message="?", client_id=op.client_id), id)
        self.emit(AgentMessage(message=text), id)
        self.emit(TaskComplete(last_agent_message=text), id)
