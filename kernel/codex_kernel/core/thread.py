"""A thread: the agent's state across turns. Ops in, numbered events out; one turn at a time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from codex_kernel.config.types import Config
from codex_kernel.core.event_log import EventLog, Listener
from codex_kernel.core.opening import Opened, open_thread
from codex_kernel.core.side_ops import SideOps
from codex_kernel.core.state import ThreadState
from codex_kernel.core.thread_mcp import ThreadMcp
from codex_protocol.errors import CodexError, ConfigError, ThreadEnded, ThreadError, UsageError
from codex_protocol.events import (
    BackgroundEvent,
    Error,
    EventMsg,
    NumberedEvent,
    PlanStep,
    SessionConfigured,
    ShutdownComplete,
    TaskComplete,
    TaskStarted,
    TokenUsage,
    TurnAborted,
    TurnContextChanged,
    UserMessage,
    Warning,
)
from codex_protocol.items import Item, Message
from codex_protocol.ops import (
    AddRules,
    AddToHistory,
    Compact,
    ElicitationAnswer,
    ExecApproval,
    GetHistory,
    GetHistoryEntryRequest,
    Interrupt,
    ListCustomPrompts,
    ListMcpTools,
    ListRules,
    ListSkills,
    McpApproval,
    Op,
    OverrideTurnContext,
    PatchApproval,
    PreviewRules,
    RemoveRule,
    RevertChanges,
    Review,
    RunUserShellCommand,
    SetThreadName,
    Shutdown,
    Submission,
    UserInput,
    UserTurn,
)
from codex_protocol.policy import ReviewDecision

if TYPE_CHECKING:
    from codex_kernel.core.approvals import ApprovalRequest
    from codex_kernel.core.settings import TurnSettings
    from codex_kernel.core.turn_hooks import TurnHooks
    from codex_kernel.model.interface import ModelClient
    from codex_kernel.sandbox.interface import Sandbox
    from codex_kernel.tools.sessions import CommandSessions
    from codex_protocol.changes import Changes

log = logging.getLogger(__name__)

_LOOK_S = 0.3
"""The end of a turn is told so much later at most, while the files it leaves are looked at."""


class _InputNotTaken(Exception):
    """Input could not be written down; its turn has ended and said why."""


class Thread:
    """The agent on one conversation. Made by `start`; ended by the op `shutdown` or by `aclose`."""

    def __init__(self, opened: Opened, events: EventLog) -> None:
        """Use `start`."""
        self._state: ThreadState = opened.state
        self._opened = opened
        self._events = events
        self._ops: asyncio.Queue[Submission] = asyncio.Queue()
        self._next_id = 0
        self._turn: asyncio.Task[str | None] | None = None
        self._turn_hooks: TurnHooks | None = None
        self._unanswered: list[str] | None = None
        """What was typed during a compaction or review, which answers nobody; None while another turn runs."""
        self._turn_told = asyncio.Event()
        """Set when the end of the last turn has been told."""
        self._later: list[Submission] = []
        self._side_tasks: set[asyncio.Task[None]] = set()
        """Tell of ends; run out by themselves."""
        self._commands: set[asyncio.Task[None]] = set()
        """The user's own commands; interrupted with the turn."""
        self._seen_inputs: set[str] = set()
        self._mcp = ThreadMcp(opened.state, opened.home.workbench, lambda msg: self._emit("", msg))
        self._side_ops = SideOps(opened, self._emit)
        self._closed = asyncio.Event()
        self._loop_task: asyncio.Task[None] | None = None

    @classmethod
    async def start(
        cls,
        config: Config,
        *,
        can_ask: bool,
        originator: str = "codex",
        model: ModelClient | None = None,
        sandbox: Sandbox | None = None,
        resume: Path | None = None,
        fork: Path | None = None,
        fork_prompts: int | None = None,
        environment: dict[str, str] | None = None,
        retain_events: bool = True,
    ) -> Thread:
        """A thread that is ready for ops; its first event is `session_configured`.

        Args:
            config: Everything it starts with.
            can_ask: Whether anybody can answer approvals; if not, questions are denied and recorded.
            originator: Name of the front end, told to the provider and kept in the rollout.
            model: Answers its prompts; None makes the client the config names.
            sandbox: Starts its commands; None makes this machine's.
            resume: Rollout to go on with; it grows.
            fork: Rollout to start from; a new one is written.
            fork_prompts: How many of the things the user said there are taken over; None takes all.
            environment: What commands see before the policy is applied; None takes the process's.
            retain_events: Keep events for listeners that come late; False keeps them for the first one only.

        Raises:
            RolloutError: `resume` or `fork` cannot be read, or another process writes to it.
            UsageError: The source of a fork holds fewer messages than are wanted of it.
            CredentialError: The provider needs a credential and there is none.
            ThreadError: A required MCP server does not run.
        """
        opened = open_thread(
            config,
            can_ask=can_ask,
            originator=originator,
            model=model,
            sandbox=sandbox,
            resume=resume,
            fork=fork,
            fork_prompts=fork_prompts,
            environment=dict(os.environ) if environment is None else environment,
        )
        thread = cls(opened, EventLog(retain=retain_events))
        thread._begin()
        try:
            await thread._mcp.start()
        except BaseException:
            await thread.aclose()
            raise
        return thread

    def _begin(self) -> None:
        self._emit("", self._opened.configured)
        for notice in self._opened.notices:
            self._emit("", Warning(message=notice))
        self._loop_task = asyncio.create_task(self._run(), name=f"thread {self.id}")

    @property
    def id(self) -> str:
        """The thread's id, a UUID."""
        return self._state.thread_id

    @property
    def rollout_path(self) -> Path | None:
        """Where it is kept; None for an ephemeral thread. The file is made with the first item."""
        return self._opened.rollout_path

    def answers_servers(self) -> None:
        """The caller shows what MCP servers ask the user (`elicitation_request`) and answers by op."""
        self._mcp.may_ask()

    @property
    def busy(self) -> bool:
        """Whether a turn runs."""
        return self._turn is not None

    @property
    def ended(self) -> bool:
        """Whether it takes no ops any more."""
        return self._closed.is_set()

    @property
    def can_ask(self) -> bool:
        """Whether anybody can answer approvals; front ends set it as people come and go."""
        return self._state.approvals.can_ask

    @can_ask.setter
    def can_ask(self, value: bool) -> None:
        self._state.approvals.can_ask = value

    @property
    def position(self) -> tuple[str, int]:
        """`(boot, n)` of the newest event."""
        return self._events.boot, self._events.last

    @property
    def configured(self) -> SessionConfigured:
        """Its first event."""
        return self._opened.configured

    @property
    def context(self) -> TurnContextChanged:
        """The settings of the next turn."""
        settings = self._state.settings
        return TurnContextChanged(
            cwd=str(settings.cwd),
            approval_policy=settings.approval_policy,
            sandbox_policy=settings.sandbox_policy,
            model=settings.model,
            effort=settings.effort,
        )

    @property
    def sandbox(self) -> Sandbox:
        """What starts its commands."""
        return self._state.sandbox

    @property
    def sessions(self) -> CommandSessions:
        """Commands that outlive the calls that began them."""
        return self._state.sessions

    @property
    def usage(self) -> TokenUsage:
        """Tokens of the whole thread."""
        return self._state.usage

    @property
    def plan(self) -> tuple[PlanStep, ...]:
        """The model's plan; empty when there is none."""
        return self._state.plan

    @property
    def items(self) -> tuple[Item, ...]:
        """What the model sees."""
        return tuple(self._state.history.items)

    @property
    def context_left(self) -> int | None:
        """Percent of the model's window that is free; None when its size is not known."""
        window = self._state.settings.context_window()
        if not window:
            return None
        used = self._state.meter.tokens(self._state.history.items)
        return max(0, min(100, 100 * (window - used) // window))

    def pending(self) -> tuple[ApprovalRequest, ...]:
        """The approvals nobody has answered yet, oldest first."""
        return self._state.approvals.pending()

    def submit(self, op: Op, id: str | None = None) -> str:
        """Ask for something; never blocks. Returns the id that its events will carry.

        Raises:
            ThreadEnded: The thread has ended, or is about to: it will not do it.
        """
        if self._state.closing or self._closed.is_set():
            raise ThreadEnded("the thread has ended; resume it to go on")
        self._state.closing = isinstance(op, Shutdown)
        if id is None:
            id = str(self._next_id)
            self._next_id += 1
        self._ops.put_nowait(Submission(id, op))
        return id

    def subscribe(self, listener: Listener, since: tuple[str, int] | None = None) -> Callable[[], None]:
        """Call `listener` for what came after `since`, then for every event; returns what ends it. See `EventLog`."""
        return self._events.subscribe(listener, since)

    def can_replay(self, since: tuple[str, int] | None) -> bool:
        """Whether `subscribe` from `since` misses nothing; otherwise a snapshot is needed."""
        return self._events.can_replay(since)

    async def events(self, since: tuple[str, int] | None = None) -> AsyncIterator[NumberedEvent]:
        """Every event after `since`; ends after `shutdown_complete`."""
        async for numbered in self._events.events(since):
            yield numbered
            if isinstance(numbered.event.msg, ShutdownComplete):
                return

    async def aclose(self) -> None:
        """End the thread: interrupt a running turn, flush the rollout, end every process it started."""
        if not self._closed.is_set():
            with contextlib.suppress(ThreadError):
                self.submit(Shutdown())
        if self._loop_task is not None:
            await self._loop_task

    # The loop

    def _emit(self, submission_id: str, msg: EventMsg) -> None:
        self._events.emit(submission_id, msg)

    async def _run(self) -> None:
        try:
            while True:
                submission = await self._ops.get()
                if isinstance(submission.op, Shutdown):
                    await self._shut_down(submission.id)
                    return
                try:
                    await self._handle(submission)
                except _InputNotTaken:
                    pass  # told of with the end of its turn
                except CodexError as error:
                    self._emit(submission.id, Error(message=str(error)))
                except Exception as error:  # one bad op must not end the thread
                    log.exception("%s failed", type(submission.op).__name__)
                    self._emit(submission.id, Error(message=f"internal error: {type(error).__name__}: {error}"))
        finally:
            self._closed.set()

    async def _handle(self, submission: Submission) -> None:
        id, op = submission.id, submission.op
        match op:
            case UserInput() | UserTurn():
                await self._take_input(id, op)
            case Interrupt():
                self._interrupt()
            case OverrideTurnContext():
                self._override(id, op)
            case ExecApproval() | PatchApproval() | McpApproval():
                await self._answer(id, op)
            case ElicitationAnswer():
                if not self._mcp.answer(op):
                    self._emit(id, Warning(message="That question has been answered already, or its server has ended."))
            case RunUserShellCommand():
                self._start(self._run_user_shell(id, op.command), self._commands)
            case RevertChanges():
                await self._revert(id, op)
            case Compact() | Review():
                self._start_special_turn(submission)
            case ListMcpTools():
                self._emit(id, self._mcp.listing())
            case SetThreadName() | AddToHistory() | GetHistoryEntryRequest() | GetHistory() | ListCustomPrompts():
                await self._side_ops.handle(id, op)
            case ListSkills() | ListRules() | AddRules() | RemoveRule() | PreviewRules():
                await self._side_ops.handle(id, op)
            case Shutdown():
                pass

    # Input and turns

    async def _take_input(self, id: str, op: UserInput | UserTurn) -> None:
        if op.client_id is None:
            await self._take_new_input(id, op)
        elif op.client_id not in self._seen_inputs:
            self._seen_inputs.add(op.client_id)
            try:
                if op.client_id in self._opened.earlier:
                    await self._answer_earlier_input(id, op, op.client_id)
                else:
                    await self._take_new_input(id, op)
            except BaseException:  # it was not taken: who sends it again must be heard
                self._seen_inputs.discard(op.client_id)
                raise

    async def _answer_earlier_input(self, id: str, op: UserInput | UserTurn, client_id: str) -> None:
        """Begin the turn of an input that is in the history already; one that has ended is told again, briefly."""
        from codex_kernel.core.user_input import text_of

        if self._turn is not None:  # the model answers it with what is asked now
            self._seen_inputs.discard(client_id)
            self._later.append(Submission(id, op))
        elif self._opened.earlier.is_open(client_id):
            self._begin_turn(id, self._settings_of(op), None, [text_of(op.items)])
        else:
            end = await asyncio.to_thread(self._opened.earlier.end_of, client_id)
            for msg in (TaskStarted(model_context_window=self._state.settings.context_window()), end):
                self._state.recorder.event(msg)
                self._emit(id, msg)

    def _settings_of(self, op: UserInput | UserTurn) -> TurnSettings:
        settings = self._state.settings
        if isinstance(op, UserTurn):
            return settings.for_turn(op)
        if op.output_schema is not None:
            return msgspec.structs.replace(settings, output_schema=op.output_schema)
        return settings

    async def _take_new_input(self, id: str, op: UserInput | UserTurn) -> None:
        from codex_kernel.core.user_input import images_of, message_of, text_of

        settings = self._settings_of(op)
        message = await message_of(op.items, settings.cwd)
        if self._turn is not None and self._turn.done():  # it has ended but is not told of: too late to steer it
            await self._turn_told.wait()
        if message is None:
            self._emit(id, Warning(message="The input was empty, so nothing was sent."))
            return
        skills, problems = self._state.skills.named_in(op.items, settings.cwd)
        for problem in problems:
            self._emit(id, Warning(message=problem))
        told = UserMessage(message=text_of(op.items), images=images_of(op.items), client_id=op.client_id)
        if self._turn is not None:  # steer: on disk now, to the model with its next request
            if self._turn_hooks is None:
                self._steer(id, [message, *skills], told)
            else:
                checked = self._steer_checked(id, op, self._turn_hooks, [message, *skills], told)
                self._start(checked, self._commands)
            return
        self._start_turn(id, settings, [message, *skills], told)

    def _steer(self, id: str, messages: list[Message], told: UserMessage) -> None:
        self._state.history.write(*messages, client_id=told.client_id)
        self._state.steered += messages
        if self._unanswered is not None:
            self._unanswered.append(told.message)
        self._emit(id, msgspec.structs.replace(told, steered=True))

    async def _steer_checked(
        self, id: str, op: UserInput | UserTurn, hooks: TurnHooks, messages: list[Message], told: UserMessage
    ) -> None:
        from codex_kernel.core.turn_hooks import developer_message

        try:
            contexts = await hooks.check_prompt(told.message)
        except asyncio.CancelledError:
            if op.client_id is not None:
                self._seen_inputs.discard(op.client_id)
            self._emit(
                id, Warning(message="The turn was interrupted before hooks had checked this prompt; send again.")
            )
            raise
        except ThreadError as error:
            self._emit(id, Warning(message=str(error)))
            return
        if self._turn is None or self._turn.done():  # it ended meanwhile: this begins the next one
            if op.client_id is not None:
                self._seen_inputs.discard(op.client_id)
            self._ops.put_nowait(Submission(id, op))
            return
        self._steer(id, [*messages, *map(developer_message, contexts)], told)

    def _start_turn(self, id: str, settings: TurnSettings, messages: list[Message], told: UserMessage) -> None:
        def take() -> None:
            self._state.history.record(*messages, client_id=told.client_id)
            self._emit(id, told)

        self._begin_turn(id, settings, take, [told.message])

    def _begin_turn(self, id: str, settings: TurnSettings, take: Callable[[], None] | None, prompts: list[str]) -> None:
        """Start a turn that answers `prompts`; `take` puts them into the history, None where they are in it already."""
        from codex_kernel.core.context import missing_context
        from codex_kernel.core.turn import Turn

        state = self._state
        self._opened.earlier.turn_begins()
        state.recorder.turn_context(settings)
        state.history.record(*missing_context(state, settings))
        started = TaskStarted(model_context_window=settings.context_window())
        state.recorder.event(started)
        self._emit(id, started)

        hooks = self._hooks_for(id, settings)
        if hooks is None and take is not None:
            try:
                take()
            except CodexError as error:  # somebody waits for the end of what has been told to begin
                self._emit(id, self._failed(id, str(error)))
                raise _InputNotTaken from error
        turn = Turn(state, settings, lambda msg: self._emit(id, msg), abort=self._interrupt, hooks=hooks)

        async def work() -> str | None:
            if hooks is not None and take is not None:
                await hooks.admit("\n\n".join(prompts), take, state)
            await turn.run()
            return turn.last_message

        self._run_as_turn(id, work(), settings, prompts)

    def _hooks_for(self, id: str, settings: TurnSettings) -> TurnHooks | None:
        hooks = self._state.hooks
        self._turn_hooks = None if hooks is None else hooks.turn(settings, id, lambda msg: self._emit(id, msg))
        return self._turn_hooks

    def _start_special_turn(self, submission: Submission) -> None:
        if self._turn is not None:
            self._later.append(submission)
            self._emit(submission.id, BackgroundEvent(message="That will be done when the running turn has ended."))
            return
        id, op, state = submission.id, submission.op, self._state
        settings = state.settings
        started = TaskStarted(model_context_window=settings.context_window())
        state.recorder.event(started)
        self._emit(id, started)

        def emit(msg: EventMsg) -> None:
            self._emit(id, msg)

        hooks = self._hooks_for(id, settings)

        async def work() -> str | None:
            if isinstance(op, Review):
                from codex_kernel.core.review import run_review

                return await run_review(state, settings, op, emit, abort=self._interrupt, hooks=hooks)
            from codex_kernel.core.compaction import compact

            await compact(state, settings, emit, automatic=False, hooks=hooks)
            return None

        self._run_as_turn(id, work(), settings, [])

    def _run_as_turn(
        self, id: str, work: Coroutine[Any, Any, str | None], settings: TurnSettings, input_messages: list[str]
    ) -> None:
        self._turn_told.clear()
        self._unanswered = None if input_messages else []
        self._turn = asyncio.create_task(work, name=f"turn {id}")
        self._start(self._tell_end(id, self._turn, settings, input_messages), self._side_tasks)

    async def _tell_end(
        self, id: str, turn: asyncio.Task[str | None], settings: TurnSettings, input_messages: list[str]
    ) -> None:
        """Wait for a turn's end and tell of it, whatever it is."""
        await asyncio.wait({turn})
        end: EventMsg
        try:
            end = TaskComplete(last_agent_message=turn.result())
        except asyncio.CancelledError:
            end = TurnAborted(reason="interrupted", closing=self._state.closing)
        except CodexError as error:
            end = self._failed(id, str(error))
        except Exception as error:  # the outermost frame of a turn: somebody waits for its end
            log.exception("the turn failed")
            end = self._failed(id, f"internal error: {type(error).__name__}: {error}")
        looking = self._start(self._state.checkpoints.end(settings.cwd), self._side_tasks)
        if not isinstance(end, TurnAborted):  # what the user edits from now on is theirs
            await asyncio.wait({looking}, timeout=_LOOK_S)
        self._state.history.append(*self._state.take_steered())
        try:
            self._state.recorder.event(end)
        except CodexError as error:
            self._emit(id, Warning(message=str(error)))
        hooks, self._turn_hooks = self._turn_hooks, None
        self._turn = None
        unanswered, self._unanswered = self._unanswered, None
        self._emit(id, end)
        self._turn_told.set()
        if unanswered and not isinstance(end, TurnAborted):
            try:
                self._begin_turn(id, self._state.settings, None, unanswered)
            except CodexError as error:
                self._emit(id, Error(message=str(error)))
        if isinstance(end, TaskComplete) and end.error is None and input_messages:
            from codex_kernel.core.notify import notify_turn_complete

            notify_turn_complete(
                settings.config.notify,
                thread_id=self.id,
                turn_id=id,
                cwd=str(settings.cwd),
                input_messages=input_messages,
                last_assistant_message=end.last_agent_message,
            )
        later, self._later = self._later, []
        for submission in later:
            self._ops.put_nowait(submission)
        await asyncio.to_thread(self._sync)
        if hooks is not None and isinstance(end, TurnAborted):
            await hooks.interrupted()

    def _failed(self, id: str, message: str) -> TaskComplete:
        self._emit(id, Error(message=message))
        return TaskComplete(last_agent_message=None, error=message)

    def _sync(self) -> None:
        try:
            self._state.recorder.sync()
        except CodexError as error:
            log.warning("%s", error)

    def _interrupt(self) -> None:
        if self._turn is not None:
            self._turn.cancel()
        for command in tuple(self._commands):
            command.cancel()

    # Smaller ops

    def _override(self, id: str, op: OverrideTurnContext) -> None:
        if op.cwd is not None and not Path(op.cwd).is_absolute():
            raise ThreadError(f"cwd must be absolute, not {op.cwd}")
        state = self._state
        state.settings = state.settings.overridden(op)
        if op.cwd is not None:
            state.user_instructions = self._opened.instructions_for(state.settings)
        self._emit(id, self.context)

    async def _answer(self, id: str, op: ExecApproval | PatchApproval | McpApproval) -> None:
        if isinstance(op, ExecApproval) and op.amendments and self._state.approvals.is_open(op.id):
            try:  # first: the rules count for what the turn does next
                await self._side_ops.add_rules(id, op.amendments, op.decision)
            except ConfigError as error:
                self._emit(id, Warning(message=f"No rule was added: {error}."))
        choices = op.choices if isinstance(op, PatchApproval) else ()
        try:
            known = self._state.approvals.answer(op.id, op.decision, op.by, choices)
        except UsageError as error:
            self._emit(id, Warning(message=f"That answer was not taken: {error}."))
            return
        if not known:
            self._emit(id, Warning(message="That question has been answered already, or its turn has ended."))
        elif op.decision is ReviewDecision.ABORT:
            self._interrupt()

    async def changes(self, turn: int | None, *, since: float = 0, until: float = math.inf) -> Changes:
        """What a turn, or the whole thread (None), changed in its directory; 0 is the newest turn.

        Of the thread, `since` and `until` (seconds since 1970) leave the turns that began then.

        Raises:
            CodexError: It is not recorded.
        """
        return await self._state.checkpoints.changes(turn, since=since, until=until)

    async def _revert(self, id: str, op: RevertChanges) -> None:
        if self._turn is not None:
            raise ThreadError("changes can be taken back when the running turn has ended")
        from codex_kernel.core.reverting import revert

        message, told = await revert(self._state, op)
        if message is not None:
            self._state.history.record(message)
        self._emit(id, told)

    def _start(self, work: Coroutine[Any, Any, None], among: set[asyncio.Task[None]]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        among.add(task)
        task.add_done_callback(among.discard)
        return task

    async def _run_user_shell(self, id: str, command: str) -> None:
        from codex_kernel.core.user_shell import run_user_shell

        try:
            item = await run_user_shell(self._state, command, lambda msg: self._emit(id, msg))
        except CodexError as error:
            self._emit(id, Error(message=str(error)))
            return
        if self._turn is not None:
            self._state.history.write(item)
            self._state.steered.append(item)
        else:
            self._state.history.record(item)

    async def _shut_down(self, id: str) -> None:
        while waiting := self._commands | self._side_tasks:
            self._interrupt()
            await asyncio.wait(waiting)
        state = self._state
        ends = [self._mcp, state.sessions, state.sandbox, state.client, self._opened]
        if state.hooks is not None:
            await _ended(state.hooks.end(state.settings, lambda msg: self._emit(id, msg)))
        for part in ends:
            await _ended(part.aclose())
        try:
            state.recorder.sync()
            state.recorder.close()
        except CodexError as error:
            self._emit(id, Error(message=f"the thread may not be wholly on disk: {error}"))
        self._closed.set()
        self._emit(id, ShutdownComplete())


async def _ended(ending: Awaitable[object]) -> None:
    """Wait for one part's end; a fault in it must not keep the others, or the rollout, from ending."""
    try:
        await ending
    except Exception:
        log.exception("a part of the thread did not end well")
