"""An index of a directory's files that answers while it is being made: git's tracked files first, the rest behind them.

Git is not asked here but by whom it is handed in from; where that fails, because there is no repository or no git, the
directory is walked. All lists are made in a thread; the event loop only swaps the finished ones in.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal, Protocol

from codex_kernel.search.candidates import Cancelled, Candidates
from codex_kernel.search.listing import Listing, of_names, walk
from codex_protocol.errors import CodexError

log = logging.getLogger(__name__)


class ListFiles(Protocol):
    """Asks git for files; `codex_kernel.sandbox.git.ls_files` is one."""

    def __call__(self, cwd: Path, which: Literal["tracked", "untracked"], /) -> Awaitable[list[str]]:
        """Files below `cwd`, relative to it.

        Raises:
            CodexError: There is no repository, or git could not be asked.
        """
        ...


class FileIndex:
    """The files below one directory. Used from one event loop; `close` ends what it still does."""

    def __init__(self, root: Path, list_files: ListFiles | None = None, *, fast: bool | None = None) -> None:
        """Take what git is asked through; nothing is read yet.

        Args:
            root: An absolute path.
            list_files: None: git is not asked.
            fast: Whether `frizbee` is used; None: where it is installed.
        """
        self._root = root
        self._list_files = list_files
        self._fast = fast
        self._candidates: Candidates | None = None
        self._first = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stop = threading.Event()
        self._made_at = float("-inf")
        self._took_s = 0.0
        self._listing = Listing([], [])
        self._again = False

    @property
    def candidates(self) -> Candidates | None:
        """What is known so far; None before the first list."""
        return self._candidates

    @property
    def complete(self) -> bool:
        """Whether nothing is being read."""
        return self._task is None and self._candidates is not None

    def refresh(self, *, older_than_s: float = 0.0) -> None:
        """Read the directory again, in the background; what is known serves meanwhile.

        Args:
            older_than_s: Lists younger than this are left as they are; where reading takes long, also older ones, so
                that at most a tenth of the time goes into it. 0: read it now.
        """
        if self._task is not None:
            self._again = self._again or older_than_s <= 0
            return
        age = time.monotonic() - self._made_at
        if age >= max(older_than_s, 10 * self._took_s if older_than_s > 0 else 0) and not self._stop.is_set():
            self._task = asyncio.get_running_loop().create_task(self._read_all(), name="file index")

    async def ready(self) -> Candidates:
        """What is known, as soon as there is anything: after the first list, git's index where there is one."""
        while self._candidates is None:
            self.refresh()
            await self._first.wait()
        return self._candidates

    async def settled(self) -> Candidates:
        """What is known when everything has been read."""
        await self.ready()
        while self._task is not None:
            await asyncio.wait([self._task])
        return await self.ready()

    async def close(self) -> None:
        """Stop reading."""
        self._stop.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._end()  # a task that never began has not done it

    async def _read_all(self) -> None:
        try:
            while True:
                self._again = False
                began = time.monotonic()
                await self._read()
                self._made_at = time.monotonic()
                self._took_s = self._made_at - began
                if not self._again:
                    return
        except Cancelled:
            pass
        except Exception as error:  # a list of files is never worth ending anything for
            log.exception("the files below %s cannot be listed: %s", self._root, error)
        finally:
            self._end()

    def _end(self) -> None:
        """Nothing is read any more; who waits for the first list gets what there is."""
        if self._candidates is None:
            self._candidates = Candidates((), (), fast=False)
        self._first.set()
        self._task = None

    async def _read(self) -> None:
        tracked = await self._ask_git("tracked")
        if tracked is None:
            await self._take(lambda: walk(self._root, self._stop.is_set))
            return
        # Without untracked files an older list is better than this one; the first list is better than none.
        if self._candidates is None and tracked:
            await self._take(lambda: of_names(self._root, tracked))
        untracked = await self._ask_git("untracked") or []
        if untracked or self._candidates is None or self._made_at > float("-inf"):
            await self._take(lambda: of_names(self._root, [*tracked, *untracked]))

    async def _ask_git(self, which: Literal["tracked", "untracked"]) -> list[str] | None:
        if self._list_files is None:
            return None
        try:
            return await self._list_files(self._root, which)
        except (CodexError, OSError) as error:
            log.debug("git does not list %s files below %s: %s", which, self._root, error)
            return None

    async def _take(self, make: Callable[[], Listing]) -> None:
        """Make a list and all that is needed to search it, in a thread; then it is what is known."""

        def build() -> tuple[Listing, Candidates | None]:
            listing = make()
            if self._candidates is not None and listing == self._listing:
                return listing, None
            return listing, Candidates(listing.files, listing.directories, fast=self._fast)

        self._listing, candidates = await asyncio.to_thread(build)
        if candidates is not None:
            self._candidates = candidates
        self._first.set()
