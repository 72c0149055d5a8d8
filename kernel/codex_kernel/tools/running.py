"""A running command as tools see it: output gathered within bounds, told of live, its end an event."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from codex_kernel.tools.truncation import HeadTail
from codex_protocol.events import Duration, EventMsg, ExecCommandEnd, ExecCommandOutputDelta, Warning

if TYPE_CHECKING:
    from codex_kernel.sandbox.interface import Chunk, Exit, Process
    from codex_kernel.tools.interface import Emit

LIVE_BYTES = 1024 * 1024
"""Output is told of whole up to here; past it only in glimpses, and the rest with the end."""
LIVE_CHUNKS = 10_000
"""Source: spec/tools.md section 4.1."""
_GLIMPSE_EVERY_S = 0.1
_GLIMPSE_BYTES = 4096
_PATIENCE_S = 3.0
"""With a command that cannot be killed, once the user has interrupted twice."""


class RunningCommand:
    """A process whose output is being gathered; made by `follow`, ended by `aclose`."""

    def __init__(self, process: Process, call_id: str, emit: Emit) -> None:
        self.process = process
        self.call_id = call_id
        self.started = time.monotonic()
        self.aggregated = HeadTail()
        self.stdout = HeadTail()
        self.stderr = HeadTail()
        self.unread = HeadTail(head_bytes=128 * 1024, tail_bytes=128 * 1024)
        """What the model has not been shown yet."""
        self.exit: Exit | None = None
        self.ended_at: float | None = None
        self._end_told = False
        self._emit = emit
        self._live_bytes = 0
        self._live_chunks = 0
        self._glimpse_at = 0.0
        self._task = asyncio.create_task(self._gather(), name=f"output of {call_id}")

    async def _gather(self) -> None:
        try:
            async for chunk in self.process.output():
                self._take(chunk)
            self.exit = await self.process.wait()
        finally:
            self.ended_at = time.monotonic()
            await self.process.aclose()

    def _take(self, chunk: Chunk) -> None:
        data = chunk.data
        self.aggregated.feed(data)
        self.unread.feed(data)
        (self.stderr if chunk.stream == "stderr" else self.stdout).feed(data)
        if self._live_bytes >= LIVE_BYTES or self._live_chunks >= LIVE_CHUNKS:
            now = time.monotonic()
            if now - self._glimpse_at < _GLIMPSE_EVERY_S:
                return
            self._glimpse_at = now
            data = data[-_GLIMPSE_BYTES:]
        self._live_bytes += len(data)
        self._live_chunks += 1
        self._emit(ExecCommandOutputDelta(call_id=self.call_id, stream=chunk.stream, chunk=data))

    @property
    def running(self) -> bool:
        """Whether the command has not ended yet, or its output is still being read."""
        return not self._task.done()

    @property
    def seconds(self) -> float:
        """How long it ran, or has been running."""
        return (self.ended_at or time.monotonic()) - self.started

    async def ended(self, within_s: float | None = None) -> bool:
        """Wait for the end; False when it still runs after `within_s` seconds.

        Raises:
            SandboxError: The sandbox failed under it.
        """
        done, _ = await asyncio.wait({self._task}, timeout=within_s)
        if not done:
            return False
        self._task.result()
        return True

    def when_ended(self, callback: Callable[[], None]) -> None:
        """Call `callback` once, when the command has ended and its output is read."""

        def done(task: asyncio.Task[None]) -> None:
            if not task.cancelled():
                task.exception()  # a failing sandbox is told of by whoever asks next
            callback()

        self._task.add_done_callback(done)

    def unread_text(self) -> HeadTail:
        """What the model has not been shown yet; from now on it counts as shown."""
        unread, self.unread = self.unread, HeadTail(head_bytes=128 * 1024, tail_bytes=128 * 1024)
        return unread

    def take_end_event(
        self, formatted: str, *, exit_code: int | None = None, timed_out: bool = False
    ) -> tuple[EventMsg, ...]:
        """What tells of the end, the first time: its event, and a warning where there is one; nothing after that."""
        if self._end_told:
            return ()
        self._end_told = True
        code = exit_code if exit_code is not None else self.exit.code if self.exit else -1
        end = ExecCommandEnd(
            call_id=self.call_id,
            stdout=self.stdout.text(),
            stderr=self.stderr.text(),
            aggregated_output=self.aggregated.text(),
            exit_code=code,
            duration=Duration.of(self.seconds),
            formatted_output=formatted,
            timed_out=timed_out,
        )
        warning = self.exit.warning if self.exit else None
        return (end, Warning(message=warning)) if warning else (end,)

    async def aclose(self) -> None:
        """Kill what still runs and wait until everything is freed.

        Raises:
            asyncio.CancelledError: The caller was cancelled meanwhile. Everything is freed all the same, unless the
                system took longer than a few seconds.
        """
        self.process.kill()
        cancelled: asyncio.CancelledError | None = None
        while not self._task.done():
            try:
                done, _ = await asyncio.wait({self._task}, timeout=_PATIENCE_S if cancelled else None)
            except asyncio.CancelledError as error:
                cancelled = error
            else:
                if not done:
                    break
        if cancelled is not None:
            raise cancelled
