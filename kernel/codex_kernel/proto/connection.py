"""One thread spoken to in lines: a line in is an op, every event is a line out, and the end is always orderly."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import msgspec

from codex_kernel.stdin_lines import MAX_LINE_BYTES, LineSplitter
from codex_protocol.errors import ThreadError, UsageError
from codex_protocol.events import (
    ApplyPatchApprovalRequest,
    ApprovalResolved,
    ElicitationRequest,
    ElicitationResolved,
    Error,
    Event,
    ExecApprovalRequest,
    ExecCommandEnd,
    GetHistoryEntryResponse,
    McpApprovalRequest,
    NumberedEvent,
    ShutdownComplete,
    TaskComplete,
    TurnAborted,
    encode_event,
)
from codex_protocol.ops import (
    ElicitationAnswer,
    ExecApproval,
    GetHistoryEntryRequest,
    McpApproval,
    Op,
    PatchApproval,
    RunUserShellCommand,
    Shutdown,
    Submission,
    decode_submission,
)
from codex_protocol.policy import ReviewDecision

_PROBE_ID = "\0end of input"


class SpokenThread(Protocol):
    """What a connection needs of `core.Thread`."""

    @property
    def busy(self) -> bool:
        """Whether a turn runs."""
        ...

    def submit(self, op: Op, id: str | None = None) -> str:
        """Queue an op under the id its events will carry."""
        ...

    def subscribe(self, listener: Callable[[NumberedEvent], None]) -> Callable[[], None]:
        """Call `listener` with every event from the first on."""
        ...


class Connection:
    """Lines in, lines out. Everything happens on the loop; `write` must not block."""

    def __init__(self, thread: SpokenThread, write: Callable[[bytes], None]) -> None:
        self._thread = thread
        self._write = write
        self._splitter = LineSplitter()
        self._ended = asyncio.Event()
        self._asked: dict[str, Op] = {}  # approval id to its denial
        self._user_commands: set[str] = set()  # submissions whose command has not ended
        self._input_over = False
        self._shutting_down = False

    async def serve(self) -> None:
        """Until the thread has shut down: asked to, or because the input ended and all that it asked for is done."""
        unsubscribe = self._thread.subscribe(self._on_event)
        try:
            await self._ended.wait()
        finally:
            unsubscribe()

    def feed(self, data: bytes) -> None:
        """Take what arrived."""
        for line in self._splitter.feed(data):
            self._line(line)
        if self._splitter.overlong:
            self._splitter.overlong = False
            self._refuse("", f"a line was longer than {MAX_LINE_BYTES >> 20} MiB and was skipped")

    def end_of_input(self) -> None:
        """Nothing more comes: what was asked for is done first, what would have to be answered is denied."""
        if self._input_over:
            return
        if rest := self._splitter.rest():
            self._line(rest)  # a last line without its line end still counts
        self._input_over = True
        for denial in tuple(self._asked.values()):
            self._deny(denial)
        self._probe()

    def shut_down(self) -> None:
        """End now; a running turn is interrupted."""
        if not self._shutting_down:
            self._submit(Submission("", Shutdown()))

    def _line(self, line: bytes) -> None:
        try:
            submission = decode_submission(line)
        except UsageError as error:
            self._refuse(_id_of(line), str(error))
            return
        self._submit(submission)

    def _submit(self, submission: Submission) -> None:
        if isinstance(submission.op, RunUserShellCommand):
            self._user_commands.add(submission.id)
        self._shutting_down = self._shutting_down or isinstance(submission.op, Shutdown)
        try:
            self._thread.submit(submission.op, submission.id)
        except ThreadError as error:
            self._refuse(submission.id, str(error))

    def _refuse(self, id: str, message: str) -> None:
        self._send(Event(id, Error(message=message)))

    def _on_event(self, numbered: NumberedEvent) -> None:
        event = numbered.event
        if event.id == _PROBE_ID:
            self._probed(event)
            return
        self._send(event)
        match event.msg:
            case ExecApprovalRequest(approval_id=id):
                self._question(id, ExecApproval(id=id, decision=ReviewDecision.DENIED, by="end of input"))
            case ApplyPatchApprovalRequest(approval_id=id):
                self._question(id, PatchApproval(id=id, decision=ReviewDecision.DENIED, by="end of input"))
            case McpApprovalRequest(approval_id=id):
                self._question(id, McpApproval(id=id, decision=ReviewDecision.DENIED, by="end of input"))
            case ElicitationRequest(id=id):
                self._question(id, ElicitationAnswer(id=id, action="cancel", by="end of input"))
            case ApprovalResolved(approval_id=id) | ElicitationResolved(id=id):
                self._asked.pop(id, None)
            case TaskComplete() | TurnAborted():
                # What waited for the turn's end is queued right after this event; the probe has to come behind it.
                asyncio.get_running_loop().call_soon(self._probe)
            case ExecCommandEnd() | Error() if event.id in self._user_commands:
                self._user_commands.discard(event.id)
                self._probe()
            case ShutdownComplete():
                self._ended.set()
            case _:
                return

    def _question(self, approval_id: str, denial: Op) -> None:
        self._asked[approval_id] = denial
        if self._input_over:
            self._deny(denial)

    def _deny(self, denial: Op) -> None:
        if not self._shutting_down:  # then its turn is stopped anyway
            self._submit(Submission("", denial))

    def _probe(self) -> None:
        """After the end of input: learn when the thread has handled everything that was submitted before."""
        if self._input_over and not self._shutting_down:
            self._submit(Submission(_PROBE_ID, GetHistoryEntryRequest(offset=0, log_id=-1)))

    def _probed(self, event: Event) -> None:
        answered = isinstance(event.msg, GetHistoryEntryResponse | Error)
        if answered and not self._thread.busy and not self._user_commands:
            self.shut_down()

    def _send(self, event: Event) -> None:
        self._write(encode_event(event) + b"\n")


class _Named(msgspec.Struct):
    id: str = ""


def _id_of(line: bytes) -> str:
    """The id of a submission that could not be read, where at least that can be."""
    try:
        return msgspec.json.decode(line, type=_Named).id
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
