"""The list of threads: what a tile shows of each, in the order in which a person wants them, and what a filter leaves.

Files only: nothing here opens a thread.
"""

from __future__ import annotations

import os
from typing import Any

import msgspec

from codex_render.safe_text import one_line
from codex_store.home import Home
from codex_store.running import RunningThread, running_threads
from codex_store.thread_info import ThreadInfo
from codex_store.threads import list_threads
from codex_store.writer_lock import held_threads

Json = dict[str, Any]
LISTED = 100
_FIRST = {"asking": 0, "working": 1, "elsewhere": 1}


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which threads a person wants to see; what is empty hides nothing."""

    search: str = ""
    directory: str = ""
    """Absolute."""
    source: str = ""
    """The front end that made it, as `codex_exec`."""
    archived: bool = False
    """The archived ones instead of the others."""


def tiles(home: Home, wanted: Filter | None = None) -> list[Json]:
    """The threads: those that wait for a person first, then those that work, then the rest, the newest first."""
    wanted = wanted or Filter()
    running = {} if wanted.archived else {thread.thread_id: thread for thread in running_threads(home)}
    held = held_threads(home.root)
    stored = list_threads(
        home,
        cwd=wanted.directory or None,
        search=wanted.search or None,
        archived=wanted.archived,
        limit=LISTED if not wanted.source else None,
    )
    found = [
        tile_of(info, running.pop(info.id, None), info.id in held) for info in stored if _from(info, wanted.source)
    ]
    if not wanted.search and not wanted.source:  # nothing has been said in these yet
        found += [tile_of(None, thread, True) for thread in running.values() if wanted.directory in ("", thread.cwd)]
    return sorted(found[:LISTED], key=lambda tile: (_FIRST.get(tile["state"], 2), -tile["updated"]))


def _from(info: ThreadInfo, source: str) -> bool:
    return not source or info.source == source


def tile_of(info: ThreadInfo | None, running: RunningThread | None, held: bool) -> Json:
    """What is shown of one thread; at least one of both is there. `held`: some process writes it."""
    cwd = (info.cwd if info else None) or (running.cwd if running else "") or ""
    name = (running.name if running else None) or (info.name if info else None) or (info.preview if info else "")
    updated = info.updated_ns / 1e9 if info else running.started if running else 0
    busy = running is not None and running.state != "idle"
    return {
        "id": info.id if info else running.thread_id if running else "",
        "name": one_line(" ".join(name.split()))[:120] or "New thread",
        "named": bool((running and running.name) or (info and info.name)),
        "directory": one_line(os.path.basename(cwd) or cwd),
        "path": one_line(cwd),
        "branch": one_line(info.branch) if info and info.branch else "",
        "state": running.state if running else "elsewhere" if held else "stored",
        "failed": running is not None and running.failed,
        "doing": one_line(running.doing) if running and busy else "",
        "updated": running.since if running and busy and running.since else updated,
        "tokens": max(info.tokens if info else 0, running.tokens if running else 0),
        "source": one_line(info.source) if info else "",
        "archived": bool(info and info.archived),
    }
