"""The turns of a thread, one at a time: begun, steered, interrupted; the end of each is told of, whatever it is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import msgspec

from codex_protocol.errors import CodexError
from codex_protocol.events import (
    BackgroundEvent,
    Error,
    EventMsg,
    TaskComplete,
    TaskStarted,
    TurnAborted,
    UserMessage,
    Warning,
)
from codex_protocol.items import Message
from codex_protocol.ops import Review, Submission

if TYPE_CHECKING:
    from codex_kernel.core.opening import Opened
    from codex_kernel.core.settings import TurnSettings
    from codex_kernel.core.turn_hooks import TurnHooks

log = logging.getLogger(__name__)

_LOOK_S = 0.3
"""The end of a turn is told so much later at most, while the files it leaves are looked at."""


class InputNotTaken(Exception):
    """Input could not be written down; its turn has ended and said why."""


class ThreadTurns:
    """At most one turn runs; what is asked for meanwhile is steered into it or waits for its end."""

    def __init__(
        self, opened: Opened, emit: Callable[[str, EventMsg], None], again: Callable[[Submission], None]
    ) -> None:
        """No turn runs yet.

        Args:
            opened: The thread.
            emit: Gets an op's id and what it comes to.
            again: Takes an op anew that had to wait for the end of a turn.
        """
        self._opened = opened
        self._state = opened.state
        self._emit = emit
        self._again = again
        self._turn: asyncio.Task[str | None] | None = None
        self._unanswered: list[str] | None = None
        """What was typed during a compaction or review, which answers nobody; None while another turn runs."""
        self._told = asyncio.Event()
        """Set when the end of the last turn has been told."""
        self._waiting: list[Submission] = []
        self._telling: set[asyncio.Task[None]] = set()
        """Run out by themselves."""
        self._beside: set[asyncio.Task[None]] = set()
        self.hooks: TurnHooks | None = None
        """Those of the running turn; None where there are none."""

    @property
    def running(self) -> bool:
        """Whether a turn runs, or has ended and is not told of."""
        return self._turn is not None

    @property
    def steerable(self) -> bool:
        """Whether a turn runs that may still ask its model."""
        return self._turn is not None and not self._turn.done()

    async def settled(self) -> None:
        """Wait until a turn that has ended is told of: it is too late to steer it."""
        if self._turn is not None and self._turn.done():
            await self._told.wait()

    def when_ended(self, submission: Submission) -> None:
        """Take `submission` anew when the running turn has ended."""
        self._waiting.append(submission)

    def beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside the turn; an interrupt stops it too."""
        _start(work, self._beside)

    def interrupt(self) -> None:
        """Stop the running turn, and what is done beside it."""
        if self._turn is not None:
            self._turn.cancel()
        for task in tuple(self._beside):
            task.cancel()

    async def aclose(self) -> None:
        """Stop everything and wait for its end, which is told of."""
        while waiting := self._beside | self._telling:
            self.interrupt()
            await asyncio.wait(waiting)

    def steer(self, id: str, messages: list[Message], told: UserMessage) -> None:
        """Add to the running turn: on disk now, to the model with its next request."""
        self._state.history.write(*messages, client_id=told.client_id)
        self._state.steered += messages
        if self._unanswered is not None:
            self._unanswered.append(told.message)
        self._emit(id, msgspec.structs.replace(told, steered=True))

    def add(self, message: Message) -> None:
        """Put what answers nobody into the history, with the running turn's next request."""
        if self._turn is None:
            self._state.history.record(message)
        else:
            self._state.history.write(message)
            self._state.steered.append(message)

    def begin(self, id: str, settings: TurnSettings, take: Callable[[], None] | None, prompts: list[str]) -> None:
        """Start a turn that answers `prompts`; `take` puts them into the history, None where they are in it already.

        Raises:
            InputNotTaken: The prompts could not be written down.
        """
        from codex_kernel.core.context import missing_context
        from codex_kernel.core.turn import Turn

        state = self._state
        self._opened.earlier.turn_begins()
        state.recorder.turn_context(settings)
        state.history.record(*missing_context(state, settings))
        self._tell_start(id, settings)
        hooks = self._hooks_for(id, settings)
        if hooks is None and take is not None:
            try:
                take()
            except CodexError as error:  # somebody waits for the end of what has been told to begin
                self._emit(id, self._failed(id, str(error)))
                raise InputNotTaken from error
        turn = Turn(state, settings, lambda msg: self._emit(id, msg), abort=self.interrupt, hooks=hooks)

        async def work() -> str | None:
            if hooks is not None and take is not None:
                await hooks.admit("\n\n".join(prompts), take, state)
            await turn.run()
            return turn.last_message

        self._run(id, work(), settings, prompts)

    def begin_special(self, submission: Submission) -> None:
        """Start a compaction or review, now or when the running turn has ended."""
        if self._turn is not None:
            self.when_ended(submission)
            self._emit(submission.id, BackgroundEvent(message="That will be done when the running turn has ended."))
            return
        id, op, state = submission.id, submission.op, self._state
        settings = state.settings
        self._tell_start(id, settings)

        def emit(msg: EventMsg) -> None:
            self._emit(id, msg)

        hooks = self._hooks_for(id, settings)

        async def work() -> str | None:
            if isinstance(op, Review):
                from codex_kernel.core.review import run_review

                return await run_review(state, settings, op, emit, abort=self.interrupt, hooks=hooks)
            from codex_kernel.core.compaction import compact

            await compact(state, settings, emit, automatic=False, hooks=hooks)
            return None

        self._run(id, work(), settings, [])

    def _tell_start(self, id: str, settings: TurnSettings) -> None:
        started = TaskStarted(model_context_window=settings.context_window())
        self._state.recorder.event(started)
        self._emit(id, started)

    def _hooks_for(self, id: str, settings: TurnSettings) -> TurnHooks | None:
        hooks = self._state.hooks
        self.hooks = None if hooks is None else hooks.turn(settings, id, lambda msg: self._emit(id, msg))
        return self.hooks

    def _run(
        self, id: str, work: Coroutine[Any, Any, str | None], settings: TurnSettings, input_messages: list[str]
    ) -> None:
        self._told.clear()
        self._unanswered = None if input_messages else []
        self._turn = asyncio.create_task(work, name=f"turn {id}")
        _start(self._see_out(id, self._turn, settings, input_messages), self._telling)

    async def _see_out(
        self, id: str, turn: asyncio.Task[str | None], settings: TurnSettings, input_messages: list[str]
    ) -> None:
        """Wait for a turn's end, tell of it, and do what comes after."""
        await asyncio.wait({turn})
        end = self._end_of(id, turn)
        looking = _start(self._state.checkpoints.end(settings.cwd), self._telling)
        if not isinstance(end, TurnAborted):  # what the user edits from now on is theirs
            await asyncio.wait({looking}, timeout=_LOOK_S)
        hooks, unanswered = self.hooks, self._unanswered
        self._tell(id, end)
        if unanswered and not isinstance(end, TurnAborted):
            try:
                self.begin(id, self._state.settings, None, unanswered)
            except CodexError as error:  # somebody waits for the end of what was told to go on
                self._emit(id, self._failed(id, str(error)))
        if isinstance(end, TaskComplete) and end.error is None and input_messages and settings.config.notify:
            from codex_kernel.core.notify import notify_turn_complete

            notify_turn_complete(
                settings.config.notify,
                thread_id=self._state.thread_id,
                turn_id=id,
                cwd=str(settings.cwd),
                input_messages=input_messages,
                last_assistant_message=end.last_agent_message,
            )
        waiting, self._waiting = self._waiting, []
        for submission in waiting:
            self._again(submission)
        await asyncio.to_thread(self._sync)
        if hooks is not None and isinstance(end, TurnAborted):
            await hooks.interrupted()

    def _end_of(self, id: str, turn: asyncio.Task[str | None]) -> TaskComplete | TurnAborted:
        try:
            return TaskComplete(last_agent_message=turn.result())
        except asyncio.CancelledError:
            return TurnAborted(reason="interrupted", closing=self._state.closing)
        except CodexError as error:
            return self._failed(id, str(error))
        except Exception as error:  # the outermost frame of a turn: somebody waits for its end
            log.exception("the turn failed")
            return self._failed(id, f"internal error: {type(error).__name__}: {error}")

    def _tell(self, id: str, end: TaskComplete | TurnAborted) -> None:
        """From here on no turn runs."""
        self._state.history.append(*self._state.take_steered())
        if isinstance(end, TaskComplete) and self._unanswered:
            end = msgspec.structs.replace(end, goes_on=True)
        try:
            self._state.recorder.event(end)
        except CodexError as error:
            self._emit(id, Warning(message=str(error)))
        self._turn = self.hooks = self._unanswered = None
        self._emit(id, end)
        self._told.set()

    def _failed(self, id: str, message: str) -> TaskComplete:
        self._emit(id, Error(message=message))
        return TaskComplete(last_agent_message=None, error=message)

    def _sync(self) -> None:
        try:
            self._state.recorder.sync()
        except CodexError as error:
            log.warning("%s", error)


def _start(work: Coroutine[Any, Any, None], among: set[asyncio.Task[None]]) -> asyncio.Task[None]:
    task = asyncio.create_task(work)
    among.add(task)
    task.add_done_callback(among.discard)
    return task
