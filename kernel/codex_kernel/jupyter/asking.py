"""One op and its one answer: what smaller commands of a cell need."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from codex_protocol.errors import ThreadError
from codex_protocol.events import Error, EventMsg, NumberedEvent, ShutdownComplete
from codex_protocol.ops import Op

if TYPE_CHECKING:
    from codex_kernel.core.thread import Thread

Answer = TypeVar("Answer", bound=EventMsg)


async def ask(thread: Thread, op: Op, kind: type[Answer]) -> Answer:
    """The event of `kind` that answers `op`.

    Raises:
        ThreadError: The thread refused it, or ended.
    """
    answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    asked = ""

    def take(numbered: NumberedEvent) -> None:
        msg = numbered.event.msg
        if answer.done():
            return
        if isinstance(msg, ShutdownComplete):
            answer.set_exception(ThreadError("the thread has ended; run the cell again to go on with it"))
        elif numbered.event.id != asked:
            return
        elif isinstance(msg, kind):
            answer.set_result(msg)
        elif isinstance(msg, Error):
            answer.set_exception(ThreadError(msg.message))

    unsubscribe = thread.subscribe(take, thread.position)
    try:
        asked = thread.submit(op)
        return await answer
    finally:
        unsubscribe()
