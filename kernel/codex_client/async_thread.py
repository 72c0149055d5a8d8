"""`AsyncThread`: what a client can ask of a thread, and what it knows of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

import msgspec

from codex_client.approvals import Approvals, approver
from codex_client.async_turn import AsyncTurn, Progress
from codex_client.connection import Connection
from codex_client.errors import KernelLost
from codex_client.results import TurnResult
from codex_client.thread_agents import MAX_AGENTS, Opened, Opener, ThreadAgents
from codex_client.turn_settings import absolute, one_of, sandbox_policy, user_turn
from codex_client.turns_in_flight import TurnsInFlight
from codex_protocol.attach import Snapshot, read_event
from codex_protocol.changes import Changes
from codex_protocol.errors import ThreadError, UsageError
from codex_protocol.events import (
    ChangesReverted,
    EventMsg,
    NumberedEvent,
    SessionConfigured,
    ThreadNameUpdated,
    TokenCount,
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
from codex_protocol.token_usage import TokenUsage

if TYPE_CHECKING:
    from codex_client.export.thread import Exported, Format
    from codex_client.launch import OwnKernel
    from codex_client.reverting import What
    from codex_store.home import Home

M = TypeVar("M")


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
        self.last: TurnResult | None = None
        """Of the last turn whose result was waited for."""
        self._agents = ThreadAgents(opened, opener, self._told, self._lost)
        self._turns = TurnsInFlight(self._agents)
        self._approvals: Approvals = approvals
        self._home = home
        self._configured: SessionConfigured
        self._settings: TurnContextChanged
        self._name: str | None = None
        self._usage = TokenUsage()

    @classmethod
    async def open(cls, opener: Opener, resume: str | None, approvals: Approvals, home: Home) -> AsyncThread:
        """A thread in the kernel that `opener` starts or finds."""
        for left in reversed(range(MAX_AGENTS)):
            try:
                thread = cls(await opener(resume), opener, approvals, home)
                if resume is not None:
                    thread._agents.note_kept()
                await thread.listen()
            except KernelLost:  # it ended just now: its successor, or one of our own
                if not left:
                    raise
            else:
                return thread
        raise AssertionError("the last try returns or raises")

    async def listen(self) -> None:
        """Follow the thread from a snapshot on; who cannot has left its agent when this raises."""
        await self._agents.listen()

    # Facts

    @property
    def kernel(self) -> OwnKernel | None:
        """Its present kernel; None where that is not ours to end."""
        return self._agents.kernel

    @property
    def connection(self) -> Connection:
        """To its present kernel."""
        return self._agents.connection

    @property
    def running_turn(self) -> str | None:
        """Id of the turn that it works on, whoever began it."""
        return self._turns.running

    @property
    def closed(self) -> bool:
        """Whether `aclose` was called."""
        return self._agents.closed

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
        await self._agents.ensure_open()
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
        return await self._turns.begin(turn, op)

    async def changes(self, turn: int | None = None) -> Changes:
        """What the thread changed in its directory, by patches and by commands.

        Args:
            turn: A turn alone, counted from 1 over those that ran anything; 0: the newest.

        Raises:
            CodexError: There is no such turn, or nothing is recorded.
        """
        arguments = {} if turn is None else {"turn": turn}
        return msgspec.convert(await self._agents.ask(lambda agent: agent.query("changes", arguments)), Changes)

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
        if not self._agents.said_something:
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
        await self._agents.ensure_open()
        await self.connection.submit(RunUserShellCommand(command=command))

    async def aclose(self) -> None:
        """End its kernel, if it is ours; the thread stays on disk and can be resumed."""
        if self.closed:
            return
        self._turns.fail(KernelLost("the thread was closed while the turn ran"))
        await self._agents.aclose()

    async def _change(self, op: Op) -> None:
        async def change(agent: Connection) -> None:
            await agent.submit(op)
            await agent.catch_up()  # it is done then, not only taken

        await self._agents.ask(change)

    async def _special(self, op: Op) -> TurnResult:
        await self._agents.ensure_open()
        turn = AsyncTurn(self, approve=approver(self._approvals))
        return await (await self._turns.begin(turn, op)).result()

    def forget(self, turn: AsyncTurn) -> None:
        """It has ended and needs no more events."""
        self._turns.forget(turn)

    # What comes in

    def _told(self, told: NumberedEvent | Snapshot) -> None:
        if isinstance(told, Snapshot):
            self._take_snapshot(told)
            return
        self._note(told.event.msg)
        self._turns.take(told)

    def _take_snapshot(self, snapshot: Snapshot) -> None:
        self._configured, self._settings = snapshot.configured, snapshot.settings
        self._name, self._usage = snapshot.name, snapshot.usage
        if snapshot.items:
            self._agents.note_kept()
        events = list(_readable(snapshot))
        for told in events:
            self._note(told.event.msg)
        self._turns.take_anew(events)

    def _note(self, msg: EventMsg) -> None:
        match msg:
            case SessionConfigured():
                self._configured = msg
            case TurnContextChanged():
                self._settings = msg
            case ThreadNameUpdated(name=name):
                self._name = name
            case TokenCount(total=total) if total is not None:
                self._usage = total
            case UserMessage():
                self._agents.note_kept()
            case _:
                pass

    def _lost(self, error: KernelLost) -> None:
        self._turns.lose_agent(error)

    def __repr__(self) -> str:
        name = f" {self._name!r}" if self._name else ""
        return f"<thread {self.id}{name} in {self.cwd}, model {self.model}>"


def _readable(snapshot: Snapshot) -> Iterator[NumberedEvent]:
    """What happened in the running turn, without the events of a later version."""
    for content in snapshot.events:
        with contextlib.suppress(UsageError):
            event = read_event(content)
            if event is not None:
                yield event
