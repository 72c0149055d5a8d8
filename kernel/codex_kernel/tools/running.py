"""A running command as tools see it: output gathered within bounds, told of live, its end an event."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from codex_kernel.tools.truncation import HeadTail
from codex_protocol.errors import SandboxError
from codex_protocol.events import Duration, EventMsg, ExecCommandEnd, ExecCommandOutputDelta, Warning

if TYPE_CHECKING:
    from codex_kernel.sandbox.interface import Chunk, Exit, Process
    from codex_kernel.tools.interface import Emit
    from codex_kernel.tools.terminal_queries import TerminalQueries

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

    def __init__(self, process: Process, call_id: str, emit: Emit, *, queries: TerminalQueries | None = None) -> None:
        """Own `process`; `queries` says that it has a terminal, and answers what it asks of it."""
        self.process = process
        self.call_id = call_id
        self._queries = queries
        self._answering: asyncio.Task[None] | None = None
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
                if self._queries is not None and (answers := self._queries.answers(chunk.data)):
                    self._answer(answers)
            self.exit = await self.process.wait()
        finally:
            self.ended_at = time.monotonic()
            await self.process.aclose()

    def _answer(self, answers: bytes) -> None:
        """Type without waiting: a program that asks and does not read must not hold up its own output."""
        if self._answering is None or self._answering.done():
            self._answering = asyncio.create_task(self._type(answers), name=f"answers to {self.call_id}")

    async def _type(self, answers: bytes) -> None:
        with contextlib.suppress(SandboxError):  # it has ended meanwhile
            await self.process.write(answers)

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
    def on_terminal(self) -> bool:
        """Whether it has a terminal, and can be typed into."""
        return self._queries is not None

    @property
    def running(self) -> bool:
        """Whether the command has not ended yet, or its output is still being read."""
        return not self._task.done()

    @property
    def seconds(self) -> float:
        """How long it ran, or has been running."""
        return (self.ended_at or time.monotonic()) - self.started

    @property
    def note(self) -> str | None:
        """What the model should know about how it ended, besides the exit code."""
        end = self.exit
        if end is None:
            return None
        if end.killed_because or (end.code and end.denied):
            return end.killed_because or end.denied
        if end.left_behind:
            names = ", ".join(end.left_behind)
            return f"what it left running was ended with it ({names}); what is to go on must be a session of its own"
        return None

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
        """What the model has not been shown yet; from now on it counts as shown.

        A character of which only the beginning has come is left for the next time.
        """
        unread, self.unread = self.unread, HeadTail(head_bytes=128 * 1024, tail_bytes=128 * 1024)
        if self.running:
            self.unread.feed(unread.take_unfinished())
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
