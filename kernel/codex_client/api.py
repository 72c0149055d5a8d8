"""`Codex`, `Thread` and `Turn`: the API for notebooks and scripts; each call blocks until it is done.

It is the asynchronous API run on a loop in a thread of its own (`portal.py`): there is no second implementation.
"""

from __future__ import annotations

import atexit
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from codex_client.approvals import Approvals
from codex_client.async_client import AsyncCodex
from codex_client.async_thread import AsyncThread
from codex_client.async_turn import AsyncTurn
from codex_client.data import StoredThreads
from codex_client.portal import Portal
from codex_client.results import TurnResult
from codex_client.thread_settings import Settings
from codex_protocol.changes import Changes
from codex_protocol.events import ChangesReverted, EventMsg, TurnContextChanged
from codex_protocol.token_usage import TokenUsage
from codex_store.home import Home
from codex_store.thread_info import ThreadInfo

if TYPE_CHECKING:
    from codex_client.export.thread import Exported, Format
    from codex_client.reverting import What

M = TypeVar("M")
_portal = Portal()


class Turn:
    """A turn that was begun. Made by `Thread.turn`."""

    def __init__(self, turn: AsyncTurn) -> None:
        """Use `Thread.turn`."""
        self._turn = turn

    @property
    def id(self) -> str:
        """Of the turn."""
        return self._turn.id

    @property
    def ended(self) -> bool:
        """Whether nothing more comes."""
        return self._turn.ended

    @property
    def so_far(self) -> TurnResult:
        """What it has come to so far."""
        return self._turn.so_far

    def stream(self) -> Iterator[EventMsg]:
        """Every event as it happens, its end included; see `AsyncTurn.stream`. Ctrl-C interrupts the turn."""
        events = self._turn.stream()
        while True:
            try:
                yield _portal.run(anext(events))  # type: ignore[arg-type]  # an awaitable that is a coroutine
            except StopAsyncIteration:
                return

    def result(self, *, check: bool = True) -> TurnResult:
        """What it came to, when it has ended; see `AsyncTurn.result`. Ctrl-C interrupts the turn."""
        return _portal.run(self._turn.result(check=check))

    run = result
    """As the official SDK calls it."""

    def steer(self, text: str) -> None:
        """Add to what the model is asked, while the turn runs."""
        _portal.run(self._turn.steer(text))

    def interrupt(self) -> None:
        """Stop it; its result says so."""
        _portal.run(self._turn.interrupt())

    def __repr__(self) -> str:
        return repr(self._turn)


class Thread:
    """A thread. Made by `Codex`; `close` ends its agent, the thread itself stays on disk."""

    def __init__(self, thread: AsyncThread) -> None:
        """Use `Codex.thread_start` and its like."""
        self._thread = thread

    @property
    def id(self) -> str:
        """The thread's id."""
        return self._thread.id

    @property
    def name(self) -> str | None:
        """What a person called it."""
        return self._thread.name

    @property
    def cwd(self) -> str:
        """Its directory."""
        return self._thread.cwd

    @property
    def model(self) -> str:
        """The model of its next turn."""
        return self._thread.model

    @property
    def settings(self) -> TurnContextChanged:
        """Of its next turn."""
        return self._thread.settings

    @property
    def usage(self) -> TokenUsage:
        """Tokens of the whole thread."""
        return self._thread.usage

    @property
    def last(self) -> TurnResult | None:
        """Of the last turn whose result was waited for."""
        return self._thread.last

    @property
    def connection_file(self) -> Path | None:
        """With which other clients join the thread (`jupyter console --existing`, `Codex.thread_connect`)."""
        return None if self._thread.kernel is None else self._thread.kernel.connection_file

    @overload
    def run(self, prompt: str, *, schema: type[M], **options: Any) -> M: ...
    @overload
    def run(self, prompt: str, *, schema: None = None, **options: Any) -> TurnResult: ...
    def run(self, prompt: str, *, schema: Any = None, **options: Any) -> Any:
        """One turn to its end: its result, or with `schema` the answer as a validated object of that type.

        Options and errors as for `AsyncThread.run`. Ctrl-C interrupts the turn.
        """
        return _portal.run(self._thread.run(prompt, schema=schema, **options))

    def turn(self, prompt: str, **options: Any) -> Turn:
        """Begin a turn, or join the one that runs; options as for `AsyncThread.turn`."""
        return Turn(_portal.run(self._thread.turn(prompt, **options)))

    def changes(self, turn: int | None = None) -> Changes:
        """What the thread changed in its directory, or a turn of it; see `AsyncThread.changes`."""
        return _portal.run(self._thread.changes(turn))

    def revert(
        self, what: What | None = None, *, hunks: Sequence[int] | None = None, turn: int | None = None
    ) -> ChangesReverted:
        """Take back what the thread changed, by file or by hunk; see `AsyncThread.revert`."""
        return _portal.run(self._thread.revert(what, hunks=hunks, turn=turn))

    def export(self, to: Format = "md", *, redact: bool = True) -> Exported:
        """The thread so far as text for other people; see `AsyncCodex.export`."""
        return _portal.run(self._thread.export(to, redact=redact))

    def compact(self) -> TurnResult:
        """Replace the history by a summary of it."""
        return _portal.run(self._thread.compact())

    def review(self, prompt: str | None = None, *, base: str | None = None, commit: str | None = None) -> TurnResult:
        """A reviewer's turn over a change: `prompt`, a base branch, a commit, or what is not committed yet."""
        return _portal.run(self._thread.review(prompt, base=base, commit=commit))

    def interrupt(self) -> None:
        """Stop the running turn, whoever began it."""
        _portal.run(self._thread.interrupt())

    def set_name(self, name: str) -> None:
        """Name the thread."""
        _portal.run(self._thread.set_name(name))

    def configure(self, **settings: Any) -> None:
        """Change settings for all later turns; see `AsyncThread.configure`."""
        _portal.run(self._thread.configure(**settings))

    def run_command(self, command: str) -> None:
        """Run the user's own command in the sandbox and put it and its output into the history."""
        _portal.run(self._thread.run_command(command))

    def close(self) -> None:
        """End its agent; the thread stays on disk and can be resumed."""
        _portal.run(self._thread.aclose())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return repr(self._thread)


class Codex(StoredThreads):
    """Threads for notebooks and scripts; ends what it started with `close`, at the end of `with`, or with Python."""

    def __init__(self, *, approvals: Approvals = "auto", **settings: Any) -> None:
        """Start nothing yet; arguments as for `AsyncCodex`."""
        self._codex = AsyncCodex(approvals=approvals, **settings)
        atexit.register(self.close)

    @property
    def settings(self) -> Settings:
        """For all threads that do not say otherwise."""
        return self._codex.settings

    def home(self) -> Home:
        """Whose threads these are."""
        return self._codex.home()

    def thread_start(self, *, approvals: Approvals | None = None, **settings: Any) -> Thread:
        """A new thread; see `AsyncCodex.thread_start`."""
        return Thread(_portal.run(self._codex.thread_start(approvals=approvals, **settings)))

    def thread_resume(self, thread: str, *, approvals: Approvals | None = None, **settings: Any) -> Thread:
        """A stored thread, by id or name, to go on with."""
        return Thread(_portal.run(self._codex.thread_resume(thread, approvals=approvals, **settings)))

    def thread_fork(self, thread: str, *, approvals: Approvals | None = None, **settings: Any) -> Thread:
        """A new thread that begins with all of a stored one."""
        return Thread(_portal.run(self._codex.thread_fork(thread, approvals=approvals, **settings)))

    def thread_connect(self, connection_file: str | Path, *, approvals: Approvals | None = None) -> Thread:
        """The thread of a kernel that runs already."""
        return Thread(_portal.run(self._codex.thread_connect(connection_file, approvals=approvals)))

    def thread_list(self, **options: Any) -> list[ThreadInfo]:
        """Stored threads, the one that changed last first."""
        return _portal.run(self._codex.thread_list(**options))

    def thread_archive(self, thread: str) -> None:
        """Take a thread out of the lists; it must not run."""
        _portal.run(self._codex.thread_archive(thread))

    def thread_unarchive(self, thread: str) -> None:
        """Take an archived thread back."""
        _portal.run(self._codex.thread_unarchive(thread))

    def map(self, prompts: Any, **options: Any) -> Any:
        """The same kind of task many times; see `batch.map_prompts`."""
        from codex_client.batch import map_prompts

        return map_prompts(self.settings, prompts, **options)

    def close(self) -> None:
        """End every agent that was started here; threads stay on disk."""
        atexit.unregister(self.close)
        if _portal.running:  # else nothing was started, or by the process that this one was forked from
            _portal.run(self._codex.aclose())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return repr(self._codex).replace("AsyncCodex", "Codex")
