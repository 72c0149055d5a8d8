"""All threads of the machine as the page knows them: opened, found running, or resumed from disk; and their list."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from codex_app.rooms import Room
from codex_client.connection import Connection
from codex_client.fork_server import start_kernel
from codex_client.launch import OwnKernel
from codex_protocol.attach import KernelOptions
from codex_protocol.errors import CodexError, ThreadError
from codex_protocol.ops import LocalImageInput, TextInput, UserInput, UserInputItem
from codex_render.safe_text import one_line
from codex_store.home import Home
from codex_store.running import RunningThread, running_thread, running_threads
from codex_store.thread_info import ThreadInfo
from codex_store.threads import find_thread, list_threads

log = logging.getLogger(__name__)

CLIENT = "page"
LAUNCH = "launch-"
_LISTED = 100


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """What a `codex` command asks for: a thread in its own surroundings."""

    options: KernelOptions
    env: dict[str, str]
    umask: int
    prompt: str = ""
    images: tuple[str, ...] = ()
    """Absolute paths."""


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

    def launch(self, launch: Launch) -> str:
        """Begin to open a thread; what to ask for it by."""
        self.last = LAUNCH + secrets.token_hex(6)
        self._asked[self.last] = launch
        task = asyncio.ensure_future(self._launch(launch))
        task.add_done_callback(_look_at)
        self._launches[self.last] = task
        return self.last

    async def room(self, name: str) -> Room:
        """The thread of that id, or of that launch.

        Raises:
            CodexError: It cannot be opened, or there is none.
        """
        if name.startswith(LAUNCH) or not name:
            task = self._launches.get(name or self.last)
            if task is None:
                raise ThreadError("this thread was opened by a server that has ended; choose it from the list")
            return await asyncio.shield(task)
        if name in self._rooms:
            await self._rooms[name].connection()
            return self._rooms[name]
        if name not in self._opening:
            self._opening[name] = task = asyncio.ensure_future(self._open(name))
            task.add_done_callback(lambda _: self._opening.pop(name, None))
            task.add_done_callback(_look_at)
        return await asyncio.shield(self._opening[name])

    def watch(self, thread_id: str, watcher: Callable[[], None]) -> Callable[[], None]:
        """Have `watcher` called when an open thread changes; what ends that. A thread that is not open never does."""
        room = self._rooms.get(thread_id)
        if room is None:
            return lambda: None
        room.watchers.add(watcher)
        return lambda: room.watchers.discard(watcher)

    def beside(self, room: Room | None) -> str:
        """Begin a new thread in the directory of `room`'s; what to ask for it by."""
        asked = self._asked[self.last]
        cwd = None if room is None else room.hub.drawing.state.get("cwd")
        options = msgspec.structs.replace(asked.options, cwd=cwd or asked.options.cwd, resume=None, fork=None)
        return self.launch(msgspec.structs.replace(asked, options=options, prompt="", images=()))

    async def tiles(self) -> list[dict[str, Any]]:
        """The list: those that wait for a person first, then those that work, then the rest by age."""
        return await asyncio.to_thread(_tiles, self.home)

    async def aclose(self) -> None:
        """Close all connections; threads go on."""
        for task in [*self._launches.values(), *self._opening.values()]:
            if not task.done():
                task.cancel()
        rooms = {id(room): room for room in self._rooms.values()}
        await asyncio.gather(*(room.aclose() for room in rooms.values()), return_exceptions=True)

    async def _launch(self, launch: Launch) -> Room:
        earlier = launch.options.resume
        if earlier is not None and await self._is_open(earlier):
            room = await self.room(earlier)
        else:
            room = Room(lambda room: self._start(launch, room))
        connection = await room.connection()
        self._rooms[room.thread_id] = room
        if launch.prompt or launch.images:
            items: list[UserInputItem] = [TextInput(launch.prompt)] if launch.prompt else []
            items += [LocalImageInput(path) for path in launch.images]
            await connection.submit(UserInput(items=tuple(items), client_id=secrets.token_hex(8)))
        return room

    async def _is_open(self, thread_id: str) -> bool:
        """Whether it runs, or is being opened here: a second kernel could not write it."""
        if thread_id in self._rooms or thread_id in self._opening:
            return True
        return await asyncio.to_thread(running_thread, self.home, thread_id) is not None

    async def _open(self, thread_id: str) -> Room:
        room = Room(lambda room: self._join(thread_id, room))
        await room.connection()
        self._rooms[thread_id] = room
        return room

    async def _start(self, launch: Launch, room: Room) -> Connection:
        """A kernel for a launch; once its thread has an id, the same thread again."""
        if room.thread_id:
            return await self._join(room.thread_id, room)
        started = await asyncio.to_thread(
            start_kernel, launch.options, env=launch.env, cwd=launch.options.cwd, umask=launch.umask
        )
        return await _attach(OwnKernel(started), room)

    async def _join(self, thread_id: str, room: Room) -> Connection:
        running = await asyncio.to_thread(running_thread, self.home, thread_id)
        if running is not None:
            return await self._attach_running(running, room)
        info = await asyncio.to_thread(find_thread, self.home, thread_id)
        launch = self._asked[self.last]
        cwd = info.cwd if info.cwd and os.path.isdir(info.cwd) else launch.options.cwd  # noqa: ASYNC240 - one stat
        options = msgspec.structs.replace(launch.options, cwd=cwd, resume=str(info.path), fork=None)
        started = await asyncio.to_thread(start_kernel, options, env=launch.env, cwd=cwd, umask=launch.umask)
        return await _attach(OwnKernel(started), room)

    async def _attach_running(self, running: RunningThread, room: Room) -> Connection:
        async def is_alive() -> bool:
            found = await asyncio.to_thread(running_thread, self.home, running.thread_id)
            return found is not None and found.pid == running.pid

        connection = await Connection.connect(
            Path(running.connection_file), client=CLIENT, can_answer=True, is_alive=is_alive
        )
        connection.answers_servers = True
        room.listen_to(connection)
        try:
            await connection.attach()
        except BaseException:
            await connection.aclose()
            raise
        return connection


async def _attach(kernel: OwnKernel, room: Room) -> Connection:
    """Attached to a kernel that is starting, with nothing missed."""
    connection = await kernel.connect(client=CLIENT, can_answer=True)
    connection.answers_servers = True
    room.listen_to(connection)
    await connection.attach()  # once more, with the listener: the answer is a snapshot
    return connection


def _look_at(task: asyncio.Task[Any]) -> None:
    """Whoever asks for it is told; a failure nobody asks about is in the log."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.log(logging.INFO if isinstance(error, CodexError) else logging.ERROR, "no thread: %s", error)


def _tiles(home: Home) -> list[dict[str, Any]]:
    running = {thread.thread_id: thread for thread in running_threads(home)}
    stored = list_threads(home, limit=_LISTED)
    tiles = [_tile(info, running.pop(info.id, None)) for info in stored]
    tiles += [_tile(None, thread) for thread in running.values()]
    order = {"asking": 0, "working": 1}
    return sorted(tiles, key=lambda tile: (order.get(tile["state"], 2), -tile["updated"]))


def _tile(info: ThreadInfo | None, running: RunningThread | None) -> dict[str, Any]:
    cwd = (info.cwd if info else None) or (running.cwd if running else "") or ""
    name = (running.name if running else None) or (info.name if info else None) or (info.preview if info else "")
    return {
        "id": info.id if info else running.thread_id if running else "",
        "name": one_line(" ".join(name.split()))[:120] or "New thread",
        "directory": one_line(os.path.basename(cwd) or cwd),
        "path": one_line(cwd),
        "branch": one_line(info.branch) if info and info.branch else "",
        "state": running.state if running else "stored",
        "updated": info.updated_ns / 1e9 if info else running.started if running else 0,
        "tokens": (info.tokens if info else 0) or (running.tokens if running else 0),
    }
