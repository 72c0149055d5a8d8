"""One turn of one thread, watched to its end: ops in, events to a view, an outcome out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Literal, Protocol

import msgspec

from codex_kernel.exec.late_input import LateInput
from codex_kernel.exec.stdin import MAX_BYTES, decode_piped, stdin_block
from codex_kernel.exec.views import View
from codex_protocol.events import (
    Error,
    NumberedEvent,
    ShutdownComplete,
    TaskComplete,
    TaskStarted,
    TurnAborted,
    UserMessage,
    Warning,
)
from codex_protocol.ops import Interrupt, Op, TextInput, UserInput

log = logging.getLogger(__name__)

_LATE_ID = "stdin"
_MARKS = frozenset({TaskStarted, Error, Warning, ShutdownComplete, UserMessage, TaskComplete, TurnAborted})


class DrivenThread(Protocol):
    """What driving a thread takes of `core.Thread`."""

    def submit(self, op: Op, id: str | None = None) -> str:
        """Queue an op; its id is the `id` of its events."""
        ...

    def subscribe(self, listener: Callable[[NumberedEvent], None]) -> Callable[[], None]:
        """Call `listener` with every event from the first on; the result unsubscribes."""
        ...


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How the turn ended."""

    ended: Literal["complete", "failed", "interrupted"]
    answer: str | None = None
    error: str | None = None
    shown: bool = True
    """Whether the view was told of the error."""


class Turn:
    """Submits one op and watches until its turn has ended."""

    def __init__(self, thread: DrivenThread, view: View) -> None:
        self._thread = thread
        self._view = view
        self._outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._late: LateInput | None = None
        self._late_pending = False
        """What came late was handed over, and nobody has said yet what became of it."""
        self._held: Outcome | None = None
        """How the turn ended that it came too late for."""
        self._began = False

    async def run(self, op: Op, late_descriptor: int | None = None) -> Outcome:
        """The outcome of `op`'s turn.

        Args:
            op: What starts the turn.
            late_descriptor: A pipe from which input may still come; what comes in time joins the turn.
        """
        unsubscribe = self._thread.subscribe(self._on_event)
        try:
            self._thread.submit(op)
            if late_descriptor is not None:
                self._late = LateInput(late_descriptor, self._steer)
            return await self._outcome
        finally:
            unsubscribe()
            if self._late is not None:
                if self._late.unread:
                    self._view.notice("the turn ended before stdin did; what came on it was not used")
                self._late.close()

    def interrupt(self) -> None:
        """Ask the turn to stop; its outcome then is `interrupted`."""
        self._thread.submit(Interrupt())

    def _steer(self, data: bytes) -> None:
        if len(data) >= MAX_BYTES:
            self._view.notice(f"what came on stdin is longer than {MAX_BYTES >> 20} MiB; the rest was not used")
        text = stdin_block(decode_piped(data, self._view.notice))
        self._late_pending = True
        self._thread.submit(UserInput(items=(TextInput(text),), client_id=_LATE_ID), _LATE_ID)

    def _on_event(self, numbered: NumberedEvent) -> None:
        msg = numbered.event.msg
        try:
            self._view.show(msg)
        except Exception as error:  # whoever raises here is told no more, and the run would never end
            log.debug("the view failed", exc_info=True)
            why = f"the run could not be shown ({type(error).__name__}: {error})"
            self._settle(Outcome(ended="failed", error=why, shown=False))
            return
        if type(msg) not in _MARKS:
            return  # thousands of deltas pass here
        match msg:
            case TaskStarted():
                self._began = True
            case Error() if not self._began:
                self._settle(Outcome(ended="failed", error=msg.message))  # the op was refused: no turn will end
            case ShutdownComplete():
                self._settle(Outcome(ended="failed", error="the thread ended before its turn did"))
            case UserMessage(client_id=client_id) if client_id == _LATE_ID:
                self._late_pending = False
            case Warning() | Error() if self._late_pending and numbered.event.id == _LATE_ID:
                self._late_pending = False  # it was not taken: a hook refused it, or it could not be written down
                if self._held is not None:
                    self._settle(self._held)
            case TaskComplete(error=None) if self._late_pending:
                # What came late starts a turn of its own now: that one has the answer.
                self._held = Outcome(ended="complete", answer=msg.last_agent_message)
            case TaskComplete():
                ended = "complete" if msg.error is None else "failed"
                self._settle(Outcome(ended=ended, answer=msg.last_agent_message, error=msg.error))
            case TurnAborted():
                self._settle(Outcome(ended="interrupted"))
            case _:
                return

    def _settle(self, outcome: Outcome) -> None:
        if not self._outcome.done():
            self._outcome.set_result(outcome)
