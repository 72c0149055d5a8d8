"""`codex threads`: the threads that run now and the stored ones."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from codex_cli.numbers import above_zero
from codex_cli.parser import Parsed
from codex_render.amounts import count
from codex_render.excerpt import shorten
from codex_render.safe_text import one_line
from codex_render.terminal import is_terminal, width_of
from codex_store.home import Home, find_home
from codex_store.running import RunningThread, running_threads
from codex_store.thread_info import ThreadInfo
from codex_store.threads import list_threads

_LIMIT = 50


def run_threads_command(parsed: Parsed) -> int:
    """The exit code; the list goes to stdout."""
    limit = _limit(parsed)
    rows = list_all(
        find_home(), search=parsed.words[0] if parsed.words else None, limit=limit, archived=parsed.flag("archived")
    )
    if parsed.flag("json"):
        sys.stdout.write("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
        return 0
    for line in table(rows, width_of(1) if is_terminal(sys.stdout) else 10_000, time.time()):
        sys.stdout.write(line + "\n")
    return 0


def list_all(
    home: Home, *, search: str | None = None, limit: int | None = None, archived: bool = False
) -> list[dict[str, Any]]:
    """Every thread as a JSON object, running ones first, then the one that changed last first."""
    running = {} if archived else {thread.thread_id: thread for thread in running_threads(home)}
    infos = {info.id: info for info in list_threads(home, search=search, limit=limit, archived=archived)}
    rows = [_row(infos.get(id), thread) for id, thread in running.items() if search is None or id in infos]
    rows += [_row(info, None) for id, info in infos.items() if id not in running]
    return rows[:limit]


def table(rows: list[dict[str, Any]], width: int, now: float) -> list[str]:
    """The list for people."""
    if not rows:
        return ["no threads yet; 'codex exec PROMPT' begins one"]
    cells = [("ID", "STATE", "AGE", "TOKENS", "NAME", "DIRECTORY")]
    for row in rows:
        name = one_line(row["name"] or row["preview"] or "")
        cells.append(
            (row["id"], row["state"], age(now - row["updated"]), count(row["tokens"]), name[:48], row["cwd"] or "")
        )
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]) - 1)]
    lines: list[str] = []
    for *fields, directory in cells:
        start = "  ".join(field.ljust(size) for field, size in zip(fields, widths, strict=True))
        lines.append(f"{start}  {shorten(one_line(directory), max(12, width - len(start) - 2))}".rstrip())
    return lines


def age(seconds: float) -> str:
    """`12s`, `5m`, `3h`, `2d`."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{max(0, int(seconds))}s"


def _row(info: ThreadInfo | None, running: RunningThread | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": "",
        "state": "stored",
        "name": None,
        "cwd": None,
        "updated": 0.0,
        "tokens": 0,
        "model": None,
        "branch": None,
        "preview": "",
        "rollout_path": None,
        "pid": None,
        "connection_file": None,
    }
    if info is not None:
        row |= {
            "id": info.id,
            "name": info.name,
            "cwd": info.cwd,
            "updated": info.updated_ns / 1e9,
            "tokens": info.tokens,
            "model": info.model,
            "branch": info.branch,
            "preview": info.preview,
            "rollout_path": str(info.path),
        }
    if running is not None:
        row |= {
            "id": running.thread_id,
            "state": running.state,
            "name": running.name or row["name"],
            "cwd": running.cwd,
            "updated": row["updated"] or running.started,
            "tokens": max(running.tokens, row["tokens"]),
            "model": running.model or row["model"],
            "pid": running.pid,
            "connection_file": running.connection_file,
        }
    return row


def _limit(parsed: Parsed) -> int | None:
    return None if parsed.flag("all") else above_zero(parsed, "limit") or _LIMIT
