"""One event loop in a thread of its own, and how blocking code uses it.

The caller's thread serves while it waits: approvals, progress and other callbacks run there, where `input()` and a
notebook's displays belong to the cell that runs. Ctrl-C cancels what is waited for, lets it clean up, and is raised.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import contextvars
import os
import queue
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")
_Call = tuple[Callable[..., Any], tuple[Any, ...], "asyncio.Future[Any]"]
_served: contextvars.ContextVar[queue.SimpleQueue[_Call | None] | None] = contextvars.ContextVar(
    "codex_served", default=None
)


async def in_caller(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function where the caller of the API is: in its thread when it blocks, else here and now.

    A coroutine function's result is awaited.
    """
    served = _served.get()
    if served is None:
        result = function(*args)
    else:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        served.put((function, args, answer))
        result = await answer
    return await result if asyncio.iscoroutine(result) else result


class Portal:
    """The loop's thread; started with the first call, ended by `close` or with the process."""

    def __init__(self) -> None:
        """Nothing runs yet."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._pid = 0
        atexit.register(self.close)  # the last of all: what was made later, and ends before, still needs the loop

    @property
    def running(self) -> bool:
        """Whether the loop is there, for this process: a forked child has none of its parent's."""
        return self._loop is not None and self._pid == os.getpid()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The coroutine's result, or what it raised.

        Raises:
            KeyboardInterrupt: As the caller's thread got it; the coroutine was cancelled and has ended.
        """
        served: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        loop = self._running_loop()
        done: Future[T] = Future()
        box: list[asyncio.Task[T]] = []

        def begin() -> None:
            token = _served.set(served)
            task = loop.create_task(work)
            _served.reset(token)
            box.append(task)
            task.add_done_callback(finish)

        def finish(task: asyncio.Task[T]) -> None:
            if task.cancelled():
                done.cancel()
                done.set_running_or_notify_cancel()
            elif (error := task.exception()) is not None:
                done.set_exception(error)
            else:
                done.set_result(task.result())
            served.put(None)

        loop.call_soon_threadsafe(begin)
        interrupted: BaseException | None = None
        while True:
            try:
                call = served.get()
                if call is None:
                    break
                self._serve(loop, *call)
            except KeyboardInterrupt as error:
                if interrupted is not None:
                    raise  # a second Ctrl-C: do not wait for the clean-up
                interrupted = error
                loop.call_soon_threadsafe(lambda: box[0].cancel() if box else None)
        if interrupted is not None:
            raise interrupted
        return done.result()

    @staticmethod
    def _serve(loop: asyncio.AbstractEventLoop, function: Callable[..., Any], args: Any, answer: Any) -> None:
        def settle(setter: Callable[[Any], None], value: Any) -> None:
            if not answer.done():
                setter(value)

        try:
            result = function(*args)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whoever awaits the call gets it
            loop.call_soon_threadsafe(settle, answer.set_exception, error)
        else:
            loop.call_soon_threadsafe(settle, answer.set_result, result)

    def close(self) -> None:
        """End the loop and its thread; what still runs on it is cancelled."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None or self._pid != os.getpid():
            return
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None or not self.running:
                ready = threading.Event()
                self._loop = asyncio.new_event_loop()
                self._pid = os.getpid()
                self._thread = threading.Thread(target=_serve_loop, args=(self._loop, ready), name="codex", daemon=True)
                self._thread.start()
                ready.wait()
            return self._loop


def _serve_loop(loop: asyncio.AbstractEventLoop, ready: threading.Event) -> None:
    asyncio.set_event_loop(loop)
    loop.call_soon(ready.set)
    try:
        loop.run_forever()
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        with contextlib.suppress(Exception):
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()
