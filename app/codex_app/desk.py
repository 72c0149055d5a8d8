"""All threads of the machine as the page knows them: opened, found running, or resumed from disk; and their list."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from codex_app import kernels
from codex_app.following import FollowedRoom
from codex_app.launches import Launch, is_launch, new_launch
from codex_app.rooms import Room
from codex_app.tiles import Filter, tiles
from codex_client.connection import Connection
from codex_protocol.errors import CodexError, ThreadError, UsageError
from codex_protocol.ops import (
    LocalImageInput,
    Op,
    OverrideTurnContext,
    SetThreadName,
    TextInput,
    UserInput,
    UserInputItem,
)
from codex_render.safe_text import one_line
from codex_store.home import Home
from codex_store.thread_changes import archive, delete, set_name, unarchive
from codex_store.threads import find_thread
from codex_store.writer_lock import held_threads

log = logging.getLogger(__name__)


class Desk:
    """Opens threads. Their kernels stay when the desk is closed."""

    def __init__(self, home: Home) -> None:
        """Work for one home."""
        self.home = home
        self.last: str = ""
        """Id of the newest launch."""
        self._launches: dict[str, asyncio.Task[Room]] = {}
        self._asked: dict[str, Launch] = {}
        self._rooms: dict[str, Room] = {}
        self._opening: dict[str, asyncio.Task[Room]] = {}
        self.on_news: Callable[[], None] = lambda: None
        """Called when a thread began or ended to work or to wait for a person."""

    def launch(self, launch: Launch, then: tuple[Op, ...] = (), *, name: str = "") -> str:
        """Begin to open a thread, which is asked `then` first; what to ask for it by: `name`, if that is given."""
        self.last = name or new_launch()
        self._asked[self.last] = launch
        task = asyncio.ensure_future(self._launch(launch, then))
        task.add_done_callback(_look_at)
        self._launches[self.last] = task
        return self.last

    async def room(self, name: str) -> Room:
        """The thread of that id, or of that launch.

        Raises:
            CodexError: It cannot be opened, or there is none.
        """
        if is_launch(name) or not name:
            task = self._launches.get(name or self.last)
            if task is None:
                raise ThreadError("this thread was opened by a server that has ended; choose it from the list")
            return await asyncio.shield(task)
        if (known := self._rooms.get(name)) is not None:
            if not (isinstance(known, FollowedRoom) and known.followed):
                await known.connection()
            return known
        if name not in self._opening:
            self._begin_to_open(name)
        return await asyncio.shield(self._opening[name])

    def opened(self, thread_id: str) -> Room | None:
        """The thread of that id if it is open here; opens nothing."""
        return self._rooms.get(thread_id)

    def watch(self, thread_id: str, watcher: Callable[[], None]) -> Callable[[], None]:
        """Have `watcher` called when an open thread changes; what ends that. A thread that is not open never does."""
        room = self._rooms.get(thread_id)
        if room is None:
            return lambda: None
        room.watchers.add(watcher)
        return lambda: room.watchers.discard(watcher)

    def beside(
        self,
        room: Room | None,
        directory: str = "",
        *,
        flags: dict[str, Any] | None = None,
        overrides: tuple[str, ...] = (),
    ) -> str:
        """Begin a new thread with the flags and the surroundings of the newest launch; what to ask for it by.

        Args:
            room: In whose directory, when none is given.
            directory: Where; `~` is the person's home.
            flags: In place of those of the same name.
            overrides: Settings besides, stronger than the launch's.

        Raises:
            UsageError: There is no such directory.
        """
        launch = msgspec.structs.replace(self._asked[self.last], prompt="", images=())
        options = launch.options
        cwd = directory_of(directory) if directory else None if room is None else room.hub.drawing.state.get("cwd")
        options = msgspec.structs.replace(
            options,
            cwd=cwd or options.cwd,
            flags={**options.flags, **(flags or {})},
            overrides=(*options.overrides, *overrides),
            resume=None,
            fork=None,
        )
        return self.launch(msgspec.structs.replace(launch, options=options))

    def fork(self, room: Room, prompts: int | None = None) -> str:
        """Begin a thread with another one's past and its settings of now; what to ask for it by.

        Args:
            room: The other one, which stays as it is.
            prompts: How many of the user's messages come along, with what followed them; None: all.
        """
        launch = msgspec.structs.replace(self._asked[self.last], prompt="", images=())
        state = room.hub.drawing.state
        options = msgspec.structs.replace(
            launch.options,
            cwd=state.get("cwd") or launch.options.cwd,
            resume=None,
            fork=room.thread_id,
            fork_prompts=prompts,
        )
        now = room.hub.drawing.settings
        then: tuple[Op, ...] = ()
        if now is not None:
            then = (
                OverrideTurnContext(
                    model=now.model,
                    effort=now.effort,
                    summary=now.summary,
                    approval_policy=now.approval_policy,
                    sandbox_policy=now.sandbox_policy,
                ),
            )
        return self.launch(msgspec.structs.replace(launch, options=options), then)

    async def tiles(self, wanted: Filter | None = None) -> list[dict[str, Any]]:
        """The list of threads that a filter leaves."""
        return await asyncio.to_thread(tiles, self.home, wanted)

    def look_at(self, thread_ids: Iterable[str]) -> None:
        """Open these running threads in the background, so that what they ask is known."""
        for thread_id in thread_ids:
            if thread_id not in self._rooms and thread_id not in self._opening:
                self._begin_to_open(thread_id)

    def questions(self) -> list[dict[str, Any]]:
        """What waits for a person in all threads that are open here: the questions, each with its thread."""
        rooms = {id(room): room for room in self._rooms.values()}.values()
        return [
            {
                "thread": room.thread_id,
                "in": room.hub.drawing.state.get("name") or room.hub.drawing.state.get("directory") or "",
                "ask": ask,
            }
            for room in rooms
            for ask in room.hub.drawing.asks.values()
        ]

    async def reopen(self, room: Room) -> str:
        """Open a thread again, so that changed settings count; its id from then on.

        Raises:
            CodexError: It is at work, or cannot be opened.
        """
        old = room.thread_id
        await room.reopen()
        if room.thread_id != old:
            self._rooms.pop(old, None)
            self._rooms[room.thread_id] = room
        return room.thread_id

    # What people do to threads besides talking in them

    async def rename(self, thread_id: str, name: str) -> None:
        """Name a thread, whether it runs or not.

        Raises:
            CodexError: The name is empty or too long, or there is no such thread.
        """
        if thread_id in self._rooms or await kernels.running(self.home, thread_id) is not None:
            await (await self.room(thread_id)).submit(SetThreadName(name=name))
        else:
            await asyncio.to_thread(set_name, self.home, thread_id, name)

    async def archive(self, thread_id: str) -> None:
        """Take a thread out of the list.

        Raises:
            CodexError: There is no such thread, or it is at work.
        """
        await self._let_go(thread_id)
        await asyncio.to_thread(archive, self.home, thread_id)

    async def unarchive(self, thread_id: str) -> None:
        """Take a thread back into the list.

        Raises:
            CodexError: There is no such thread.
        """
        await asyncio.to_thread(unarchive, self.home, thread_id)

    async def delete(self, thread_id: str) -> None:
        """Delete a thread for good.

        Raises:
            CodexError: There is no such thread, it is at work, or a fork still needs it.
        """
        await self._let_go(thread_id)
        await asyncio.to_thread(delete, self.home, thread_id)

    async def _let_go(self, thread_id: str) -> None:
        """End the idle kernel of a thread, so that its file can be moved.

        Raises:
            ThreadError: It is at work, or another program has it open.
        """
        agent = await kernels.idle(self.home, thread_id)
        room = self._rooms.pop(thread_id, None)
        if room is not None:
            await room.aclose()
        if agent is not None:
            await kernels.end(self.home, agent)

    async def aclose(self) -> None:
        """Close all connections; threads go on."""
        for task in [*self._launches.values(), *self._opening.values()]:
            if not task.done():
                task.cancel()
        rooms = {id(room): room for room in self._rooms.values()}
        await asyncio.gather(*(room.aclose() for room in rooms.values()), return_exceptions=True)

    def _begin_to_open(self, thread_id: str) -> None:
        self._opening[thread_id] = task = asyncio.ensure_future(self._open(thread_id))
        task.add_done_callback(lambda _: self._opening.pop(thread_id, None))
        task.add_done_callback(_look_at)

    def _keep(self, room: Room) -> None:
        room.on_news = lambda: self.on_news()
        self._forget_left()
        self._rooms[room.thread_id] = room
        self.on_news()

    def _forget_left(self) -> None:
        """A server that runs for weeks does not keep what was drawn of every thread."""
        left = {id(room) for room in self._rooms.values() if room.is_left}
        self._rooms = {thread: room for thread, room in self._rooms.items() if id(room) not in left}
        for name, task in tuple(self._launches.items()):
            is_open = task.done() and not task.cancelled() and task.exception() is None
            if name != self.last and is_open and id(task.result()) in left:  # one that failed still says why
                del self._launches[name]

    async def _launch(self, launch: Launch, then: tuple[Op, ...]) -> Room:
        earlier = launch.options.resume
        if earlier is not None and await self._is_open(earlier):
            room = await self.room(earlier)
        else:
            room = Room(lambda room: self._start(launch, room))
        connection = await room.connection()
        self._keep(room)
        for op in then:
            await connection.submit(op)
        if launch.prompt or launch.images:
            items: list[UserInputItem] = [TextInput(launch.prompt)] if launch.prompt else []
            items += [LocalImageInput(path) for path in launch.images]
            await connection.submit(UserInput(items=tuple(items), client_id=secrets.token_hex(8)))
        return room

    async def _is_open(self, thread_id: str) -> bool:
        """Whether it runs, or is being opened here: a second kernel could not write it."""
        if thread_id in self._rooms or thread_id in self._opening:
            return True
        return await kernels.running(self.home, thread_id) is not None

    async def _open(self, thread_id: str) -> Room:
        room = await self._followed(thread_id) or Room(lambda room: self._join(thread_id, room))
        if not isinstance(room, FollowedRoom):
            await room.connection()
        self._keep(room)
        return room

    async def _followed(self, thread_id: str) -> FollowedRoom | None:
        """The thread read-only, when a program that cannot be joined writes it."""
        if await kernels.running(self.home, thread_id) is not None:
            return None
        if thread_id not in await asyncio.to_thread(held_threads, self.home.root):
            return None
        info = await asyncio.to_thread(find_thread, self.home, thread_id)
        room = FollowedRoom(self.home, info, lambda room: self._join(thread_id, room))
        await room.begin()
        return room

    async def _start(self, launch: Launch, room: Room) -> Connection:
        """A kernel for a launch; once its thread has an id, the same thread again."""
        if room.thread_id:
            return await self._join(room.thread_id, room)
        return await kernels.start(launch, room)

    async def _join(self, thread_id: str, room: Room) -> Connection:
        return await kernels.join(self.home, thread_id, lambda: self._asked[self.last], room)


def directory_of(given: str) -> str:
    """The absolute path of a directory that a person typed.

    Raises:
        UsageError: There is none.
    """
    path = os.path.expanduser(given.strip())
    if not os.path.isabs(path):
        raise UsageError(f"say the whole path of the directory, not {one_line(given)!r}")
    if not os.path.isdir(path):
        raise UsageError(f"there is no directory {one_line(path)}")
    return os.path.abspath(path)


def _look_at(task: asyncio.Task[Any]) -> None:
    """Whoever asks for it is told; a failure nobody asks about is in the log."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.log(logging.INFO if isinstance(error, CodexError) else logging.ERROR, "no thread: %s", error)
