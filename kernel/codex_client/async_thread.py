"""A thread driven by its client: turns, settings, and the kernel behind it, which is started again when it has gone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload

import msgspec

from codex_client.approvals import Approvals, approver
from codex_client.async_turn import AsyncTurn, Progress
from codex_client.connection import Connection
from codex_client.errors import KernelLost
from codex_client.results import TurnResult
from codex_client.turn_settings import absolute, one_of, sandbox_policy, user_turn
from codex_protocol.attach import Snapshot
from codex_protocol.changes import Changes
from codex_protocol.errors import CodexError, ThreadError, UsageError
from codex_protocol.events import (
    ChangesReverted,
    NumberedEvent,
    SessionConfigured,
    TaskComplete,
    TaskStarted,
    ThreadNameUpdated,
    TokenCount,
    TokenUsage,
    TurnAborted,
    TurnContextChanged,
    UserMessage,
)
from codex_protocol.ops import (
    Compact,
    Interrupt,
    LocalImageInput,
    Op,
    OverrideTurnContext,
    Review,
    RunUserShellCommand,
    SetThreadName,
    TextInput,
    UserInput,
    UserInputItem,
)
from codex_protocol.policy import ApprovalPolicy, Effort

if TYPE_CHECKING:
    from codex_client.export.thread import Exported, Format
    from codex_client.launch import OwnKernel
    from codex_client.reverting import What
    from codex_store.home import Home

M = TypeVar("M")
Opened = tuple["OwnKernel | None", Connection]
_AGENTS = 5
"""So many agents may end, one after the other, before what is asked of them counts as lost."""
_CLOSED = "the thread was closed; open it again with thread_resume"


class Opener(Protocol):
    """Opens a kernel: a new thread's, or the one that has or resumes a thread."""

    async def __call__(self, thread: str | None, or_new: bool = False) -> Opened:
        """The kernel with the thread, or with a new one: for None, and with `or_new` where it was never kept."""
        ...


class AsyncThread:
    """A thread. Made by `AsyncCodex`; `aclose` ends its kernel, the thread itself stays on disk."""

    def __init__(self, opened: Opened, opener: Opener | None, approvals: Approvals, home: Home) -> None:
        """Use `AsyncCodex.thread_start` and its like.

        Args:
            opened: Its kernel, None for one that is not ours to end, and a connection that is attached.
            opener: Makes another kernel when this one has gone; None for one that is not ours.
            approvals: Who answers where a turn says nothing.
            home: Where it is kept.
        """
        self.kernel, self.connection = opened
        self._home = home
        self.last: TurnResult | None = None
        """Of the last turn whose result was waited for."""
        self.running_turn: str | None = None
        self._opener = opener
        self._approvals: Approvals = approvals
        self._turns: list[AsyncTurn] = []
        self._closed = False
        self._opening = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._said_something = False
        self._kept = False
        """Whether something of it is surely on disk."""
        self._configured: SessionConfigured
        self._settings: TurnContextChanged
        self._name: str | None = None
        self._usage = TokenUsage()

    @classmethod
    async def open(cls, opener: Opener, resume: str | None, approvals: Approvals, home: Home) -> AsyncThread:
        """A thread in the kernel that `opener` starts or finds."""
        for left in reversed(range(_AGENTS)):
            try:
                thread = cls(await opener(resume), opener, approvals, home)
                thread._said_something = thread._kept = resume is not None
                await thread._listen_or_leave()
            except KernelLost:  # it ended just now: its successor, or one of our own
                if not left:
                    raise
            else:
                return thread
        raise AssertionError("the last try returns or raises")

    async def listen(self) -> None:
        """Follow the thread from a snapshot on."""
        self.connection.listen(self._told, self._lost)
        await self.connection.attach()

    # Facts

    @property
    def closed(self) -> bool:
        """Whether `aclose` was called."""
        return self._closed

    @property
    def id(self) -> str:
        """The thread's id."""
        return self.connection.thread_id

    @property
    def name(self) -> str | None:
        """What a person called it."""
        return self._name

    @property
    def cwd(self) -> str:
        """Its directory."""
        return self._settings.cwd

    @property
    def model(self) -> str:
        """The model of its next turn."""
        return self._settings.model

    @property
    def settings(self) -> TurnContextChanged:
        """Of its next turn."""
        return self._settings

    @property
    def configured(self) -> SessionConfigured:
        """How it began in its present kernel."""
        return self._configured

    @property
    def usage(self) -> TokenUsage:
        """Tokens of the whole thread."""
        return self._usage

    # Turns

    @overload
    async def run(self, prompt: str, *, schema: type[M], **options: Any) -> M: ...
    @overload
    async def run(self, prompt: str, *, schema: None = None, **options: Any) -> TurnResult: ...
    async def run(self, prompt: str, *, schema: Any = None, **options: Any) -> Any:
        """One turn to its end: its result, or with `schema` the answer as a validated object of that type.

        Args:
            prompt: What the model is asked.
            schema: A pydantic model, dataclass, TypedDict or other type that pydantic can validate. The model is held
                to its JSON schema, and told once when its answer does not fit.
            options: As for `turn`.

        Raises:
            TurnFailed: The turn ended with an error.
            InvalidAnswer: The answer does not fit the schema, also after the model was told.
            KernelLost: The agent's process ended; the next turn goes on with the thread.
        """
        turn = await self.turn(prompt, schema=schema, **options)
        result = await turn.result()
        if schema is None:
            return result
        if result.status != "completed":
            raise ThreadError("the turn was interrupted before there was an answer")
        return result.parsed

    async def turn(
        self,
        prompt: str,
        *,
        schema: Any = None,
        context: Mapping[str, Any] | None = None,
        images: Sequence[str | Path] = (),
        cwd: str | Path | None = None,
        model: str | None = None,
        sandbox: str | None = None,
        approval_policy: str | None = None,
        effort: str | None = None,
        approvals: Approvals | None = None,
        on_event: Progress | None = None,
        output_schema: dict[str, Any] | None = None,
    ) -> AsyncTurn:
        """Begin a turn, or join the one that runs; what is said of settings counts for a turn of its own only.

        Args:
            prompt: What the model is asked.
            schema: See `run`.
            context: Data to send along by name: DataFrames, or anything with a useful text form; long ones are cut.
            images: Image files.
            cwd: Directory of this turn.
            model: Model of this turn.
            sandbox: `read-only`, `workspace-write` or `danger-full-access`, for this turn.
            approval_policy: `untrusted`, `on-failure`, `on-request` or `never`, for this turn.
            effort: How long the model thinks in this turn.
            approvals: Who answers approvals of this turn.
            on_event: Called with every event and the turn as it then stands, while somebody waits for the result.
            output_schema: A JSON schema for the answer, which is not checked here; `schema` is.

        Raises:
            UsageError: One of these cannot be used.
            ThreadError: The thread is closed, or the kernel cannot be started again.
        """
        from codex_client.context import with_context

        text, passed = with_context(prompt, context or {})
        if not text.strip() and not images:
            raise UsageError("the prompt is empty")
        items: list[UserInputItem] = [TextInput(text)]
        items += [LocalImageInput(absolute(image)) for image in images]
        if schema is not None:
            from codex_client.structured import json_schema

            output_schema = json_schema(schema)
        answers: Approvals = self._approvals if approvals is None else approvals
        turn = AsyncTurn(self, approve=approver(answers), context=passed, schema=schema, on_event=on_event)
        await self.ensure_open()
        if any(value is not None for value in (cwd, model, sandbox, approval_policy, effort)):
            op: Op = user_turn(
                self._settings,
                tuple(items),
                turn.client_id,
                output_schema,
                cwd=cwd,
                model=model,
                sandbox=sandbox,
                policy=approval_policy,
                effort=effort,
            )
        else:
            op = UserInput(items=tuple(items), client_id=turn.client_id, output_schema=output_schema)
        return await self._begin(turn, op)

    async def changes(self, turn: int | None = None) -> Changes:
        """What the thread changed in its directory, by patches and by commands.

        Args:
            turn: A turn alone, counted from 1 over those that ran anything; 0: the newest.

        Raises:
            CodexError: There is no such turn, or nothing is recorded.
        """
        arguments = {} if turn is None else {"turn": turn}
        return msgspec.convert(await self._ask_twice(lambda agent: agent.query("changes", arguments)), Changes)

    async def revert(
        self, what: What | None = None, *, hunks: Sequence[int] | None = None, turn: int | None = None
    ) -> ChangesReverted:
        """Take back what the thread changed in its directory; what you edited since is left, and told in `left`.

        The model is told of it with the next turn.

        Args:
            what: `changes()`, or some of their files, as they were looked at; or names of files; None: everything.
            hunks: Of one file, the numbers of the hunks in its diff, from 0; None: all of it.
            turn: What a turn alone changed, as for `changes`; where `what` is `Changes`, they say it.

        Raises:
            UsageError: There is no such change.
            ThreadError: A turn runs, or nothing is recorded.
            KernelLost: The agent ended meanwhile: look at `changes()` again.
        """
        from codex_client.reverting import parts_of, take_back

        if isinstance(what, Changes):
            turn = what.turn
        parts = parts_of(what, hunks, await self.changes(turn))
        if not parts:
            return ChangesReverted(files=())
        return await take_back(self.connection, turn, parts)

    async def export(self, to: Format = "md", *, redact: bool = True) -> Exported:
        """The thread so far as text for other people; see `AsyncCodex.export`.

        Raises:
            ThreadError: Nothing was said in it yet.
            RolloutError: It is not kept on this machine.
        """
        from codex_client.export.thread import export_thread, format_of
        from codex_store.threads import find_thread

        form = format_of(to)
        if not self._said_something:
            raise ThreadError("nothing was said in this thread yet, so there is nothing to export")
        return await asyncio.to_thread(
            lambda: export_thread(self._home, find_thread(self._home, self.id), form, redact=redact)
        )

    async def compact(self) -> TurnResult:
        """Replace the history by a summary of it."""
        return await self._special(Compact())

    async def review(
        self, prompt: str | None = None, *, base: str | None = None, commit: str | None = None
    ) -> TurnResult:
        """A reviewer's turn over a change: `prompt`, a base branch, a commit, or what is not committed yet."""
        uncommitted = prompt is None and base is None and commit is None
        return await self._special(Review(prompt=prompt, base=base, commit=commit, uncommitted=uncommitted))

    async def interrupt(self) -> None:
        """Stop the running turn, whoever began it."""
        await self.connection.submit(Interrupt())

    # Settings and the rest

    async def set_name(self, name: str) -> None:
        """Name the thread."""
        await self._change(SetThreadName(name=name))
        self._name = name

    async def configure(
        self,
        *,
        cwd: str | Path | None = None,
        model: str | None = None,
        sandbox: str | None = None,
        approval_policy: str | None = None,
        effort: str | None = None,
    ) -> None:
        """Change settings for all later turns; what is None stays."""
        op = OverrideTurnContext(
            cwd=None if cwd is None else absolute(cwd),
            model=model,
            sandbox_policy=None if sandbox is None else sandbox_policy(sandbox),
            approval_policy=None
            if approval_policy is None
            else one_of(ApprovalPolicy, approval_policy, "approval_policy"),
            effort=None if effort is None else one_of(Effort, effort, "effort"),
        )
        await self._change(op)

    async def run_command(self, command: str) -> None:
        """Run the user's own command in the sandbox and put it and its output into the history."""
        await self.ensure_open()
        await self.connection.submit(RunUserShellCommand(command=command))

    async def ensure_open(self) -> None:
        """Start a kernel that resumes the thread, when its own has gone.

        Raises:
            ThreadError: The thread is closed, or is in a kernel that is not ours to start again.
        """
        async with self._opening:
            if self._closed:
                raise ThreadError(_CLOSED)
            if self.connection.lost is None:
                return
            if self._opener is None:
                raise self.connection.lost
            await self._leave()
            known = self.id if self._said_something else None
            self.kernel, self.connection = await self._opener(known, or_new=not self._kept)
            await self._listen_or_leave()
            if self._closed:
                await self._leave()
                raise ThreadError(_CLOSED)

    async def _listen_or_leave(self) -> None:
        try:
            await self.listen()
        except BaseException:
            await asyncio.shield(self._leave())
            raise

    async def aclose(self) -> None:
        """End its kernel, if it is ours; the thread stays on disk and can be resumed."""
        if self._closed:
            return
        self._closed = True
        for turn in tuple(self._turns):
            turn.fail(KernelLost("the thread was closed while the turn ran"))
        async with self._opening:
            await self._leave()

    async def _leave(self) -> None:
        await self.connection.aclose()
        if self.kernel is not None:
            await self.kernel.aclose()

    async def _change(self, op: Op) -> None:
        async def change(agent: Connection) -> None:
            await agent.submit(op)
            await agent.catch_up()  # it is done then, not only taken

        await self._ask_twice(change)

    async def _ask_twice(self, ask: Callable[[Connection], Awaitable[M]]) -> M:
        """What the thread's agent answers; when it ends meanwhile its successor is asked the same.

        Args:
            ask: Asks for what does no harm when it is done twice.
        """
        for left in reversed(range(_AGENTS)):
            await self.ensure_open()
            agent = self.connection
            try:
                return await ask(agent)
            except KernelLost:
                if not left or agent.lost is None or self._opener is None:
                    raise
        raise AssertionError("the last try returns or raises")

    async def _special(self, op: Op) -> TurnResult:
        await self.ensure_open()
        turn = AsyncTurn(self, approve=approver(self._approvals))
        return await (await self._begin(turn, op)).result()

    async def _begin(self, turn: AsyncTurn, op: Op) -> AsyncTurn:
        turn.op = op
        self._turns.append(turn)  # before the op leaves: its first event may be here before the reply
        self._said_something = True
        try:
            await self._deliver(turn)
        except asyncio.CancelledError:
            if turn.left and not turn.ended:  # the agent may have it: nobody would hear what it does
                await asyncio.shield(turn.stop())
            self.forget(turn)
            raise
        except BaseException:
            self.forget(turn)
            raise
        return turn

    async def _deliver(self, turn: AsyncTurn) -> None:
        """Hand in a turn's input, until there is an agent that does not end before anything came of it.

        The next agent knows by the input's `client_id` whether it is in the thread: then it is not taken again.
        """

        async def submit(agent: Connection) -> None:
            if turn.ended or turn.stopped:
                return
            if turn.answers:
                await agent.offer_answers()
            assert turn.op is not None  # noqa: S101 - `_begin` has set it
            turn.left = True
            await agent.submit(turn.op, turn.id)
            if turn.stopped:  # while it was on its way
                await agent.submit(Interrupt())
            if agent.lost is not None and not turn.ended:
                raise agent.lost

        turn.on_its_way = True
        try:
            await self._ask_twice(submit)
        finally:
            turn.on_its_way = False

    async def _deliver_again(self, turn: AsyncTurn) -> None:
        try:
            await self._deliver(turn)
        except CodexError as error:
            turn.fail(error)

    def forget(self, turn: AsyncTurn) -> None:
        """It has ended and needs no more events."""
        with contextlib.suppress(ValueError):
            self._turns.remove(turn)

    # What comes in

    def _told(self, told: NumberedEvent | Snapshot) -> None:
        if isinstance(told, Snapshot):
            self._take_snapshot(told)
            return
        match told.event.msg:
            case TaskStarted():
                self.running_turn = told.event.id
            case SessionConfigured() as configured:
                self._configured = configured
            case TurnContextChanged() as settings:
                self._settings = settings
            case ThreadNameUpdated(name=name):
                self._name = name
            case TokenCount(total=total) if total is not None:
                self._usage = total
            case UserMessage():
                self._kept = True
            case _:
                pass
        for turn in tuple(self._turns):
            turn.take(told)
        if isinstance(told.event.msg, TaskComplete | TurnAborted) and told.event.id == self.running_turn:
            self.running_turn = None

    def _take_snapshot(self, snapshot: Snapshot) -> None:
        from codex_protocol.attach import read_event

        self._configured, self._settings = snapshot.configured, snapshot.settings
        self._name, self._usage = snapshot.name, snapshot.usage
        self._kept = self._kept or bool(snapshot.items)
        self._said_something = self._said_something or self._kept
        self.running_turn = None
        followed = tuple(self._turns)
        boots: set[str] = set()
        for content in snapshot.events:
            with contextlib.suppress(UsageError):
                event = read_event(content)
                if event is not None:
                    boots.add(event.boot)
                    self._told(event)
        for turn in followed:
            if not turn.ended and turn.began_elsewhere(boots, self.running_turn):
                turn.fail(KernelLost("the turn ended while it could not be followed; the thread itself goes on"))

    def _lost(self, error: CodexError) -> None:
        self.running_turn = None
        for turn in tuple(self._turns):
            if not turn.untouched or self._opener is None or self._closed:
                turn.fail(KernelLost(f"{error}; the thread's next turn resumes it"))
                continue
            turn.begin_again()
            if not turn.on_its_way:
                self._start(self._deliver_again(turn))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def __repr__(self) -> str:
        name = f" {self._name!r}" if self._name else ""
        return f"<thread {self.id}{name} in {self.cwd}, model {self.model}>"
