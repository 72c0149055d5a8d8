"""Two nodes of a thread's tree beside each other: what had been changed at each, and which files are alike."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Any

import msgspec

from codex_app.changed_files import ChangedFiles
from codex_app.desk import Desk
from codex_app.rooms import Room
from codex_app.turn_names import said_at
from codex_protocol.changes import ChangedFile, Changes
from codex_protocol.errors import UsageError
from codex_store.home import Home
from codex_store.thread_tree import own_prompts
from codex_store.threads import find_thread

Json = dict[str, Any]


class Comparing:
    """What one tab was shown compared last."""

    def __init__(self, desk: Desk) -> None:
        """Nothing yet."""
        self._desk = desk
        self._shown: Sequence[ChangedFiles] = ()

    async def compare(self, nodes: Sequence[tuple[str, int | None]], *, alone: bool) -> list[Json]:
        """Both sides as `ChangedFiles.view`, each file with how it is on the other side.

        Args:
            nodes: Thread, and number of the message in it; None for the whole thread.
            alone: What the messages' own turns changed, not what their threads had changed when those ended.

        Raises:
            CodexError: There is no such node, or its thread cannot be asked.
        """
        told = [await self._changes(thread, number, alone=alone) for thread, number in nodes]
        self._shown = [ChangedFiles.of(changes) for changes in told]
        views = [await asyncio.to_thread(shown.view) for shown in self._shown]
        for view, own, other in zip(views, told, reversed(told), strict=True):
            for file, how in zip(view["files"], beside(own, other), strict=True):
                file["beside"] = how
        return views

    def body(self, side: int, file: int) -> str:
        """The lines of a file that was not drawn at once, as HTML."""
        if side >= len(self._shown):
            raise UsageError("nothing was compared yet")
        return self._shown[side].body(file)

    async def _changes(self, thread: str, number: int | None, *, alone: bool) -> Changes:
        room: Room = await self._desk.room(thread)
        if number is None:
            return msgspec.convert(await room.query("changes"), Changes)
        since, until = await asyncio.to_thread(_stretch, self._desk.home, thread, number)
        limits = {"until": until} if until is not None else {}
        told = await room.query("changes", **limits, **({"since": since} if alone else {}))
        return msgspec.convert(told, Changes)


def _stretch(home: Home, thread: str, number: int) -> tuple[float, float | None]:
    """When a message was said, and the one after it; None: there is none after it.

    Raises:
        UsageError: It is not in the thread, or nobody knows when it was said.
    """
    prompts = own_prompts(find_thread(home, thread).path)
    at = next((at for at, prompt in enumerate(prompts) if prompt.number == number), None)
    if at is None:
        raise UsageError("that message is not in the thread any more")
    times = [said_at(prompt) for prompt in prompts[at : at + 2]]
    if any(math.isnan(time) for time in times):
        raise UsageError("the thread's file does not tell when that was said; compare the whole branches")
    return times[0], times[1] if len(times) > 1 else None


def beside(own: Changes, other: Changes) -> list[str]:
    """For each file whether the other side has it too: `same`, `other` or `only`."""
    there: dict[str, ChangedFile] = {file.path: file for file in other.files}

    def how(file: ChangedFile) -> str:
        its = there.get(file.path)
        if its is None:
            return "only"
        alike = its.digest == file.digest if its.digest and file.digest else its.diff == file.diff != ""
        return "same" if alike else "other"

    return [how(file) for file in own.files]
