"""How the page reaches the agent of a thread: one that runs is joined, else the fork server starts one; or ends it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

import msgspec

from codex_app.launches import Launch
from codex_app.rooms import Room
from codex_client.connection import Connection
from codex_client.fork_server import start_kernel
from codex_client.launch import OwnKernel
from codex_protocol.errors import ThreadError
from codex_protocol.kernel_options import KernelOptions
from codex_store.home import Home
from codex_store.running import RunningThread, running_thread
from codex_store.threads import find_thread

_CLIENT = "page"
_END_TRIES = 100
_END_WAIT_S = 0.05


async def running(home: Home, thread_id: str) -> RunningThread | None:
    """The agent that has the thread open; None when there is none."""
    return await asyncio.to_thread(running_thread, home, thread_id)


async def start(launch: Launch, room: Room) -> Connection:
    """A new agent for a launch; the room is told of its thread.

    Raises:
        CodexError: It cannot be opened.
    """
    return await _start(launch.options, launch, room)


async def join(home: Home, thread_id: str, launch: Callable[[], Launch], room: Room) -> Connection:
    """The agent that has a stored thread open, or a new one with the flags and surroundings of a launch.

    Raises:
        CodexError: There is no such thread, or it cannot be opened.
    """
    if (found := await running(home, thread_id)) is not None:
        return await _attach_running(home, found, room)
    info = await asyncio.to_thread(find_thread, home, thread_id)
    like = launch()
    cwd = info.cwd if info.cwd and os.path.isdir(info.cwd) else like.options.cwd  # noqa: ASYNC240 - one stat
    options = msgspec.structs.replace(like.options, cwd=cwd, resume=str(info.path), fork=None)
    return await _start(options, like, room)


async def idle(home: Home, thread_id: str) -> RunningThread | None:
    """The agent of a thread, if it may be ended; None when there is none.

    Raises:
        ThreadError: It is at work, or another program has it open.
    """
    found = await running(home, thread_id)
    if found is not None and found.state != "idle":
        raise ThreadError("this thread is at work; stop it first")
    if found is not None and not found.stay:
        raise ThreadError("this thread is open in a notebook or another program; close it there first")
    return found


async def end(home: Home, agent: RunningThread) -> None:
    """End an agent, so that its thread's file can be moved.

    Raises:
        ThreadError: It does not end.
    """
    with contextlib.suppress(ProcessLookupError):
        os.kill(agent.pid, signal.SIGTERM)
    for _ in range(_END_TRIES):
        if await running(home, agent.thread_id) is None:
            return
        await asyncio.sleep(_END_WAIT_S)
    raise ThreadError("the agent of this thread does not end; try again in a moment")


async def _start(options: KernelOptions, launch: Launch, room: Room) -> Connection:
    started = await asyncio.to_thread(start_kernel, options, env=launch.env, cwd=options.cwd, umask=launch.umask)
    connection = await OwnKernel(started).connect(client=_CLIENT, can_answer=True)
    connection.answers_servers = True
    room.listen_to(connection)
    await connection.attach()  # once more, with the listener: the answer is a snapshot
    return connection


async def _attach_running(home: Home, agent: RunningThread, room: Room) -> Connection:
    async def is_alive() -> bool:
        found = await running(home, agent.thread_id)
        return found is not None and found.pid == agent.pid

    file = Path(agent.connection_file)
    connection = await Connection.connect(file, client=_CLIENT, can_answer=True, is_alive=is_alive)
    connection.answers_servers = True
    room.listen_to(connection)
    try:
        await connection.attach()
    except BaseException:
        await connection.aclose()
        raise
    return connection
