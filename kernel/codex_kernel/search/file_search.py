"""File search for completion: one question at a time, the newest wins, off the event loop.

Source: spec/file-search.md section 6; without its wait of 100 ms before a search, which only a slow search needs.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from codex_kernel.search.candidates import Cancelled
from codex_kernel.search.index import FileIndex, ListFiles
from codex_kernel.search.match import NOTHING_KNOWN, POOL, Found, find
from codex_kernel.search.score import Case

MayRead = Callable[[Path], bool]
FRESH_S = 2.0
"""A list older than this is read again, in the background, when somebody begins to search."""


class FileSearch:
    """Finds files below one directory by parts of their names.

    Used from one event loop. Nothing is read before the first question.
    """

    def __init__(
        self,
        root: Path,
        *,
        list_files: ListFiles | None = None,
        rights: Callable[[], MayRead] | None = None,
        case: Case = "smart",
        fast: bool | None = None,
    ) -> None:
        """Take what the search may know.

        Args:
            root: An absolute path.
            list_files: How git is asked (`codex_kernel.sandbox.git.ls_files`); None: the directory is walked.
            rights: Gives for one question whether an absolute path may be told of; called in a thread, as is what it
                gives, for the best matches only.
            case: `smart`: capitals in a word count once it has one; `ignore`: they never do.
            fast: Whether `frizbee` is used; None: where it is installed.
        """
        self._root = root
        self._rights = rights
        self._case: Case = case
        self._index = FileIndex(root, list_files, fast=fast)
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="file-search")
        self._remaining = NOTHING_KNOWN
        self._newest: threading.Event | None = None
        """Set to stop the question that is being answered."""
        self._closed = False

    @property
    def index(self) -> FileIndex:
        """The files it knows."""
        return self._index

    def prepare(self) -> None:
        """Begin to read the directory, as when a person opens the list; returns at once."""
        self._index.refresh(older_than_s=FRESH_S)

    async def search(self, query: str, *, limit: int = 8) -> Found | None:
        """The best matches of `query`.

        Args:
            query: Words that all have to match; blank: nothing is found.
            limit: At most this many matches, and never more than 50.

        Returns:
            The answer; None when a newer question came before there was one.
        """
        if self._closed:
            return None
        if self._newest is not None:
            self._newest.set()
        stop = self._newest = threading.Event()
        try:
            self._index.refresh(older_than_s=FRESH_S)
            candidates = await self._index.ready()
            if stop.is_set() or self._closed:
                return None
            before = self._remaining
            found = await asyncio.get_running_loop().run_in_executor(
                self._worker,
                lambda: find(
                    candidates,
                    query,
                    limit=min(limit, POOL),
                    case=self._case,
                    before=before,
                    stopped=stop.is_set,
                    keep=self._kept(),
                ),
            )
        except Cancelled:
            return None
        except asyncio.CancelledError:
            stop.set()
            raise
        if stop.is_set():
            return None
        self._newest = None
        self._remaining = found.remaining
        return found

    async def close(self) -> None:
        """Stop everything; an open question is answered with None, as are later ones."""
        self._closed = True
        if self._newest is not None:
            self._newest.set()
        await self._index.close()
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _kept(self) -> Callable[[str], bool]:
        """Whether a path is still there and may be told of; git's index also names what was deleted."""
        may_read = None if self._rights is None else self._rights()

        def keep(path: str) -> bool:
            absolute = os.path.join(self._root, path)
            return os.path.lexists(absolute) and (may_read is None or may_read(Path(absolute)))

        return keep
