"""Files of the thread's directory, for `@` completion and for the file search of rich clients."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from codex_kernel.search.file_search import FileSearch, MayRead
from codex_kernel.search.match import Match

if TYPE_CHECKING:
    from codex_kernel.jupyter.agent import Agent


class Paths:
    """Searches below the agent's directory, whichever that is now."""

    def __init__(self, agent: Agent) -> None:
        """Nothing is read before the first question."""
        self._agent = agent
        self._root: Path | None = None
        self._search: FileSearch | None = None
        self._turn = asyncio.Lock()

    async def find(self, query: str, limit: int) -> tuple[Match, ...]:
        """The best matches, relative to the thread's directory; for a blank query what lies directly in it."""
        if not query.strip():
            return await asyncio.to_thread(_entries, self._agent.cwd, limit)
        async with self._turn:  # a question of one client must not cut off another's
            search = await self._current()
            found = await search.search(query, limit=limit)
        return found.matches if found is not None else ()

    async def close(self) -> None:
        """Stop reading."""
        if self._search is not None:
            await self._search.close()
            self._search = None

    async def _current(self) -> FileSearch:
        from codex_kernel.sandbox.git import ls_files

        root = self._agent.cwd
        if self._search is None or self._root != root:
            await self.close()
            self._root = root
            self._search = FileSearch(root, list_files=ls_files, rights=await self._rights())
        return self._search

    async def _rights(self) -> Callable[[], MayRead]:
        """What the thread's sandbox keeps from commands is kept from completion too."""
        sandbox = (await self._agent.thread()).sandbox
        return lambda: sandbox.rights().may_read


def _entries(folder: Path, limit: int) -> tuple[Match, ...]:
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return ()
    shown = [entry for entry in entries if not entry.name.startswith(".")][:limit]
    return tuple(Match(entry.name, 0, (), entry.is_dir()) for entry in shown)
