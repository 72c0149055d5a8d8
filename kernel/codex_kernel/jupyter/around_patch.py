"""Unchanged lines around the hunks of a patch that waits for an answer, read from the file as it is."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from codex_kernel.jupyter.agent import Agent
from codex_kernel.patch.disk import take
from codex_kernel.patch.text import FileText, readable
from codex_kernel.sandbox.interface import PathRights
from codex_protocol.errors import UsageError
from codex_protocol.events import ApplyPatchApprovalRequest
from codex_render.diff_rows import rows_of_hunks

MAX_LINES = 400
"""At most so many are told at once."""
_CHANGED = "the file changed since the patch was shown; an answer shows it anew"


async def lines(agent: Agent, arguments: dict[str, Any]) -> dict[str, Any]:
    """`{approval_id, path, first, last}`: those lines of a file that the patch changes, and how many it has in all.

    `path` as in the request, numbers from 1; `{lines, total}`.
    """
    thread = await agent.thread()
    asked = next(
        (
            request
            for request in thread.pending()
            if isinstance(request, ApplyPatchApprovalRequest) and request.approval_id == arguments.get("approval_id")
        ),
        None,
    )
    path = arguments.get("path")
    change = asked.changes.get(path) if asked is not None and isinstance(path, str) else None
    if change is None or change.update is None or not isinstance(path, str):
        raise UsageError("no patch that changes this file waits for an answer")
    first, last = (_number(arguments.get(name)) for name in ("first", "last"))
    found = await asyncio.to_thread(_read, path, change.update.unified_diff, thread.sandbox.rights())
    return {"lines": found[first - 1 : min(last, first + MAX_LINES - 1)], "total": len(found)}


def _read(path: str, diff: str, rights: PathRights) -> Sequence[str]:
    """The lines of a file that is still as the patch was made for."""
    real = os.path.realpath(path)
    if not rights.may_read(Path(real)):
        raise UsageError("this file may not be read")
    try:
        snapshot = take(real)
    except OSError as error:
        raise UsageError(f"the file cannot be read: {error.strerror}") from error
    if snapshot is None:
        raise UsageError(_CHANGED)
    found = [readable(line.removesuffix("\r")) for line in FileText.decode(snapshot.data).raw]
    for row in rows_of_hunks(diff):
        if row.old is not None and found[row.old - 1 : row.old] != [row.text.removesuffix("\r")]:
            raise UsageError(_CHANGED)
    return found


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UsageError("'first' and 'last' must be numbers of lines")
    return value
