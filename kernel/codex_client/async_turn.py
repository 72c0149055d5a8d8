"""One turn as its client sees it: a stream of events, approvals answered on the way, and a result at the end."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

import msgspec

from codex_client.approvals import Callback, Question, answer_of, place
from codex_client.errors import KernelLost, TurnFailed
from codex_client.portal import in_caller
from codex_client.results import Passed, TurnResult
from codex_client.turn_record import TurnRecord
from codex_protocol.errors import CodexError, ThreadError
from codex_protocol.events import (
    ApplyPatchApprovalRequest,
    ApprovalResolved,
    Error,
    EventMsg,
    ExecApprovalRequest,
    McpApprovalRequest,
    NumberedEvent,
    TaskComplete,
    TaskStarted,
    TurnAborted,
    UserMessage,
)
from codex_protocol.ops import ExecApproval, Interrupt, McpApproval, Op, PatchApproval, TextInput, UserInput
from codex_protocol.policy import ReviewDecision
from codex_protocol.review import HunkChoice

if TYPE_CHECKING:
    from codex_client.async_thread import AsyncThread

_SILENCE_S = 10.0
"""After so long without an event the client asks whether it missed one."""
_STOP_S = 5.0

_ANSWERS = {
    ExecApprovalRequest: ExecApproval,
    ApplyPatchApprovalRequest: PatchApproval,
    McpApprovalRequest: McpApproval,
}

Progress = Callable[["EventMsg", TurnRecord], Any]
"""Told of every event, with the turn as it then stands."""


class AsyncTurn:
    """A turn that was begun, or an input that joined a running one. Made by `AsyncThread.turn`."""

    def __init__(
        self,
        thread: AsyncThread,
        *,
        approve: Callback | None,
        context: tuple[Passed, ...] = (),
        schema: Any = None,
        on_event: Progress | None = None,
    ) -> None:
        """Use `AsyncThread.turn`."""
        self.id = secrets.token_hex(8)
        """Of the submission; what joined a running turn has that turn's id from then on."""
        self.client_id = f"{self.id}-{secrets.token_hex(4)}"
        self.op: Op | None = None
        """What the thread is asked."""
        self.on_its_way = False
        """Whether that is being handed in: an agent that ends meanwhile is no loss yet."""
        self.left = False
        """Whether an agent was told."""
        self.stopped = False
        """Whether it is to stop: no agent is asked any more."""
        self._submission = self.id
        self._thread = thread
        self._approve = approve
        self._schema = schema
        self._on_event = on_event
        self._events: asyncio.Queue[EventMsg | None] = asyncio.Queue()
        """None says that nothing more comes."""
        self._resolved: set[str] = set()
        self._news = asyncio.Event()
        self._over = asyncio.Event()
        self._failure: CodexError | None = None
        self._began = False
        self._joined = False
        """Whether it is part of a turn that ran already."""
        self._told_begin: set[type[EventMsg]] = set()
        self._told_end = False
        self._last = 0
        self._boot = ""
        cwd, model = thread.cwd, thread.model
        self._record = TurnRecord(id=self.id, thread_id=thread.id, cwd=cwd, model=model, context=context)

    # What comes in, from the thread

    def take(self, told: NumberedEvent) -> None:
        """Take in one event of the thread; those of other turns say nothing."""
        msg, of = told.event.msg, told.event.id
        if self.ended or (told.boot == self._boot and told.n <= self._last):
            return
        self._boot, self._last = told.boot, told.n
        if isinstance(msg, ApprovalResolved):
            self._resolved.add(msg.approval_id)
            self._news.set()
        if not self._began:
            self._wait_for_begin(msg, of)
        elif of == self.id and not self._is_no_end(msg):
            self._put(msg)

    def _is_no_end(self, msg: EventMsg) -> bool:
        """Whether a turn that ended is none that ends this: another agent, or the turn that follows, goes on."""
        if isinstance(msg, TaskComplete):
            return msg.goes_on and self._joined
        return isinstance(msg, TurnAborted) and msg.closing and self.untouched

    def _wait_for_begin(self, msg: EventMsg, of: str) -> None:
        match msg:
            case TaskStarted() if of == self.id:
                self._began = True
                self._put(msg)
            case UserMessage(client_id=self.client_id, steered=steered):
                self._began = True
                self._joined = steered
                if self._thread.running_turn is not None:
                    self.id = self._record.id = self._thread.running_turn
                self._put(msg)
            case Error(message=message) if of == self.id:
                self.fail(ThreadError(message))
            case _:
                return

    def begin_again(self) -> None:
        """Nothing came of it where it was handed in; another agent is asked."""
        self.id = self._record.id = self._submission
        self._began = self._joined = False

    def _put(self, msg: EventMsg) -> None:
        if isinstance(msg, TaskStarted | UserMessage) and self.untouched:
            if type(msg) in self._told_begin:
                return  # by the agent that ended
            self._told_begin.add(type(msg))
        self._record.take(msg)
        self._events.put_nowait(msg)
        if self._record.ended:
            self._end()

    def began_elsewhere(self, boots: set[str], running: str | None) -> bool:
        """Whether the thread stands as in a snapshot and this turn is none of what it tells: nothing more will come."""
        return self._began and (self._boot not in boots or running != self.id)

    def fail(self, error: CodexError) -> None:
        """Nothing more is heard of it."""
        if self.ended:
            return
        self._failure = error
        self._record.fail(str(error))
        self._end()

    def _end(self) -> None:
        self._events.put_nowait(None)
        self._over.set()
        self._news.set()

    # What a person does with it

    @property
    def ended(self) -> bool:
        """Whether nothing more comes."""
        return self._record.ended

    @property
    def untouched(self) -> bool:
        """Whether nothing has come of it yet: it may have begun, but the model has said and done nothing."""
        return self._record.untouched

    @property
    def answers(self) -> bool:
        """Whether its approvals are answered here."""
        return self._approve is not None

    @property
    def so_far(self) -> TurnResult:
        """What it has come to so far."""
        return self._record.result()

    async def stream(self) -> AsyncIterator[EventMsg]:
        """Every event of the turn as it happens, its end included; approvals are answered on the way.

        Leaving the loop early leaves the turn running; cancelling the task that iterates interrupts the turn.

        Raises:
            KernelLost: The agent's process ended. The thread is on disk; its next turn resumes it.
            ThreadError: The input was not taken.
        """
        while (msg := await self._next()) is not None:
            if isinstance(msg, ExecApprovalRequest | ApplyPatchApprovalRequest | McpApprovalRequest):
                yield msg
                await self._or_interrupt(self._answer(msg))
            else:
                yield msg

    async def result(self, *, check: bool = True) -> TurnResult:
        """What it came to, when it has ended.

        Args:
            check: Raise when the turn failed or its answer does not fit the schema.

        Raises:
            TurnFailed: The turn ended with an error, which has the result so far.
            InvalidAnswer: The answer does not fit the schema, also after the model was told.
            KernelLost: The agent's process ended.
        """
        async for msg in self.stream():
            if self._on_event is not None:
                await self._or_interrupt(in_caller(self._on_event, msg, self._record))
        result = self._record.result()
        if check and result.status == "failed":
            raise TurnFailed(result.error or "the turn failed", result)
        if self._schema is not None and result.status == "completed":
            from codex_client.structured import checked

            result = await checked(self._thread, self._schema, result, self._approve, self._on_event, check=check)
        self._thread.last = result
        return result

    async def steer(self, text: str) -> None:
        """Add to what the model is asked, while the turn runs.

        Raises:
            ThreadError: It has ended.
        """
        if self.ended:
            raise ThreadError("the turn has ended; begin another one instead of steering it")
        await self._thread.connection.submit(
            UserInput(items=(TextInput(text),), client_id=f"{self.id}-{secrets.token_hex(4)}")
        )

    async def interrupt(self) -> None:
        """Stop it; its end is told as `turn_aborted`. Nothing happens when it has ended."""
        if not self.ended:
            await self._thread.connection.submit(Interrupt())

    # On the way

    async def _next(self) -> EventMsg | None:
        """The next event; None after the last."""
        if self._told_end:
            return None
        msg = await self._or_interrupt(self._wait())
        if msg is None:
            self._told_end = True
            self._thread.forget(self)
            if self._failure is not None:
                raise self._failure
        return msg

    async def _wait(self) -> EventMsg | None:
        while True:
            try:
                async with asyncio.timeout(_SILENCE_S):
                    return await self._events.get()
            except TimeoutError:
                with contextlib.suppress(KernelLost):  # who listens is told of that too
                    await self._thread.connection.catch_up()

    async def _or_interrupt(self, work: Awaitable[Any]) -> Any:
        """Do it; when it fails or is cancelled, the turn is interrupted before that is raised."""
        try:
            return await work
        except BaseException:
            if not self.ended:
                await asyncio.shield(self.stop())
            raise

    async def stop(self) -> None:
        """Interrupt it and wait for its end, but not for long."""
        self.stopped = True
        with contextlib.suppress(CodexError, TimeoutError):
            async with asyncio.timeout(_STOP_S):
                await self.interrupt()
                await self._over.wait()

    async def _answer(self, question: Question) -> None:
        if question.approval_id in self._resolved:
            return
        if self._approve is None:
            # A kernel that has once been told of somebody who answers waits for that; this turn has nobody.
            if self._thread.kernel is not None and self._thread.connection.can_answer:
                await self._decide(question, ReviewDecision.DENIED)
            return
        asking = asyncio.ensure_future(in_caller(self._approve, question))
        answered = asyncio.ensure_future(self._answered(question.approval_id))
        try:
            await asyncio.wait({asking, answered}, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                return  # somebody else was faster
            decision, choices = answer_of(cast("object", asking.result()), question)
        finally:
            asking.cancel()
            answered.cancel()
        await self._decide(question, decision, choices)

    async def _decide(self, question: Question, decision: ReviewDecision, choices: tuple[HunkChoice, ...] = ()) -> None:
        op = _ANSWERS[type(question)](id=question.approval_id, decision=decision, by=place())
        if isinstance(op, PatchApproval):
            op = msgspec.structs.replace(op, choices=choices)
        await self._thread.connection.submit(op)

    async def _answered(self, approval_id: str) -> None:
        while approval_id not in self._resolved and not self.ended:
            self._news.clear()
            await self._news.wait()

    def __repr__(self) -> str:
        return f"<turn {self.id} of thread {self._thread.id}: {self._record.status}>"


def with_parsed(result: TurnResult, parsed: Any) -> TurnResult:
    """The result with the object its answer stands for."""
    return msgspec.structs.replace(result, parsed=parsed)
