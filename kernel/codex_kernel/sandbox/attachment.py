"""Our own standard streams joined to a confined process: bytes through pipes, or one terminal through another."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import termios
import tty
from collections.abc import Callable, Coroutine, Generator
from typing import Any

from codex_kernel.sandbox.interface import Exit, Process
from codex_protocol.errors import SandboxError

_READ_BYTES = 64 * 1024
_NEVER_BLOCKS = select.PIPE_BUF
"""A pipe that polls writable takes this much at once."""
_ENDING_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class Gone(Exception):
    """We were told to end, or nobody reads us any more; the process has been killed.

    Attributes:
        code: What to exit with.
    """

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number.name)
        self.code = 128 + number


class Attachment:
    """Descriptors 0, 1 and 2. They are shared with whoever started us, so their flags stay as they are."""

    def __init__(self) -> None:
        """Look at what they are; nothing is changed yet."""
        self.interactive = os.isatty(0) and os.isatty(1) and _in_foreground()
        self._gone: asyncio.Future[signal.Signals] | None = None
        self._process: Process | None = None
        self._interrupted = False

    async def started(self, starting: Coroutine[Any, Any, Process]) -> Process:
        """The process; it may run before we know that it does, so signals are for it from here on.

        Raises:
            Gone: We were told to end before it ran.
            SandboxError: It could not be started.
        """
        loop = asyncio.get_running_loop()
        self._gone = loop.create_future()
        loop.add_signal_handler(signal.SIGINT, self._interrupt)
        for number in _ENDING_SIGNALS:
            loop.add_signal_handler(number, self._end, number)
        task = loop.create_task(starting)
        await asyncio.wait((task, self._gone), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, SandboxError):
                await (await task).aclose()
            raise Gone(self._gone.result())
        return task.result()

    def _interrupt(self) -> None:
        """One handler from beginning to end: a call that is queued while another takes over would be lost."""
        if self._process is None:
            self._interrupted = True
        else:
            self._process.interrupt()

    def size(self) -> tuple[int, int]:
        """Rows and columns of the terminal; 24 and 80 without one."""
        try:
            columns, rows = os.get_terminal_size(1)
        except OSError:
            return 24, 80
        return rows or 24, columns or 80

    async def join(self, process: Process) -> Exit:
        """Pass everything through until the process has ended and its output is written.

        Raises:
            Gone: We were ended first.
        """
        loop = asyncio.get_running_loop()
        assert self._gone is not None  # noqa: S101 - narrows: `started` has made it
        reading = loop.create_task(_feed(process))
        writing = loop.create_task(self._drain(process))
        with self._raw(), self._signals(loop, process):
            try:
                await asyncio.wait((writing, self._gone), return_when=asyncio.FIRST_COMPLETED)
                if self._gone.done():
                    raise Gone(self._gone.result())
                await writing
                return await process.wait()
            finally:
                process.kill()
                for task in (reading, writing):
                    task.cancel()
                await asyncio.gather(reading, writing, return_exceptions=True)

    async def _drain(self, process: Process) -> None:
        async for chunk in process.output():
            try:
                await _write(1 if chunk.stream == "stdout" else 2, chunk.data)
            except BrokenPipeError:
                self._end(signal.SIGPIPE)
                return
            except OSError:
                self._end(signal.SIGHUP)
                return

    def _end(self, number: signal.Signals) -> None:
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(number)

    @contextlib.contextmanager
    def _signals(self, loop: asyncio.AbstractEventLoop, process: Process) -> Generator[None]:
        """Ctrl-C goes to the command and not to us; what ends us ends it."""
        self._process = process
        if self._interrupted:
            process.interrupt()
        if self.interactive:
            loop.add_signal_handler(signal.SIGWINCH, lambda: process.resize(*self.size()))
            process.resize(*self.size())
        # Reading the terminal from the background is the end of input then, not a reason to stop us.
        before = signal.signal(signal.SIGTTIN, signal.SIG_IGN)
        try:
            yield
        finally:
            signal.signal(signal.SIGTTIN, before)
            for number in (signal.SIGINT, signal.SIGWINCH, *_ENDING_SIGNALS):
                loop.remove_signal_handler(number)

    @contextlib.contextmanager
    def _raw(self) -> Generator[None]:
        """Every key goes to the command's own terminal, Ctrl-C and Ctrl-Z among them."""
        if not self.interactive:
            yield
            return
        before = termios.tcgetattr(0)
        tty.setraw(0, termios.TCSADRAIN)
        try:
            yield
        finally:
            termios.tcsetattr(0, termios.TCSADRAIN, before)


def _in_foreground() -> bool:
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False


async def _feed(process: Process) -> None:
    """Our stdin to the process, as it comes."""
    with contextlib.suppress(SandboxError):  # it has stopped reading; so do we
        while data := await _read():
            await process.write(data)
    process.close_stdin()


async def _read() -> bytes:
    """Some bytes of stdin; none at its end."""
    loop = asyncio.get_running_loop()
    await _until(loop.add_reader, loop.remove_reader, 0)
    try:
        return os.read(0, _READ_BYTES)
    except OSError:
        return b""  # a terminal that was taken away, or is another job's


async def _write(fd: int, data: bytes) -> None:
    """All of it, without ever blocking the loop: signals and stdin go on meanwhile."""
    loop = asyncio.get_running_loop()
    view = memoryview(data)
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    while view:
        if not poll.poll(0):
            await _until(loop.add_writer, loop.remove_writer, fd)
        try:
            view = view[os.write(fd, view[:_NEVER_BLOCKS]) :]
        except BlockingIOError:  # somebody has made it non-blocking
            await _until(loop.add_writer, loop.remove_writer, fd)


async def _until(add: Callable[..., None], remove: Callable[[int], bool], fd: int) -> None:
    """Wait until a descriptor is ready; files, which cannot be waited for, always are."""
    ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    try:
        add(fd, lambda: None if ready.done() else ready.set_result(None))
    except PermissionError:
        await asyncio.sleep(0)
        return
    try:
        await ready
    finally:
        remove(fd)
