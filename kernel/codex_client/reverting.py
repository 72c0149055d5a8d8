"""Taking back what a thread changed: by file, by hunk, or all of it."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from codex_protocol.changes import ChangedFile, Changes, RevertPart
from codex_protocol.errors import ThreadError, UsageError
from codex_protocol.events import ChangesReverted, Error, NumberedEvent
from codex_protocol.ops import RevertChanges

if TYPE_CHECKING:
    from codex_client.connection import Connection
    from codex_protocol.attach import Snapshot

What = Changes | ChangedFile | str | os.PathLike[str] | Iterable[ChangedFile | str | os.PathLike[str]]
"""Changes as they were looked at, whole or some files of them; or the names of files."""

_SILENCE_S = 10.0


def parts_of(what: What | None, hunks: Sequence[int] | None, now: Changes) -> tuple[RevertPart, ...]:
    """What is to be taken back, each file as it was looked at; names stand for the change there is now.

    Raises:
        UsageError: A file has not changed, or hunks are named that are not there.
    """
    if what is None or isinstance(what, Changes):
        files = list((what or now).files)
    elif isinstance(what, ChangedFile | str | os.PathLike):
        files = [_file(what, now)]
    else:
        files = [_file(each, now) for each in what]
    if hunks is None:
        return tuple(RevertPart(path=file.path, digest=file.digest) for file in files)
    if len(files) != 1:
        raise UsageError("hunks are numbered within one file: say which file")
    count = sum(line.startswith("@@ ") for line in files[0].diff.splitlines())
    if wrong := [hunk for hunk in hunks if not 0 <= hunk < count]:
        raise UsageError(f"{files[0].path} has {count} hunks, numbered from 0; there is no hunk {wrong[0]}")
    return (RevertPart(path=files[0].path, digest=files[0].digest, hunks=tuple(hunks)),)


def _file(what: ChangedFile | str | os.PathLike[str], now: Changes) -> ChangedFile:
    if isinstance(what, ChangedFile):
        return what
    named = os.fspath(what)
    path = os.path.relpath(named, now.root) if os.path.isabs(named) else os.path.normpath(named)
    for file in now.files:
        if path in (file.path, file.old_path):
            return file
    known = ", ".join(file.path for file in now.files[:10]) or "nothing"
    raise UsageError(f"{named} has not changed; changed: {known}")


async def take_back(agent: Connection, turn: int | None, parts: tuple[RevertPart, ...]) -> ChangesReverted:
    """What the thread answers.

    Raises:
        ThreadError: It refused, and nothing was written.
        KernelLost: The agent ended; what it had written stays.
    """
    id = secrets.token_hex(8)
    answer: asyncio.Future[ChangesReverted] = asyncio.get_running_loop().create_future()

    def settle(done: Callable[[], None]) -> None:
        if not answer.done():
            done()

    def take(told: NumberedEvent | Snapshot) -> None:
        if not isinstance(told, NumberedEvent) or told.event.id != id:
            return
        match told.event.msg:
            case ChangesReverted() as reverted:
                settle(lambda: answer.set_result(reverted))
            case Error(message=message):
                settle(lambda: answer.set_exception(ThreadError(message)))
            case _:
                return

    end = agent.listen(take, lambda lost: settle(lambda: answer.set_exception(lost)))
    try:
        await agent.submit(RevertChanges(parts=parts, turn=turn), id)
        while not (await asyncio.wait({answer}, timeout=_SILENCE_S))[0]:
            await agent.catch_up()  # what was missed is asked for
        return answer.result()
    finally:
        end()
        answer.cancel()
