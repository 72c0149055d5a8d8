"""`AsyncCodex`: starts, resumes, forks and lists threads, for code that runs on an event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from codex_client.approvals import Approvals, approver, place
from codex_client.async_thread import AsyncThread, Opened
from codex_client.connection import Connection
from codex_client.data import StoredThreads
from codex_client.errors import KernelLost
from codex_client.launch import attach, set_flags, start_attached
from codex_client.turn_settings import approval_policy as policy_of
from codex_client.turn_settings import one_of
from codex_protocol.errors import ThreadError, UsageError
from codex_protocol.kernel_options import KernelOptions
from codex_protocol.policy import SandboxMode
from codex_store.home import Home, find_home
from codex_store.running import RunningThread, running_thread
from codex_store.thread_info import ThreadInfo


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How threads are opened; what is None is left to config files. Travels to the workers of a batch."""

    cwd: str | None = None
    """None: this process's directory."""
    model: str | None = None
    model_provider: str | None = None
    profile: str | None = None
    sandbox: str | None = None
    """`read-only`, `workspace-write` or `danger-full-access`."""
    approval_policy: str | None = None
    """`untrusted`, `on-failure`, `on-request` or `never`."""
    config: dict[str, Any] = {}
    """Settings by their keys, which may be dotted: as in `config.toml`."""
    base_instructions: str | None = None
    developer_instructions: str | None = None
    add_dirs: tuple[str, ...] = ()
    """Directories that may be written too."""
    ephemeral: bool = False
    """Nothing is kept on disk."""
    demo: bool = False
    """The offline demo model."""
    trust: bool = False
    """The directory is trusted from now on: its own settings count, and the default sandbox is `workspace-write`."""
    env: dict[str, str] = {}
    """Added to the environment of the agent and its commands."""
    fork: bool = True
    """Ask the user's fork server for kernels, which takes 30 ms instead of 300."""

    def options(self, *, resume: str | None = None, fork: str | None = None) -> KernelOptions:
        """For a kernel.

        Raises:
            UsageError: A setting is none.
        """
        cwd = os.path.realpath(os.path.expanduser(self.cwd or os.getcwd()))
        if not os.path.isdir(cwd):
            raise UsageError(f"the directory {cwd} does not exist")
        flags = set_flags(
            model=self.model,
            model_provider=self.model_provider,
            profile=self.profile,
            sandbox_mode=None if self.sandbox is None else one_of(SandboxMode, self.sandbox, "sandbox").value,
            approval_policy=None if self.approval_policy is None else policy_of(self.approval_policy).value,
            base_instructions=self.base_instructions,
            developer_instructions=self.developer_instructions,
            add_dirs=list(self.add_dirs) or None,
            ephemeral=self.ephemeral,
            demo=self.demo,
            trust=self.trust,
            config=self.config or None,
        )
        return KernelOptions(cwd=cwd, flags=flags, resume=resume, fork=fork, originator="codex_python")

    def home(self) -> Home:
        """Whose threads these are."""
        return find_home({**os.environ, **self.env})


def make_settings(known: Settings, changes: Mapping[str, Any]) -> Settings:
    """The settings with changes.

    Raises:
        UsageError: There is no such setting, or it has another type.
    """
    given = {name: value for name, value in changes.items() if value is not None}
    if isinstance(given.get("cwd"), Path):
        given["cwd"] = str(given["cwd"])
    if "add_dirs" in given:
        given["add_dirs"] = [str(each) for each in given["add_dirs"]]
    unknown = set(given) - set(Settings.__struct_fields__)
    if unknown:
        raise UsageError(
            f"there is no setting {', '.join(sorted(unknown))}; there are {', '.join(Settings.__struct_fields__)}"
        )
    try:
        return msgspec.convert({**msgspec.to_builtins(known), **given}, Settings)
    except msgspec.ValidationError as error:
        raise UsageError(f"a setting cannot be used: {error}") from error


_OPENING_TRIES, _OPENING_S = 20, 0.1
"""So often a thread that somebody has just opened is looked for."""


def _running(home: Home, thread: str) -> RunningThread | None:
    """The running thread of that id, which need not be on disk yet, or of that name."""
    from codex_store.thread_ids import is_thread_id
    from codex_store.threads import find_thread

    return running_thread(home, thread if is_thread_id(thread) else find_thread(home, thread).id)


async def _join(home: Home, running: RunningThread, can_answer: bool) -> Connection:
    async def is_alive() -> bool:
        found = await asyncio.to_thread(running_thread, home, running.thread_id)
        return found is not None and found.connection_file == running.connection_file

    connection = await Connection.connect(
        Path(running.connection_file), client=place(), can_answer=can_answer, is_alive=is_alive
    )
    await attach(connection, is_alive, lambda: KernelLost("the agent that had the thread open has ended"))
    return connection


class _Way:
    """How one thread's agents are reached: the one that has it open is joined, else one is started."""

    def __init__(self, settings: Settings, *, can_answer: bool, fork: str | None, own: bool) -> None:
        """Open nothing yet.

        Args:
            settings: For agents that are started.
            can_answer: Approvals can be offered to us.
            fork: The thread that a new one begins with.
            own: Settings were given for this thread, so that its first agent must be ours.
        """
        self._settings, self._can_answer, self._fork, self._own = settings, can_answer, fork, own

    async def open(self, thread: str | None, or_new: bool = False) -> Opened:
        """An agent with the thread of that id or name; with a new one where there is none and `or_new` is set.

        Raises:
            KernelLost: The one that had it open has just ended; the next try may find another.
            CodexError: It cannot be opened.
        """
        home = self._settings.home()
        if or_new and thread is not None and not await asyncio.to_thread(_is_known, home, thread):
            thread = None
        tries = 0
        while True:
            running = None if thread is None else await asyncio.to_thread(_running, home, thread)
            if running is not None:
                if self._own:
                    raise ThreadError(
                        f"this thread runs in process {running.pid}: settings count where an agent starts; "
                        "leave them out to join it, or close it there first"
                    )
                return None, await _join(home, running, self._can_answer)
            try:
                opened = await self._start(home, thread)
            except ThreadError:
                tries += 1
                if thread is None or tries > _OPENING_TRIES or not await asyncio.to_thread(_is_held, home, thread):
                    raise
                await asyncio.sleep(_OPENING_S)  # somebody else was faster, and says so in a moment
            else:
                self._own = False  # another one may go on with it from now on
                return opened

    async def _start(self, home: Home, thread: str | None) -> Opened:
        fork = self._fork if thread is None else None
        options = self._settings.options(resume=thread, fork=fork)
        return await start_attached(
            options, self._settings.env, client=place(), can_answer=self._can_answer, fork=self._settings.fork
        )


def _is_known(home: Home, thread_id: str) -> bool:
    from codex_store.rollout_paths import find_rollout

    return running_thread(home, thread_id) is not None or find_rollout(home, thread_id) is not None


def _is_held(home: Home, thread: str) -> bool:
    """Whether a process writes to it: one that has just opened it, or a program that cannot be joined."""
    from codex_store.threads import find_thread
    from codex_store.writer_lock import held_threads

    return find_thread(home, thread).id in held_threads(home.root)


class AsyncCodex(StoredThreads):
    """Threads for asyncio code; use it in `async with`, which ends what it started."""

    def __init__(self, *, approvals: Approvals = "auto", **settings: Any) -> None:
        """Start nothing yet.

        Args:
            approvals: Who answers approvals: `auto`, `ask`, `deny` or a function of the question.
            settings: Fields of `Settings`, for all threads that do not say otherwise.

        Raises:
            UsageError: One of these cannot be used.
        """
        approver(approvals)
        self.settings = make_settings(Settings(), settings)
        self.approvals: Approvals = approvals
        self._threads: list[AsyncThread] = []

    def home(self) -> Home:
        """Whose threads these are."""
        return self.settings.home()

    async def thread_start(self, *, approvals: Approvals | None = None, **settings: Any) -> AsyncThread:
        """A new thread, in an agent of its own that ends with this process.

        Args:
            approvals: As for `AsyncCodex`.
            settings: Fields of `Settings`.

        Raises:
            CodexError: It cannot be opened: a setting, a credential, the directory.
        """
        return await self._open(None, None, approvals, settings)

    async def thread_resume(self, thread: str, *, approvals: Approvals | None = None, **settings: Any) -> AsyncThread:
        """A stored thread, by id or name, to go on with.

        One that is open here already is handed out again. One that runs elsewhere, in the page or in another notebook,
        is joined: its agent goes on as it was started and is not ended by us.

        Raises:
            CodexError: There is no such thread; a program that cannot be joined writes to it, as `codex exec` does; or
                it runs elsewhere and `settings` were given, which count only where an agent starts.
        """
        for known in self._threads:
            if thread in (known.id, known.name) and not settings and not known.closed:
                return known
        return await self._open(thread, None, approvals, settings)

    async def thread_fork(self, thread: str, *, approvals: Approvals | None = None, **settings: Any) -> AsyncThread:
        """A new thread that begins with all of a stored one.

        Raises:
            CodexError: There is no such thread.
        """
        return await self._open(None, thread, approvals, settings)

    async def thread_connect(self, connection_file: str | Path, *, approvals: Approvals | None = None) -> AsyncThread:
        """The thread of a kernel that runs already, on this machine or behind forwarded ports; it is not ended by us.

        Raises:
            CodexError: The file is no connection file, or nobody answers.
        """
        answers = self.approvals if approvals is None else approvals
        can_answer = approver(answers) is not None
        connection = await Connection.connect(connection_file, client=place(), can_answer=can_answer)
        thread = AsyncThread((None, connection), None, answers, self.home())
        try:
            await thread.listen()
        except BaseException:
            await connection.aclose()
            raise
        self._threads.append(thread)
        return thread

    async def thread_list(self, **options: Any) -> list[ThreadInfo]:
        """Stored threads, the one that changed last first; options as for `codex_store.threads.list_threads`."""
        from codex_store.threads import list_threads

        return await asyncio.to_thread(partial(list_threads, self.home(), **options))

    async def thread_archive(self, thread: str) -> None:
        """Take a thread out of the lists; it must not run."""
        from codex_store.thread_changes import archive
        from codex_store.threads import find_thread

        await asyncio.to_thread(lambda: archive(self.home(), find_thread(self.home(), thread).id))

    async def thread_unarchive(self, thread: str) -> None:
        """Take an archived thread back."""
        from codex_store.thread_changes import unarchive
        from codex_store.threads import find_thread

        await asyncio.to_thread(lambda: unarchive(self.home(), find_thread(self.home(), thread).id))

    async def aclose(self) -> None:
        """End every agent that was started here; threads stay on disk."""
        threads, self._threads = self._threads, []
        await asyncio.gather(*(thread.aclose() for thread in threads))

    async def _open(
        self, resume: str | None, fork: str | None, approvals: Approvals | None, settings: dict[str, Any]
    ) -> AsyncThread:
        wanted = make_settings(self.settings, settings)
        answers = self.approvals if approvals is None else approvals
        way = _Way(wanted, can_answer=approver(answers) is not None, fork=fork, own=bool(settings))
        thread = await AsyncThread.open(way.open, resume, answers, wanted.home())
        self._threads = [known for known in self._threads if not known.closed]
        self._threads.append(thread)
        return thread

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<AsyncCodex, {len(self._threads)} threads open>"
