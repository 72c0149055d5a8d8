"""A thread: the agent's state across turns. Ops in, numbered events out; one turn at a time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from codex_kernel.config.types import Config
from codex_kernel.core.event_log import EventLog, Listener
from codex_kernel.core.opening import Opened, open_thread
from codex_kernel.core.side_ops import SideOps
from codex_kernel.core.state import ThreadState
from codex_kernel.core.thread_input import ThreadInput
from codex_kernel.core.thread_mcp import ThreadMcp
from codex_kernel.core.thread_turns import InputNotTaken, ThreadTurns
from codex_protocol.errors import CodexError, ConfigError, ThreadEnded, ThreadError, UsageError
from codex_protocol.events import (
    Error,
    EventMsg,
    NumberedEvent,
    PlanStep,
    SessionConfigured,
    ShutdownComplete,
    TurnContextChanged,
    Warning,
)
from codex_protocol.items import Item
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
from codex_protocol.token_usage import TokenUsage

if TYPE_CHECKING:
    from codex_kernel.core.approvals import ApprovalRequest
    from codex_kernel.model.interface import ModelClient
    from codex_kernel.sandbox.interface import Sandbox
    from codex_kernel.tools.sessions import CommandSessions
    from codex_protocol.changes import Changes

log = logging.getLogger(__name__)


class Thread:
    """The agent on one conversation. Made by `start`; ended by the op `shutdown` or by `aclose`."""

    def __init__(self, opened: Opened, events: EventLog) -> None:
        """Use `start`."""
        self._state: ThreadState = opened.state
        self._opened = opened
        self._events = events
        self._ops: asyncio.Queue[Submission] = asyncio.Queue()
        self._next_id = 0
        self._turns = ThreadTurns(opened, self._emit, self._ops.put_nowait)
        self._input = ThreadInput(opened, self._turns, self._emit, self._ops.put_nowait)
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
        return self._turns.running

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
            summary=settings.summary,
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
                except InputNotTaken:
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
                await self._input.take(id, op)
            case Interrupt():
                self._turns.interrupt()
            case OverrideTurnContext():
                self._override(id, op)
            case ExecApproval() | PatchApproval() | McpApproval():
                await self._answer(id, op)
            case ElicitationAnswer():
                if not self._mcp.answer(op):
                    self._emit(id, Warning(message="That question has been answered already, or its server has ended."))
            case RunUserShellCommand():
                self._turns.beside(self._run_user_shell(id, op.command))
            case RevertChanges():
                await self._revert(id, op)
            case Compact() | Review():
                self._turns.begin_special(submission)
            case ListMcpTools():
                self._emit(id, self._mcp.listing())
            case SetThreadName() | AddToHistory() | GetHistoryEntryRequest() | GetHistory() | ListCustomPrompts():
                await self._side_ops.handle(id, op)
            case ListSkills() | ListRules() | AddRules() | RemoveRule() | PreviewRules():
                await self._side_ops.handle(id, op)
            case Shutdown():
                pass

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
            self._turns.interrupt()

    async def changes(self, turn: int | None, *, since: float = 0, until: float = math.inf) -> Changes:
        """What a turn, or the whole thread (None), changed in its directory; 0 is the newest turn.

        Of the thread, `since` and `until` (seconds since 1970) leave the turns that began then.

        Raises:
            CodexError: It is not recorded.
        """
        return await self._state.checkpoints.changes(turn, since=since, until=until)

    async def _revert(self, id: str, op: RevertChanges) -> None:
        if self._turns.running:
            raise ThreadError("changes can be taken back when the running turn has ended")
        from codex_kernel.core.reverting import revert

        message, told = await revert(self._state, op)
        if message is not None:
            self._state.history.record(message)
        self._emit(id, told)

    async def _run_user_shell(self, id: str, command: str) -> None:
        from codex_kernel.core.user_shell import run_user_shell

        try:
            item = await run_user_shell(self._state, command, lambda msg: self._emit(id, msg))
        except CodexError as error:
            self._emit(id, Error(message=str(error)))
            return
        self._turns.add(item)

    async def _shut_down(self, id: str) -> None:
        await self._turns.aclose()
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
