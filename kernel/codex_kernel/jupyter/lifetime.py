"""When a kernel ends by itself: its owner has gone, or it stayed behind and nobody has needed it for half an hour."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Generator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codex_kernel.jupyter.kernel import Kernel

log = logging.getLogger(__name__)

IDLE_S = 30 * 60.0
_POLL_S = 2.0


@contextlib.contextmanager
def watch(kernel: Kernel, *, parent: int | None, owner: int | None, stay: bool) -> Generator[None]:
    """End the kernel with its owner, or a staying one after idle time, for as long as the context is open.

    Args:
        kernel: Its `ended` is set.
        parent: A process.
        owner: Descriptor of a connection; at its end of file the owner has gone.
        stay: Ignore the owner's end, watch for idleness instead.
    """
    loop = asyncio.get_running_loop()
    cleanups: list[tuple[int, bool]] = []
    tasks: list[asyncio.Task[None]] = []
    if stay:
        tasks.append(asyncio.create_task(end_when_idle(kernel)))
    else:
        if owner is not None:
            loop.add_reader(owner, _end_of_file, kernel, owner, loop)
            cleanups.append((owner, False))
        if parent is not None:
            descriptor = _pidfd(parent)
            if descriptor is not None:
                loop.add_reader(descriptor, kernel.ended.set)
                cleanups.append((descriptor, True))
            else:
                tasks.append(asyncio.create_task(_end_with(parent, kernel)))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for descriptor, ours in cleanups:
            loop.remove_reader(descriptor)
            if ours:
                os.close(descriptor)


def _end_of_file(kernel: Kernel, descriptor: int, loop: asyncio.AbstractEventLoop) -> None:
    try:
        there = os.read(descriptor, 4096)
    except BlockingIOError:
        return
    except OSError:
        there = b""
    if not there:
        loop.remove_reader(descriptor)
        kernel.ended.set()


def _pidfd(pid: int) -> int | None:
    """A descriptor that is readable once the process has ended; None where there is no such thing."""
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


async def _end_with(pid: int, kernel: Kernel) -> None:
    """Where processes cannot be waited for: look now and then."""
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            kernel.ended.set()
            return
        except PermissionError:
            pass
        await asyncio.sleep(_POLL_S)


async def end_when_idle(kernel: Kernel, idle_s: float = IDLE_S) -> None:
    """End when nothing ran, waited or was asked for `idle_s`."""
    loop = asyncio.get_running_loop()
    seen, since = kernel.requests, loop.time()
    while loop.time() - since < idle_s:
        await asyncio.sleep(idle_s / 30)
        thread = kernel.agent.current
        working = kernel.cells.busy or (thread is not None and (thread.busy or bool(thread.pending())))
        if working or kernel.requests != seen:
            seen, since = kernel.requests, loop.time()
    log.info("idle for %d minutes: the kernel ends; its thread can be resumed", idle_s // 60)
    kernel.ended.set()
