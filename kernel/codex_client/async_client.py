"""`AsyncCodex`: starts, resumes, forks and lists threads, for code that runs on an event loop."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from codex_client.approvals import Approvals, approver, place
from codex_client.async_thread import AsyncThread
from codex_client.connection import Connection
from codex_client.data import StoredThreads
from codex_client.opening import Way
from codex_client.thread_settings import Settings, make_settings
from codex_store.home import Home
from codex_store.thread_info import ThreadInfo


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
        await thread.listen()
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
        way = Way(wanted, can_answer=approver(answers) is not None, fork=fork, own=bool(settings))
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
